"""Split lists and artist indexes, as GTZAN has them: both name files without folder and suffix."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pipelines.audio import decode
from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.config import SplitName
from pipelines.dataset.ledger import Entry, File


def with_splits(entries: list[Entry], splits: Mapping[SplitName, str]) -> list[Entry]:
    """The files that split lists name, each with its split as its fold; the others are no part of the corpus."""
    split_of: dict[str, str] = {}
    path_of: dict[str, str] = {}
    for split, url in sorted(splits.items()):
        for line in storage.read_bytes(url).decode().splitlines():
            if stem := without_suffix(line.strip()):
                if split_of.get(stem, split) != split:
                    raise UsageError(f"corpus.splits: {stem} is in both {split_of[stem]} and {split}")
                split_of[stem], path_of[stem] = split, line.strip()
    by_stem = _by_stem(entries)
    listed = [
        replace(by_stem[stem], file=replace(by_stem[stem].file, fold=fold))
        for stem, fold in split_of.items()
        if stem in by_stem
    ]
    missing = [
        Entry(
            File(path, path, PurePosixPath(path).parent.name).rejected(
                decode.UNREADABLE, "a split list names it; it is not there"
            ),
            "",
        )
        for stem, path in path_of.items()
        if stem not in by_stem
    ]
    return listed + missing


def without_suffix(path: str) -> str:
    """A file's name without its suffix of audio, if it has one.

    >>> without_suffix("blues/blues.00000.wav"), without_suffix("blues.00000")
    ('blues.00000', 'blues.00000')
    """
    stem, suffix = posixpath.splitext(posixpath.basename(path))
    return stem if suffix.lower() in decode.SUFFIXES else stem + suffix


def _by_stem(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Files by their names without suffix: copies of GTZAN differ in folders and in .au or .wav."""
    found: dict[str, Entry] = {}
    for entry in entries:
        stem = without_suffix(entry.file.path)
        if stem in found:
            raise UsageError(
                f"corpus.splits and corpus.artists go by file name, and two files are called {stem}:"
                f" {found[stem].file.path} and {entry.file.path}"
            )
        found[stem] = entry
    return found


def with_artists(entries: list[Entry], url: str) -> list[Entry]:
    """Files with the artists, and the titles as songs, of an index in the form of Sturm's for GTZAN."""
    index = read_index(url)
    by_stem = _by_stem(entries)
    named = []
    for stem, entry in by_stem.items():
        artist, song = index.get(stem, ("", ""))
        named.append(
            replace(entry, file=replace(entry.file, artist=entry.file.artist or artist, song=entry.file.song or song))
        )
    return named


def with_index(files: Sequence[File], index: Mapping[str, tuple[str, str]]) -> list[File]:
    """Files with the artists and titles of an index that is read; a segment has those of the song that it names."""

    def of(file: File) -> File:
        own, whole = without_suffix(file.path), PurePosixPath(file.song).name
        artist, title = index.get(own) or index.get(whole) or ("", "")
        return replace(file, artist=file.artist or artist, song=title or file.song)

    return [of(file) for file in files]


def read_index(url: str) -> dict[str, tuple[str, str]]:
    """The artist and the song of each file that an index names, by its name without suffix."""
    index: dict[str, tuple[str, str]] = {}
    for line in storage.read_bytes(url).decode("latin-1").splitlines():
        fields = [field.strip() for field in line.split(":::")]
        if len(fields) >= 2 and not line.startswith("#"):
            artist, title = fields[1], fields[2] if len(fields) > 2 else ""
            index[without_suffix(fields[0])] = (artist, f"{artist}: {title}" if artist and title else "")
    if not index:
        raise UsageError(f"{url}: no line of the form 'file ::: artist ::: title'")
    return index
