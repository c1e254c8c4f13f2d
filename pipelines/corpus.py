"""A corpus as a list of songs: folder trees, globs, manifests, archives, and GTZAN's lists.

Nothing is decoded here. What can be seen to be wrong from the listing alone (a path out of the root, a row that
repeats another) is rejected here; the files themselves are judged when they are read.
"""

import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipelines import audio, lists, manifest, storage
from pipelines.config import CorpusConfig
from pipelines.errors import SpectroshardError
from pipelines.ledger import Entry, Song

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
            entries = lists.with_splits(entries, config.splits)
        if config.artists:
            entries = lists.with_artists(entries, config.artists)
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise SpectroshardError(f"corpus.input {config.input}: {type(error).__name__}: {error}") from error
    if not entries:
        suffixes = ", ".join(sorted(audio.SUFFIXES))
        raise SpectroshardError(f"corpus.input {config.input}: no song found; looked for files that end in {suffixes}")
    return sorted(entries, key=lambda entry: (entry.song.song_id, entry.song.genre))


def _list(config: CorpusConfig, unpack_to: str) -> list[Entry]:
    url = config.input.rstrip("/")
    lower = url.lower()
    if not url:
        raise SpectroshardError("corpus.input is empty; set it in the configuration or give --input")
    if lower.endswith((".csv", ".parquet")):
        return manifest.entries(url, config.root)
    if lower.endswith(".zip"):
        return _archive(_zip_members(url))
    if lower.endswith(_TAR):
        return _archive(_tar_members(url, unpack_to))
    if _GLOB.search(url):
        return _glob(url)
    return _tree(url)


def _is_song(path: str) -> bool:
    """Whether a path below the root names a song: no part of it hidden, and a suffix of audio."""
    parts = PurePosixPath(path).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not hidden and PurePosixPath(path).suffix.lower() in audio.SUFFIXES


def _tree(url: str) -> list[Entry]:
    fs, root = storage.filesystem(url)
    if not fs.isdir(root):
        raise SpectroshardError(f"corpus.input {url}: no such folder")
    # A folder that may not be read is an error here, not a folder without songs.
    strict = {"on_error": "raise"} if storage.is_local(url) else {}
    found = fs.find(root, detail=True, **strict)
    members = {path.removeprefix(root).lstrip("/"): info for path, info in found.items()}
    return [
        _entry(path, fs.unstrip_protocol(f"{root}/{path}"), _first_folder(path), storage.version(info))
        for path, info in members.items()
        if _is_song(path)
    ]


def _glob(url: str) -> list[Entry]:
    fs, pattern = storage.filesystem(url)
    root = pattern[: _GLOB.search(pattern).start()].rpartition("/")[0]  # type: ignore[union-attr]
    return [
        _entry(
            path.removeprefix(root).lstrip("/"),
            fs.unstrip_protocol(path),
            PurePosixPath(path).parent.name,
            storage.version(info),
        )
        for path, info in fs.glob(pattern, detail=True).items()
        if info["type"] == "file" and _is_song(path.removeprefix(root).lstrip("/"))
    ]


def _entry(song_id: str, uri: str, genre: str, version: str, location: str = "") -> Entry:
    song = Song(song_id, uri, genre)
    if _leads_out(song_id):
        song = song.rejected("outside_root", f"the path {song_id} leads out of the corpus")
    elif not genre:
        song = song.rejected("no_genre", "the file lies beside the genre folders, expected it in one")
    return Entry(song, location or uri, version)


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
    fs, _ = storage.filesystem(f"zip://::{url}")
    return [
        _Member(path, uri, storage.version(info), uri)
        for path, info in fs.find("", detail=True).items()
        if _is_song(path)
        for uri in [f"zip://{path}::{url}"]
    ]


def _tar_members(url: str, unpack_to: str) -> list[_Member]:
    """The songs of a tar archive, read once from end to end and laid out as files."""
    members = []
    fs, path = storage.filesystem(url)
    with fs.open(path, "rb") as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            name = str(PurePosixPath(member.name))
            if not member.isfile() or not _is_song(name):
                continue
            target = storage.join(unpack_to, name)
            content = archive.extractfile(member)
            if content is not None and not _leads_out(name):
                with storage.writing(target) as local, local.open("wb") as file:
                    while block := content.read(1 << 20):
                        file.write(block)
            members.append(_Member(name, f"tar://{name}::{url}", f"{member.size}-{member.mtime}", target))
    return members
