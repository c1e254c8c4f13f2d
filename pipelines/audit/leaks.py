"""What crosses a split: pairs of files in different splits that share a song, an artist or a recording.

Pairs grow with the square of what is shared, so they are counted by arithmetic and only some of them are listed.
"""

import functools
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice, product, zip_longest
from typing import TypeVar

from pipelines.corpus.artists import normalised
from pipelines.dataset.ledger import Copy, File

KINDS = ("fingerprint", "hash", "song", "artist", "group")
"""The kinds of evidence, the most telling first."""

MOST_LISTED = 200
"""How many pairs of each kind are listed; all are counted."""

Key = TypeVar("Key", bound=Hashable)
Splits = tuple[str, str]
"""Two splits, in alphabetical order."""


@dataclass(frozen=True)
class Crossing:
    """Two files in different splits that share something.

    Attributes
    ----------
    first, second : File
        Their splits are their folds.
    kinds : tuple of str
        All that they share, of `KINDS`.
    copy : Copy or None
        Where their fingerprints agree.
    """

    first: File
    second: File
    kinds: tuple[str, ...]
    copy: Copy | None = None


@dataclass(frozen=True)
class Crossings:
    """All that crosses.

    Attributes
    ----------
    counts : dict
        How many pairs share each kind of evidence: by kind, then by splits.
    pairs : dict
        How many pairs share anything that may not cross, by splits.
    files : dict
        How many files of each split are in such a pair.
    listed : tuple of Crossing
        Of each kind at most `MOST_LISTED`, sorted by their most telling kind, its error rate and their names.
    """

    counts: Mapping[str, Mapping[Splits, int]]
    pairs: Mapping[Splits, int]
    files: Mapping[str, int]
    listed: tuple[Crossing, ...]


def find_crossings(songs: Sequence[File], copies: Sequence[Copy], forbidden: Sequence[str] = KINDS) -> Crossings:
    """Finds what crosses.

    Parameters
    ----------
    songs : sequence of File
        Each with its split as its fold; those without one are in none.
    copies : sequence of Copy
        By content hash.
    forbidden : sequence of str
        The kinds of evidence that may not cross; the others are counted and listed all the same.
    """
    return _Search(songs, copies).crossings(forbidden)


def most_telling(crossings: Sequence[Crossing], count: int) -> list[Crossing]:
    """So many pairs, in their order: of each kind of evidence the first, then of each the second."""
    by_kind = _gather(range(len(crossings)), lambda index: crossings[index].kinds[0])
    chosen = islice(_by_turns([iter(of_kind) for of_kind in by_kind.values()]), count)
    return [crossings[index] for index in sorted(chosen)]


