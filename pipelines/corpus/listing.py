"""The listing: a corpus as a list of files, from folder trees, globs, manifests, archives, and GTZAN's lists.

Nothing is decoded here. What the listing alone shows to be wrong (a path that leads out of the root, a row that
repeats another) is rejected here; all else when the file is read.
"""

import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipelines.audio import decode
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.section import digest
from pipelines.config import CorpusConfig
from pipelines.corpus import manifest, split_lists
from pipelines.corpus.manifest import NO_GENRE, OUTSIDE_ROOT
from pipelines.dataset.ledger import Entry, File

_GLOB = re.compile(r"[*?\[]")
_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")
_TAR = (".tar", ".tar.gz", ".tgz")


def list_files(config: CorpusConfig) -> list[Entry]:
    """Lists a corpus.

    Parameters
    ----------
    config : CorpusConfig

    Returns
    -------
    list of Entry
        Sorted by path, then genre. Members of a tar archive, which can only be read from end to end, are to be unpacked
        with `unpack`.

    Raises
    ------
    UsageError
        There is no such input, it is not what its suffix says, a manifest lacks a column, or there is no audio at all.
    SpectroshardError
        The input may not be read, or the store failed.
    """
    try:
        entries = _list(config)
        if config.splits:
            entries = split_lists.with_splits(entries, config.splits)
        if config.artists:
            entries = split_lists.with_artists(entries, config.artists)
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename or config.input}: no such file") from error
    except OSError as error:
        raise SpectroshardError(f"{config.input}: {type(error).__name__}: {error}") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise UsageError(f"{config.input}: is damaged, or not what its suffix says ({error})") from error
    if not entries:
        suffixes = ", ".join(sorted(decode.SUFFIXES))
        raise UsageError(f"{config.input}: no audio found; looked for files that end in {suffixes}")
    return sorted(entries, key=lambda entry: (entry.file.path, entry.file.genre))


def _list(config: CorpusConfig) -> list[Entry]:
    url = config.input.rstrip("/")
    lower = url.lower()
    check_input(url)
    if manifest.is_manifest(url):
        return manifest.entries(url, config.root)
    if lower.endswith(".zip"):
        return _archive(_zip_members(url))
    if lower.endswith(_TAR):
        return _archive(_tar_members(url))
    if storage.is_folder(url):
        return _tree(url)
    return _glob(url)


def check_input(url: str) -> None:
    """Refuses an input that is empty, not there, or of a kind that is not known; nothing is listed for that.

    Raises
    ------
    UsageError
    """
    if not url:
        raise UsageError("no music given: name it after the command, or as corpus.input in the configuration")
    if storage.is_folder(url) or _GLOB.search(url):
        return
    if not storage.version(url):
        raise UsageError(f"{url}: no such file or folder")
    if not (manifest.is_manifest(url) or url.lower().endswith((".zip", *_TAR))):
        raise UsageError(
            f"{url}: is not music that can be listed; give a folder of genre folders, a glob, a manifest (.csv,"
            f" .parquet) or an archive (.zip, {', '.join(_TAR)})"
        )


def is_audio(path: str) -> bool:
    """Whether a path below the root names an audio file, by its suffix, of which no part is hidden.

    >>> is_audio("blues/a.MP3"), is_audio("blues/._a.mp3"), is_audio("blues/cover.jpg")
    (True, False, False)
    """
    parts = PurePosixPath(path).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(path).suffix.lower() in decode.SUFFIXES


def _tree(url: str) -> list[Entry]:
    fs, root = storage.filesystem(url)
    found = {path.removeprefix(root).lstrip("/"): (path, version) for path, version in storage.find(url).items()}
    return [
        _entry(below, storage.url_of(fs, path), _first_folder(below), version)
        for below, (path, version) in found.items()
        if is_audio(below)
    ]


def _glob(url: str) -> list[Entry]:
    """What a glob matches; a file's genre is the folder that it lies in."""
    fs, pattern = storage.filesystem(url)
    if any("**" in part and part != "**" for part in pattern.split("/")):
        raise UsageError(f"{url}: ** stands for folders, and only alone, as in **/*.wav")
    root = glob_root(pattern)
    found = {path.removeprefix(root).lstrip("/"): (path, version) for path, version in storage.find_glob(url).items()}
    return [
        _entry(below, storage.url_of(fs, path), PurePosixPath(path).parent.name, version)
        for below, (path, version) in found.items()
        if is_audio(below)
    ]


