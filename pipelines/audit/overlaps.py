"""Overlaps: pairs of files in different splits that share evidence. One that is forbidden is a leak."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice, zip_longest
from operator import attrgetter
from typing import TypeVar

from pipelines.dataset.ledger import Copy, File
from pipelines.split.evidence import BY_NAME, EVIDENCE, FINGERPRINT

Member = TypeVar("Member")
Key = TypeVar("Key", bound=Hashable)
Splits = tuple[str, str]
"""Two splits, in alphabetical order."""


@dataclass(frozen=True, slots=True)
class SplitFile(File):
    """A file, and the split that it is in; a file that is in two splits is audited as two of these.

    Attributes
    ----------
    split : str
        Its name. Where the folds of a dataset are compared, the fold's; empty where it is in none.
    """

    split: str = ""


_NAMES = tuple(field.name for field in fields(File) if field.name != "fingerprint")
_values = attrgetter(*_NAMES)


def in_split(file: File, split: str, fingerprint: bytes | None = None) -> SplitFile:
    """A file with its split, and with its own fingerprint or another."""
    fingerprint = file.fingerprint if fingerprint is None else fingerprint
    return SplitFile(**dict(zip(_NAMES, _values(file), strict=True)), fingerprint=fingerprint, split=split)


@dataclass(frozen=True)
class Overlap:
    """Two files in different splits that share evidence.

    Attributes
    ----------
    first, second : SplitFile
    evidence : tuple of str
        The names of all kinds that they share, the most telling first.
    copy : Copy or None
        Where their fingerprints agree.
    """

    first: SplitFile
    second: SplitFile
    evidence: tuple[str, ...]
    copy: Copy | None = None


@dataclass(frozen=True)
class Overlaps:
    """All pairs of files that share evidence across splits: counted, and some of them listed.

    Attributes
    ----------
    counts : dict
        How many pairs share each kind of evidence: by its name, then by splits.
    leaks : dict
        How many pairs share forbidden evidence, by splits.
    files : dict
        How many files of each split are in such a pair.
    listed : tuple of Overlap
        Some of each kind of evidence, sorted by their most telling kind, the copy's error rate and their paths.
    crossing : dict
        How many of what files share are in several splits, as artists: by the kind of evidence, but for fingerprints.
    """

    counts: Mapping[str, Mapping[Splits, int]]
    leaks: Mapping[Splits, int]
    files: Mapping[str, int]
    listed: tuple[Overlap, ...]
    crossing: Mapping[str, int]


def describe_pair(overlap: Overlap) -> str:
    """What two files share, in a line.

    Examples
    --------
    >>> first = SplitFile("a.wav", "", song="One", artist="Ann", split="train")
    >>> second = SplitFile("b.wav", "", song="One", artist="ANN", split="test")
    >>> describe_pair(Overlap(first, second, ("song", "artist")))
    "both of song 'One'; by 'Ann' and 'ANN'"
    """
    sentences = {name: BY_NAME[name].sentence(overlap.first, overlap.second) for name in overlap.evidence}
    if overlap.copy:
        sentences[FINGERPRINT.name] += _where(overlap.copy)
    return "; ".join(sentences.values())


def _where(copy: Copy) -> str:
    tempo = "" if copy.tempo == 1 else f", at {copy.tempo:.0%} of its tempo"
    return (
        f" for {copy.duration_s:.1f} s{tempo}, from {copy.first_s:.1f} s of the first and {copy.second_s:.1f} s of the"
        f" second ({copy.error_rate:.1%} of bits differ)"
    )


def most_telling(overlaps: Sequence[Overlap], count: int) -> list[Overlap]:
    """So many overlaps, in their order: the first of each kind of evidence, then the second of each, and so on."""
    of_kind = grouped(range(len(overlaps)), lambda index: overlaps[index].evidence[0])
    chosen = islice(by_turns([iter(indices) for indices in of_kind.values()]), count)
    return [overlaps[index] for index in sorted(chosen)]


def most_telling_first(overlap: Overlap) -> tuple[object, ...]:
    """The sort key of overlaps."""
    first, second, copy = overlap.first, overlap.second, overlap.copy
    rank = EVIDENCE.index(BY_NAME[overlap.evidence[0]]), copy.error_rate if copy else 0
    return *rank, first.path, second.path, first.split, second.split


def grouped(members: Iterable[int], key: Callable[[int], Key | None]) -> dict[Key, list[int]]:
    """Numbers by their key; those without one are left out.

    >>> grouped(range(6), lambda number: number % 3 or None)
    {1: [1, 4], 2: [2, 5]}
    """
    found: dict[Key, list[int]] = {}
    for member in members:
        if (own := key(member)) is not None:
            found.setdefault(own, []).append(member)
    return found


def by_turns(sources: Sequence[Iterator[Member]]) -> Iterator[Member]:
    """One of each source, then the next of each, until all are at their end.

    >>> list(by_turns([iter("abc"), iter("x")]))
    ['a', 'x', 'b', 'c']
    """
    for turn in zip_longest(*sources):
        yield from (item for item in turn if item is not None)