class _Search:
    """Songs by what they share. A song is its index; its key of a kind is empty where it has none."""

    def __init__(self, songs: Sequence[File], copies: Sequence[Copy]):
        self.songs = sorted((song for song in songs if song.fold), key=lambda song: (song.fold, song.path, song.uri))
        by_artist = {artist: normalised(artist) for artist in {song.artist for song in self.songs}}
        self.keys = {
            "hash": [song.content_hash for song in self.songs],
            "song": [song.song for song in self.songs],
            "artist": [by_artist[song.artist] for song in self.songs],
            "group": [song.group for song in self.songs],
        }
        self.members = {kind: self._sharing(kind) for kind in self.keys}
        of_content = {content: members for (content,), members in self.members["hash"].items()}
        self.copies = [
            (copy, of_content[copy.first], of_content[copy.second])
            for copy in copies
            if copy.first in of_content and copy.second in of_content
        ]

    def crossings(self, forbidden: Sequence[str]) -> Crossings:
        counts = {kind: self._count([kind]) for kind in KINDS}
        return Crossings(
            {kind: dict(sorted(of_kind.items())) for kind, of_kind in counts.items() if of_kind},
            dict(sorted(self._count(forbidden).items())),
            dict(sorted(Counter(self._split(index) for index in self._crossing_files(forbidden)).items())),
            tuple(sorted((self._crossing(*pair) for pair in self._some_pairs()), key=_most_telling_first)),
        )

    def _count(self, kinds: Sequence[str]) -> Counter[Splits]:
        """How many pairs share one kind or more, by inclusion and exclusion."""
        total: Counter[Splits] = Counter()
        keyed = [kind for kind in kinds if kind in self.keys]
        for some in chain.from_iterable(combinations(keyed, size) for size in range(len(keyed) + 1)):
            sign = (-1) ** len(some)
            for members in self._sharing(*some).values() if some else ():
                _add(total, -sign, self._within(members))
            for _, first, second in self.copies if "fingerprint" in kinds else ():
                _add(total, sign, self._across(first, second, some))
        return +total

    def _within(self, members: Sequence[int]) -> Mapping[Splits, int]:
        """How many pairs of these songs cross."""
        sizes = sorted(Counter(map(self._split, members)).items())
        return {(a, b): n * m for (a, n), (b, m) in combinations(sizes, 2)}

    def _across(self, first: Sequence[int], second: Sequence[int], kinds: Sequence[str]) -> Mapping[Splits, int]:
        """How many pairs of a song here and a song there cross and share all of some kinds."""
        sizes = [Counter((self._key(index, kinds), self._split(index)) for index in side) for side in (first, second)]
        found: Counter[Splits] = Counter()
        for ((here, a), n), ((there, b), m) in product(*(side.items() for side in sizes)):
            if here is not None and here == there and a != b:
                found[min(a, b), max(a, b)] += n * m
        return found

    def _crossing_files(self, forbidden: Sequence[str]) -> set[int]:
        sharing = chain.from_iterable(self.members[kind].values() for kind in forbidden if kind in self.keys)
        crossing = {index for members in sharing if self._within(members) for index in members}
        for _, first, second in self.copies if "fingerprint" in forbidden else ():
            for side, other in ((first, second), (second, first)):
                others = set(map(self._split, other))
                crossing |= {index for index in side if others - {self._split(index)}}
        return crossing

    def _some_pairs(self) -> set[tuple[int, int]]:
        """The pairs to list, of each kind some of everything that is shared."""
        best_first = sorted(self.copies, key=lambda copied: (copied[0].error_rate, copied[0].first, copied[0].second))
        copied = (self._pairs(first, second) for _, first, second in best_first)
        found = set(islice(chain.from_iterable(copied), MOST_LISTED))
        for of_kind in self.members.values():
            crossing = islice((m for _, m in sorted(of_kind.items()) if self._within(m)), MOST_LISTED)
            found |= set(islice(_by_turns([self._pairs(members, members) for members in crossing]), MOST_LISTED))
        return found

    def _pairs(self, first: Sequence[int], second: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The pairs of a song here and a song there that cross, the lesser first."""
        here, there = (_gather(side, self._split) for side in (first, second))
        for (a, ours), (b, theirs) in product(here.items(), there.items()):
            if a < b or (a > b and first is not second):
                yield from ((min(pair), max(pair)) for pair in product(ours, theirs))

    def _crossing(self, first: int, second: int) -> Crossing:
        hashes = self.keys["hash"]
        copy = self._copy_of.get((hashes[first], hashes[second])) or self._copy_of.get((hashes[second], hashes[first]))
        if copy and copy.first != hashes[first]:
            first, second = second, first
        shared = {kind for kind, keys in self.keys.items() if keys[first] and keys[first] == keys[second]}
        kinds = tuple(kind for kind in KINDS if kind in shared or (kind == "fingerprint" and copy))
        return Crossing(self.songs[first], self.songs[second], kinds, copy)

    @functools.cached_property
    def _copy_of(self) -> Mapping[tuple[str, str], Copy]:
        return {(copy.first, copy.second): copy for copy, _, _ in self.copies}

    def _split(self, index: int) -> str:
        return self.songs[index].fold

    def _key(self, index: int, kinds: Sequence[str]) -> tuple[str, ...] | None:
        """A song's keys of some kinds; None where it lacks one."""
        own = tuple(self.keys[kind][index] for kind in kinds)
        return own if all(own) else None

    def _sharing(self, *kinds: str) -> dict[tuple[str, ...], list[int]]:
        """The songs of each key of some kinds."""
        return _gather(range(len(self.songs)), lambda index: self._key(index, kinds))


def _gather(members: Iterable[int], key: Callable[[int], Key | None]) -> dict[Key, list[int]]:
    gathered: dict[Key, list[int]] = defaultdict(list)
    for index in members:
        if (own := key(index)) is not None:
            gathered[own].append(index)
    return gathered


def _add(total: Counter[Splits], sign: int, counts: Mapping[Splits, int]) -> None:
    for splits, count in counts.items():
        total[splits] += sign * count


def _by_turns(sources: Sequence[Iterator[Key]]) -> Iterator[Key]:
    """One of each, then the next of each, until all are at their end."""
    for turn in zip_longest(*sources):
        yield from (item for item in turn if item is not None)


def _most_telling_first(crossing: Crossing) -> tuple[object, ...]:
    first, second, copy = crossing.first, crossing.second, crossing.copy
    rank = KINDS.index(crossing.kinds[0]), copy.error_rate if copy else 0
    return *rank, first.path, second.path, first.fold, second.fold
