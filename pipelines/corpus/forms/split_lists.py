"""Split lists and artist indexes, as GTZAN has them: both may name files without folder and suffix."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from pipelines.audio import decode
from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.config import SplitName
from pipelines.corpus.forms.listed_files import ListedFiles, stem_of
from pipelines.corpus.forms.text_files import decoded, lines_of, read_lines
from pipelines.corpus.names.spellings import unicode_form
from pipelines.dataset.ledger import Entry, File


def with_splits(entries: list[Entry], splits: Mapping[SplitName, str]) -> list[Entry]:
    """The files that split lists name, each with its split as its fold; the others are no part of the corpus."""
    files = ListedFiles(entries)
    split_of: dict[str, str] = {}
    missing = []
    for split, url in sorted(splits.items()):
        for line in read_lines(url):
            file = _only(files, line)
            path = file.path if file else line
            if file is None and path not in split_of:
                missing.append(_missing(line))
            if split_of.setdefault(path, split) != split:
                raise UsageError(f"corpus.splits: {stem_of(path)} is in both {split_of[path]} and {split}")
    listed = [entry for entry in entries if entry.file.path in split_of]
    return [_with(entry, fold=split_of[entry.file.path]) for entry in listed] + missing


def _only(files: ListedFiles, listed: str) -> File | None:
    """The file that a line names, if it is there."""
    found = files.find(listed)
    if len(found) > 1:
        raise UsageError(
            f"corpus.splits and corpus.artists go by file name where no path fits, and two files are called"
            f" {stem_of(listed)}: {found[0].file.path} and {found[1].file.path}"
        )
    return found[0].file if found else None


def _missing(path: str) -> Entry:
    genre = PurePosixPath(path.replace("\\", "/")).parent.name
    error = "a split list names it; it is not there"
    return Entry(File(path, path, genre).rejected(decode.UNREADABLE, error), "")


def _with(entry: Entry, **told: Any) -> Entry:
    return entry if entry.file.reason else replace(entry, file=replace(entry.file, **told))


def with_artists(entries: list[Entry], url: str) -> list[Entry]:
    """Files with the artists, and the titles as songs, of an index in the form of Sturm's for GTZAN."""
    files = ListedFiles(entries)
    told = {file.path: names for name, names in read_index(url).items() if (file := _only(files, name))}
    named = []
    for entry in entries:
        artist, song = told.get(entry.file.path, ("", ""))
        named.append(_with(entry, artist=entry.file.artist or artist, song=entry.file.song or song))
    return named


def with_index(files: Sequence[File], index: Mapping[str, tuple[str, str]]) -> list[File]:
    """Files with the artists and titles of an index that is read; a segment has those of the song that it names."""

    def of(file: File) -> File:
        own, whole = (unicode_form(name) for name in (stem_of(file.path), PurePosixPath(file.song).name))
        artist, title = index.get(own) or index.get(whole) or ("", "")
        return replace(file, artist=file.artist or artist, song=title or file.song)

    return [of(file) for file in files]


def read_index(url: str) -> dict[str, tuple[str, str]]:
    """The artist and the song of each file that an index names, by its name without suffix, in one form of Unicode."""
    index: dict[str, tuple[str, str]] = {}
    content = storage.read_bytes(url)
    try:
        text = decoded(content)
    except UnicodeDecodeError:  # as Sturm's
        text = content.decode("latin-1")
    for line in lines_of(text):
        fields = [field.strip() for field in line.split(":::")]
        if len(fields) >= 2 and not line.startswith("#"):
            artist, title = fields[1], fields[2] if len(fields) > 2 else ""
            name = stem_of(fields[0].replace("\\", "/"))
            index[unicode_form(name)] = (artist, f"{artist}: {title}" if artist and title else "")
    if not index:
        raise UsageError(f"{url}: no line of the form 'file ::: artist ::: title'")
    return index
