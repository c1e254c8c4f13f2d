"""A corpus as a list of songs: folder trees, globs, manifests, archives, and GTZAN's lists.

Nothing is decoded here. What can be seen to be wrong from the listing alone (a path out of the root, a row that
repeats another) is rejected here; the files themselves are judged when they are read.
"""

import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipelines.audio import decode
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.section import digest
from pipelines.config import CorpusConfig
from pipelines.corpus import manifest, split_lists
from pipelines.corpus.manifest import NO_GENRE, OUTSIDE_ROOT
from pipelines.dataset.ledger import Entry, File

_GLOB = re.compile(r"[*?\[]")
_TAR = (".tar", ".tar.gz", ".tgz")


def list_songs(config: CorpusConfig, unpack_to: str) -> list[Entry]:
    """Lists a corpus.

    Parameters
    ----------
    config : CorpusConfig
    unpack_to : str
        A folder for the songs of a tar archive, which can only be read from end to end.

    Returns
    -------
    list of Entry
        Sorted by song_id, whatever the order of the files.

    Raises
    ------
    SpectroshardError
        The input cannot be read, a manifest lacks a column, or there is no song at all.
    """
    try:
        entries = _list(config, unpack_to)
        if config.splits:
            entries = split_lists.with_splits(entries, config.splits)
        if config.artists:
            entries = split_lists.with_artists(entries, config.artists)
    except (OSError, tarfile.TarError, zipfile.BadZipFile, zlib.error, UnicodeDecodeError) as error:
        raise SpectroshardError(f"corpus.input {config.input}: {type(error).__name__}: {error}") from error
    if not entries:
        suffixes = ", ".join(sorted(decode.SUFFIXES))
        raise SpectroshardError(f"corpus.input {config.input}: no song found; looked for files that end in {suffixes}")
    return sorted(entries, key=lambda entry: (entry.file.path, entry.file.genre))


def _list(config: CorpusConfig, unpack_to: str) -> list[Entry]:
    url = config.input.rstrip("/")
    lower = url.lower()
    if not url:
        raise SpectroshardError("corpus.input is empty; set it in the configuration or give --input")
    if manifest.is_manifest(url):
        return manifest.entries(url, config.root)
    if lower.endswith(".zip"):
        return _archive(_zip_members(url))
    if lower.endswith(_TAR):
        return _archive(_tar_members(url, unpack_to))
    if storage.is_folder(url):
        return _tree(url)
    if _GLOB.search(url):
        return _glob(url)
    raise SpectroshardError(f"corpus.input {url}: no such folder")


def is_song(path: str) -> bool:
    """Whether a path below the root names a song: no part of it hidden, and a suffix of audio."""
    parts = PurePosixPath(path).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(path).suffix.lower() in decode.SUFFIXES


def _tree(url: str) -> list[Entry]:
    fs, root = storage.filesystem(url)
    found = {path.removeprefix(root).lstrip("/"): (path, version) for path, version in storage.find(url).items()}
    return [
        _entry(song_id, storage.url_of(fs, path), _first_folder(song_id), version)
        for song_id, (path, version) in found.items()
        if is_song(song_id)
    ]


def _glob(url: str) -> list[Entry]:
    """What a glob matches; a song's genre is the folder that it lies in."""
    fs, pattern = storage.filesystem(url)
    if any("**" in part and part != "**" for part in pattern.split("/")):
        raise SpectroshardError(f"corpus.input {url}: ** stands for folders, and only alone, as in **/*.wav")
    root = _GLOB.split(pattern, maxsplit=1)[0].rpartition("/")[0]
    found = {path.removeprefix(root).lstrip("/"): (path, version) for path, version in storage.find_glob(url).items()}
    return [
        _entry(song_id, storage.url_of(fs, path), PurePosixPath(path).parent.name, version)
        for song_id, (path, version) in found.items()
        if is_song(song_id)
    ]


def _entry(path: str, uri: str, genre: str, version: str, location: str = "") -> Entry:
    song = File(escape_undecodable(path), escape_undecodable(uri), escape_undecodable(genre))
    if _leads_out(path):
        song = song.rejected(OUTSIDE_ROOT, f"the path {song.path} leads out of the corpus")
    elif not genre:
        song = song.rejected(NO_GENRE, "the file lies beside the genre folders, expected it in one")
    return Entry(song, location or uri, version)


def escape_undecodable(path: str) -> str:
    """A path as text: bytes that are no UTF-8, as in names of old archives, are written as in `caf\\xe9.wav`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


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
    """The songs of an archive of a tree, which may lie in a folder or two of the archive's own."""
    folders = [PurePosixPath(member.path).parent.parts for member in members if not _leads_out(member.path)]
    # The genre is the first folder in which songs differ; a song keeps at least its own folder.
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
    uris = {path: f"zip://{path}::{storage.absolute(url)}" for path in members if is_song(path)}
    return [_Member(path, uri, f"{members[path]['size']}-{members[path]['CRC']}", uri) for path, uri in uris.items()]


def _tar_members(url: str, unpack_to: str) -> list[_Member]:
    """The songs of a tar archive, read once from end to end and laid out as files."""
    members: dict[str, _Member] = {}
    fs, path = storage.filesystem(url)
    with fs.open(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            name = str(PurePosixPath(member.name))
            # A hard link is a file whose content came earlier, under another name.
            if not (member.isfile() or member.islnk()) or not is_song(name):
                continue
            location = _unpacked(unpack_to, member.linkname if member.islnk() else name)
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                with storage.writing(location) as local, local.open("wb") as file:
                    shutil.copyfileobj(content, file)
            version = f"{member.size}-{member.mtime}"
            members[name] = _Member(name, f"tar://{name}::{storage.absolute(url)}", version, location)
    return list(members.values())


def _unpacked(folder: str, name: str) -> str:
    """Where a member is laid out: by a digest, as a name may be too long, or lead out of the folder."""
    path = PurePosixPath(name)
    return storage.join(folder, f"{digest(str(path))[:24]}{path.suffix.lower()}")