def glob_root(pattern: str) -> str:
    """The folder above everything that a glob can match; of a URL without wildcards, itself.

    >>> glob_root("/music/*/take [12].wav"), glob_root("/music")
    ('/music', '/music')
    """
    before, *rest = _GLOB.split(pattern, maxsplit=1)
    return before.rpartition("/")[0] if rest else pattern


def _entry(path: str, uri: str, genre: str, version: str, location: str = "") -> Entry:
    file = File(escape_undecodable(path), escape_undecodable(uri), escape_undecodable(genre))
    if _leads_out(path):
        file = file.rejected(OUTSIDE_ROOT, f"the path {file.path} leads out of the corpus")
    elif not genre:
        file = file.rejected(NO_GENRE, "the file lies beside the genre folders, expected it in one")
    return Entry(file, location or uri, version)


def escape_undecodable(path: str) -> str:
    r"""A path as text that can be written: bytes that are no UTF-8, as in names of old archives, are escaped.

    >>> escape_undecodable("caf\udce9.wav")  # as Python reads the byte E9
    'caf\\xe9.wav'
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def unescaped(url: str) -> str:
    r"""Where the file is whose location was escaped, if it was: a name may hold such text of its own.

    >>> unescaped("/music/caf\\xe9.wav")
    '/music/caf\udce9.wav'
    """
    if not _ESCAPED.search(url) or storage.version(url):
        return url
    return _ESCAPED.sub(lambda byte: os.fsdecode(bytes.fromhex(byte[1])), url)


def _leads_out(path: str) -> bool:
    return path.startswith("/") or ".." in PurePosixPath(path).parts


def _first_folder(path: str) -> str:
    folder, slash, _ = path.partition("/")
    return folder if slash else ""


@dataclass(frozen=True)
class _Member:
    path: str
    uri: str
    version: str
    location: str


def _archive(members: Sequence[_Member]) -> list[Entry]:
    """The files of an archived tree, which may lie in a folder or two of the archive's own."""
    folders = [PurePosixPath(member.path).parent.parts for member in members if not _leads_out(member.path)]
    # The genre is the first folder in which files differ; a file keeps at least its own folder.
    common = 0
    while folders and all(len(f) > common + 1 and f[common] == folders[0][common] for f in folders):
        common += 1
    entries = []
    for member in members:
        parts = PurePosixPath(member.path).parts
        path = member.path if _leads_out(member.path) else "/".join(parts[common:])
        entries.append(_entry(path, member.uri, _first_folder(path), member.version, member.location))
    return entries


def _zip_members(url: str) -> list[_Member]:
    members = storage.zip_archive(url).find("", detail=True)
    uris = {path: f"zip://{path}::{storage.absolute(url)}" for path in members if is_audio(path)}
    return [_Member(path, uri, f"{members[path]['size']}-{members[path]['CRC']}", uri) for path, uri in uris.items()]


def _tar_members(url: str) -> list[_Member]:
    """The members of a tar archive, read once from end to end."""
    members: dict[str, _Member] = {}
    versions: dict[str, str] = {}
    with storage.opened(url, 16 << 20) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            name = str(PurePosixPath(member.name))
            # A hard link is a file whose content came earlier, under another name.
            content = str(PurePosixPath(member.linkname)) if member.islnk() else name
            told = f"{member.size}-{member.mtime}"
            versions[name] = versions.get(content, told) if member.islnk() else told
            if (member.isfile() or member.islnk()) and is_audio(name):
                members[name] = _Member(name, _member_url(name, url), versions[name], _member_url(content, url))
    return list(members.values())


def _member_url(name: str, url: str) -> str:
    return f"tar://{escape_undecodable(name)}::{storage.absolute(url)}"


def unpack(url: str, locations: Collection[str], folder: str) -> dict[str, str]:
    """Unpacks members of a tar archive, read once from end to end, and gives where each now is."""
    unpacked = {}
    with storage.opened(url, 16 << 20) as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            location = _member_url(str(PurePosixPath(member.name)), url)
            if member.isfile() and location in locations and (content := archive.extractfile(member)):
                unpacked[location] = _unpacked(folder, member.name)
                with storage.writing(unpacked[location]) as local, local.open("wb") as sink:
                    shutil.copyfileobj(content, sink)
    return unpacked


def _unpacked(folder: str, name: str) -> str:
    """Where a member is unpacked: by a digest, as a name may be too long, or lead out of the folder."""
    path = PurePosixPath(name)
    return storage.join(folder, f"{digest(str(path))[:24]}{path.suffix.lower()}")


def is_tar(url: str) -> bool:
    """Whether a URL is a tar archive by its suffix."""
    return url.lower().rstrip("/").endswith(_TAR)
