"""Files that a split list names, found in a folder of audio."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePosixPath

from pipelines.audio.decode import UNREADABLE
from pipelines.corpus.manifest import NO_GENRE
from pipelines.corpus.split_lists import without_suffix
from pipelines.dataset.ledger import WRITTEN, Entry, File


def accepted(file: File) -> File:
    """A file as an audit takes it: it needs no genre, as a build would, and no fold."""
    if file.reason == NO_GENRE.name:
        file = replace(file, status=WRITTEN, reason="", error="")
    return replace(file, fold="")


class ListedFiles:
    """Finds listed files among those that there are: by path, else by path or by name without suffix."""

    def __init__(self, entries: Iterable[Entry]):
        self.by_name: dict[str, list[Entry]] = {}
        for entry in entries:
            for name in set(_names(entry.file.path)):
                self.by_name.setdefault(name, []).append(entry)

    def __call__(self, listed: str) -> Entry:
        found = next(filter(None, (self.by_name.get(name) for name in _names(listed))), [])
        if len(found) == 1:
            return replace(found[0], file=replace(accepted(found[0].file), path=listed))
        others = ", ".join(entry.file.path for entry in found[:2])
        fault = f"several files have its name: {others}" if found else "a split list names it; it is not there"
        return Entry(File(listed, listed).rejected(UNREADABLE, fault), "")


def _names(path: str) -> list[str]:
    """What a file may be listed as, the most exact first."""
    plain = PurePosixPath(path)
    stem = without_suffix(plain.name)
    return [str(plain), str(plain.with_name(stem)), stem]
