"""Balance: groups too large for folds to be of about equal size, and genres that not every split can have."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipelines.common.output.words import counted, some_of
from pipelines.config import SPLITS
from pipelines.dataset.ledger import File, written
from pipelines.split.folds import LONE_GENRE

_MOST_ARTISTS = 3


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
        With groups. Those count that are written. A corpus with splits of its own keeps them, and no group is at fault.
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
    used = written(files)
    if any(file.fold in SPLITS for file in used):
        return []
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for file in used:
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


@dataclass(frozen=True)
class LoneGenre:
    """A genre whose songs are all in one group.

    Attributes
    ----------
    genre, group : str
    files : int
        How many files it has.
    songs : int
        Of how many songs they are, as far as names tell.
    artists : tuple of str
        Whose they are, where that is known, the one with the most files first.
    """

    genre: str
    group: str
    files: int
    songs: int
    artists: tuple[str, ...]

    def __str__(self) -> str:
        if self.songs == 1:
            return f"{self.genre!r} has a single song"
        all_of_them = f"all {counted(self.files, 'file')} of {self.genre!r} are"
        if len(self.artists) == 1:
            return f"{all_of_them} by {self.artists[0]}"
        by = f" (by {some_of(self.artists, _MOST_ARTISTS)})" if self.artists else ""
        return f"{all_of_them} of one group, {self.group!r}{by}"


def lone_genres(files: Iterable[File]) -> list[LoneGenre]:
    """The genres that were left out because all of their songs are in one group, sorted.

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", "blues", artist="Bob").rejected(LONE_GENRE, "") for n in range(9)]
    >>> [str(genre) for genre in lone_genres(files)]
    ["all 9 files of 'blues' are by Bob"]
    """
    members: dict[str, list[File]] = defaultdict(list)
    for file in files:
        if file.reason == LONE_GENRE.name:
            members[file.genre].append(file)
    return [_lone(genre, own) for genre, own in sorted(members.items())]


def _lone(genre: str, files: Sequence[File]) -> LoneGenre:
    artists = tuple(artist for artist, _ in Counter(file.artist for file in files if file.artist).most_common())
    return LoneGenre(genre, files[0].group, len(files), len({file.song_or_path for file in files}), artists)
