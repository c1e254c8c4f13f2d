"""Balance: groups too large for folds to be of about equal size."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.config import SPLITS
from pipelines.dataset.ledger import WRITTEN, File
from pipelines.split.folds import LONE_GENRE


@dataclass(frozen=True)
class Oversized:
    """A group that is too large for even folds.

    Attributes
    ----------
    group : str
    genre : str
        Where it is too large.
    files : int
        How many files of the genre are in the group.
    genre_files : int
        How many files the genre has.
    even_files : int
        How many files of the genre even folds have at most.
    """

    group: str
    genre: str
    files: int
    genre_files: int
    even_files: int

    def __str__(self) -> str:
        return (
            f"group {self.group!r} holds {self.files} of the {self.genre_files} songs of {self.genre!r};"
            f" even folds have at most {self.even_files}"
        )


def oversized(files: Sequence[File], folds: int) -> list[Oversized]:
    """The groups for which folds cannot be balanced.

    Even folds differ by one file of each genre at most. Folds are balanced where none has more than twice, and none
    less than half, of what even ones have. At fault is each group that alone is more than twice an even fold; and,
    where large groups leave the other folds less than half an even one, each that is more than an even fold. A group
    that fits into an even fold is never at fault, however few groups there are.

    Parameters
    ----------
    files : sequence of File
        With groups. Those count that are written, or rejected because one group is all of their genre. A corpus with
        splits of its own keeps them, and no group is at fault.
    folds : int
        How many there are.

    Returns
    -------
    list of Oversized
        The worst first: by how many even folds it fills, then by genre and group.

    Examples
    --------
    >>> artists = ["ann"] * 9 + ["bob", "che", "dee"]
    >>> files = [File(f"{n}.wav", "", "blues", group=f"artist:{artist}") for n, artist in enumerate(artists)]
    >>> [str(group) for group in oversized(files, 4)]
    ["group 'artist:ann' holds 9 of the 12 songs of 'blues'; even folds have at most 3"]
    """
    judged = [file for file in files if file.status == WRITTEN or file.reason == LONE_GENRE.name]
    if any(file.fold in SPLITS for file in judged):
        return []
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for file in judged:
        held[file.genre][file.group] += 1
    found = [one for genre, sizes in held.items() for one in _oversized_of_genre(genre, sizes, folds)]
    return sorted(found, key=lambda one: (-one.files / one.even_files, one.genre, one.group))


def _oversized_of_genre(genre: str, sizes: Counter[str], folds: int) -> list[Oversized]:
    total = sizes.total()
    even = math.ceil(total / folds)
    large = [size for size in sizes.values() if size > even]
    # A large group fills one fold at most, the others share the rest.
    leaves_too_little = 2 * (total - sum(large)) < (folds - len(large)) * (total // folds)
    # No fold need have more than twice an even one if no group has: assign the largest first, to the emptiest.
    most = even if leaves_too_little else 2 * even
    return [Oversized(group, genre, size, total, even) for group, size in sizes.items() if size > most]
