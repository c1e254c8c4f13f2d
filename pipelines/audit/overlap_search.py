"""The search for overlaps.

Pairs grow with the square of what is shared, so they are counted by arithmetic and only some of them are listed.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, combinations, islice, product

from pipelines.audit.overlaps import Overlap, Overlaps, SplitFile, Splits, by_turns, grouped, most_telling_first
from pipelines.dataset.ledger import Copy
from pipelines.split.evidence import EVIDENCE, FINGERPRINT, HASH

MOST_LISTED = 200
"""How many pairs of each kind are listed; all are counted."""


def find_overlaps(files: Sequence[SplitFile], copies: Sequence[Copy], forbidden: Sequence[str]) -> Overlaps:
    """Finds the pairs of files in different splits that share evidence.

    Parameters
    ----------
    files : sequence of SplitFile
        Those without a split take no part.
    copies : sequence of Copy
        By content hash.
    forbidden : sequence of str
        The kinds of evidence that make an overlap a leak; the others are counted and listed all the same.

    Returns
    -------
    Overlaps
        Of each kind of evidence at most `MOST_LISTED` pairs are listed.

    Examples
    --------
    >>> files = [SplitFile(f"{split}.wav", "", song="One", split=split) for split in ("test", "train", "validation")]
    >>> find_overlaps(files, [], ["song"]).leaks
    {('test', 'train'): 1, ('test', 'validation'): 1, ('train', 'validation'): 1}
    """
    return _Search(files, copies).overlaps(forbidden)


class _Search:
    """Files by what they share. A file is its index; its key of a kind of evidence is empty where it has none."""

    def __init__(self, files: Sequence[SplitFile], copies: Sequence[Copy]):
        self.files = sorted((file for file in files if file.split), key=lambda file: (file.split, file.path, file.uri))
        self.keys = {kind.name: list(map(kind.key, self.files)) for kind in EVIDENCE if kind is not FINGERPRINT}
        sharing = {
            name: grouped((index for index, key in enumerate(keys) if key), keys.__getitem__)
            for name, keys in self.keys.items()
        }
        # What lies in one split is in no pair: of most corpora this leaves little to be gone through time and again.
        self.crossing = {
            name: [members for _, members in sorted(of_kind.items()) if self._pairs_within(members)]
            for name, of_kind in sharing.items()
        }
        self.in_crossing = {name: set(chain.from_iterable(groups)) for name, groups in self.crossing.items()}
        of_content = sharing[HASH.name]
        self.copies = [
            (copy, of_content[copy.first], of_content[copy.second])
            for copy in copies
            if copy.first in of_content and copy.second in of_content
        ]

    def overlaps(self, forbidden: Sequence[str]) -> Overlaps:
        counts = {kind.name: self._count([kind.name]) for kind in EVIDENCE}
        return Overlaps(
            {name: dict(sorted(of_kind.items())) for name, of_kind in counts.items() if of_kind},
            dict(sorted(self._count(forbidden).items())),
            dict(sorted(Counter(self._split(index) for index in self._leaking_files(forbidden)).items())),
            tuple(sorted((self._overlap(*pair) for pair in self._some_pairs()), key=most_telling_first)),
            {name: len(groups) for name, groups in self.crossing.items() if groups},
        )

    def _count(self, names: Sequence[str]) -> Counter[Splits]:
        """How many pairs share one of some kinds of evidence or more, by inclusion and exclusion.

        Let P(S) be the pairs that share all kinds of a set S, which are counted by their common keys; fingerprints have
        no key, so their pairs, F, are counted copy by copy. Of the kinds K that have keys,

            |union of P({k}), k in K| = sum over non-empty S of K of -(-1)^|S| |P(S)|
            |F without that union|    = sum over all S of K of (-1)^|S| |F and P(S)|
        """
        total: Counter[Splits] = Counter()
        keyed = [name for name in names if name in self.keys]
        for some in chain.from_iterable(combinations(keyed, size) for size in range(len(keyed) + 1)):
            sign = (-1) ** len(some)
            if some:
                for members in self._sharing(some):
                    _add(total, -sign, self._pairs_within(members))
            if FINGERPRINT.name in names:
                for _, first, second in self.copies:
                    _add(total, sign, self._pairs_across(first, second, some))
        return +total

    def _pairs_within(self, members: Sequence[int]) -> Mapping[Splits, int]:
        """How many pairs of these files are in different splits."""
        sizes = sorted(Counter(map(self._split, members)).items())
        return {(a, b): n * m for (a, n), (b, m) in combinations(sizes, 2)}

    def _pairs_across(self, first: Sequence[int], second: Sequence[int], names: Sequence[str]) -> Mapping[Splits, int]:
        """How many pairs of a file here and one there are in different splits and share all of some kinds."""
        sizes = [Counter((self._key(index, names), self._split(index)) for index in side) for side in (first, second)]
        found: Counter[Splits] = Counter()
        for ((here, a), n), ((there, b), m) in product(*(side.items() for side in sizes)):
            if here is not None and here == there and a != b:
                found[min(a, b), max(a, b)] += n * m
        return found

    def _leaking_files(self, forbidden: Sequence[str]) -> set[int]:
        leaking = set().union(*(self.in_crossing[name] for name in forbidden if name in self.keys))
        if FINGERPRINT.name in forbidden:
            for _, first, second in self.copies:
                for side, other in ((first, second), (second, first)):
                    others = set(map(self._split, other))
                    leaking |= {index for index in side if others - {self._split(index)}}
        return leaking

    def _some_pairs(self) -> set[tuple[int, int]]:
        """The pairs to list, of each kind some of everything that is shared."""
        best_first = sorted(self.copies, key=lambda copied: (copied[0].error_rate, copied[0].first, copied[0].second))
        copied = (self._pairs(first, second) for _, first, second in best_first)
        found = set(islice(chain.from_iterable(copied), MOST_LISTED))
        for groups in self.crossing.values():
            pairs = [self._pairs(members, members) for members in groups[:MOST_LISTED]]
            found |= set(islice(by_turns(pairs), MOST_LISTED))
        return found

    def _pairs(self, first: Sequence[int], second: Sequence[int]) -> Iterator[tuple[int, int]]:
        """The pairs of a file here and one there that are in different splits, the lesser first."""
        here, there = (grouped(side, self._split) for side in (first, second))
        for (a, ours), (b, theirs) in product(here.items(), there.items()):
            if a < b or (a > b and first is not second):
                yield from ((min(pair), max(pair)) for pair in product(ours, theirs))

    def _overlap(self, first: int, second: int) -> Overlap:
        hashes = self.keys[HASH.name]
        copy = self._copy_of.get((hashes[first], hashes[second])) or self._copy_of.get((hashes[second], hashes[first]))
        if copy and copy.first != hashes[first]:
            first, second = second, first
        shared = {name for name, keys in self.keys.items() if keys[first] and keys[first] == keys[second]}
        if copy:
            shared.add(FINGERPRINT.name)
        names = tuple(kind.name for kind in EVIDENCE if kind.name in shared)
        return Overlap(self.files[first], self.files[second], names, copy)

    @functools.cached_property
    def _copy_of(self) -> Mapping[tuple[str, str], Copy]:
        return {(copy.first, copy.second): copy for copy, _, _ in self.copies}

    def _split(self, index: int) -> str:
        return self.files[index].split

    def _key(self, index: int, names: Sequence[str]) -> tuple[str, ...] | None:
        """A file's keys of some kinds of evidence; None where it lacks one."""
        own = tuple(self.keys[name][index] for name in names)
        return own if all(own) else None

    def _sharing(self, names: Sequence[str]) -> Iterable[list[int]]:
        """The files that share all of some kinds of evidence, group by group; those in no pair may be left out."""
        candidates = set.intersection(*(self.in_crossing[name] for name in names))
        return grouped(sorted(candidates), lambda index: self._key(index, names)).values()


def _add(total: Counter[Splits], sign: int, counts: Mapping[Splits, int]) -> None:
    for splits, count in counts.items():
        total[splits] += sign * count
