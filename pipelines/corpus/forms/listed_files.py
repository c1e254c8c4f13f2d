"""Files that a list names, found among those that there are."""

import posixpath
from collections.abc import Iterable
from pathlib import PurePosixPath

from pipelines.corpus.names.spellings import unicode_form
from pipelines.corpus.paths import without_suffix
from pipelines.dataset.ledger import Entry


def stem_of(path: str) -> str:
    """A file's name without its suffix of audio, if it has one.

    >>> stem_of("blues/blues.00000.wav"), stem_of("blues.00000")
    ('blues.00000', 'blues.00000')
    """
    return without_suffix(posixpath.basename(path))


class ListedFiles:
    """Finds files by path, else by path or by name without suffix: copies of GTZAN differ in folders, in .au or .wav.

    Parameters
    ----------
    entries : iterable of Entry
    """

    def __init__(self, entries: Iterable[Entry]):
        self._by_name: dict[str, dict[str, Entry]] = {}
        for entry in entries:
            for name in _names(entry.file.path):
                self._by_name.setdefault(unicode_form(name), {}).setdefault(entry.file.path, entry)

    def find(self, listed: str) -> list[Entry]:
        """The files that a line of a list may mean: none, one, or several of the same name."""
        for path in (listed, listed.replace("\\", "/")):
            for name in _names(path):
                if found := self._by_name.get(unicode_form(name)):
                    return [found[path]] if path in found else list(found.values())
        return []


def _names(path: str) -> list[str]:
    """What a file may be listed as, the most exact first."""
    plain = PurePosixPath(path)
    stem = without_suffix(plain.name)
    return [str(plain), str(plain.with_name(stem)) if stem else stem, stem]
