"""Folds: groups assigned to parts of about equal size, each group whole in one of them."""

import functools
import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from pipelines.common.reasons import Reason
from pipelines.config import SPLITS, FoldsConfig
from pipelines.dataset.ledger import REJECTED, WRITTEN, File
from pipelines.dataset.splits import fold_name, split_of

CROSSES_FOLDS = Reason(
    "crosses_folds", "the corpus puts the song's group on both sides of a split; the protected side keeps it"
)
LONE_GENRE = Reason("lone_genre", "the genre has a single group of songs, and a split needs two")
WITHDRAWN = Reason(
    "withdrawn", "an earlier build had it in one fold, and now it is tied to songs of another, which keeps them"
)


Genres = tuple[tuple[str, int], ...]
"""Genres, and how many files of each."""


def judge(
    files: Sequence[File],
    groups: Sequence[str],
    config: FoldsConfig,
    earlier: Iterable[tuple[str, str]] = (),
    earlier_folds: Mapping[str, Collection[str]] | None = None,
) -> tuple[list[File], dict[str, str]]:
    """Rejects the files that cannot be in the fold that their group already has.

    A group has a fold where the corpus or an earlier build gave it one. Where they gave it several, it stays in the one
    of the most protected split (test, then validation, then train), and its files elsewhere are rejected: as
    `withdrawn` where an earlier build had them there, as `crosses_folds` where the corpus says so. What earlier builds
    say may be a split as a whole, see `pipelines.split.history`; any fold of it will do then.

    Parameters
    ----------
    files : sequence of File
        With the folds that the corpus gives. Rejected ones pass unchanged.
    groups : sequence of str
        Of each file.
    config : FoldsConfig
    earlier : iterable of (str, str)
        Groups, as they are now, and the folds in which earlier builds had some of their content.
    earlier_folds : dict
        By content hash, the folds in which earlier builds had it.

    Returns
    -------
    files : list of File
    fold_of : dict
        The folds of the groups that have one.

    Examples
    --------
    >>> files = [File("a.wav", "", "blues", fold="train"), File("b.wav", "", "blues", fold="test")]
    >>> judged, fold_of = judge(files, ["artist:ann", "artist:ann"], FoldsConfig())
    >>> [(file.path, file.status, file.reason) for file in judged]
    [('a.wav', 'rejected', 'crosses_folds'), ('b.wav', 'written', '')]
    >>> fold_of
    {'artist:ann': 'test'}
    """
    own = ((g, file.fold) for file, g in zip(files, groups, strict=True) if file.status == WRITTEN and file.fold)
    fold_of = _given_folds(itertools.chain(earlier, own), config)
    known = earlier_folds or {}
    judged = [
        _judged(file, group, fold_of.get(group, file.fold), known.get(file.content_hash, ()), config)
        for file, group in zip(files, groups, strict=True)
    ]
    return judged, fold_of


def without_lone_genres(files: Sequence[File], groups: Sequence[str]) -> list[File]:
    """Files, those rejected whose genre only one group has.

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", ("blues", "jazz")[n // 2]) for n in range(3)]
    >>> [file.status for file in without_lone_genres(files, ["artist:ann", "artist:bob", "artist:bob"])]
    ['written', 'written', 'rejected']
    """
    group_of: dict[str, str] = {}
    shared = set()
    for file, group in zip(files, groups, strict=True):
        if file.status == WRITTEN and group_of.setdefault(file.genre, group) != group:
            shared.add(file.genre)
    lone = group_of.keys() - shared
    error = "all songs of genre {!r} are of group {!r}, a split needs at least 2 groups"
    return [
        file.rejected(LONE_GENRE, error.format(file.genre, group))
        if file.genre in lone and file.status != REJECTED
        else file
        for file, group in zip(files, groups, strict=True)
    ]


def numbered_folds(config: FoldsConfig) -> list[str]:
    """The folds of a corpus that has none of its own.

    >>> numbered_folds(FoldsConfig(count=2))
    ['fold-00', 'fold-01']
    """
    return [fold_name(number) for number in range(config.count)]


def deal(
    files: Sequence[File], groups: Sequence[str], fold_of: Mapping[str, str], names: Sequence[str], config: FoldsConfig
) -> dict[str, str]:
    """The folds of groups: of those of which something will be written, and of those that have one already.

    Groups without a fold are assigned, the largest first, each to the fold that has least of its genres; ties go to the
    fold with the fewest files, then by a hash of seed, group and fold. So each genre is balanced, and the order of the
    files does not matter. Where groups have one genre each, a fold that was given a group exceeds no other fold, in
    files of that genre, by more than the size of the largest group that was assigned. Groups that have a split as a
    whole are assigned first, to its folds alone, by the same rule.

    Parameters
    ----------
    files : sequence of File
        Judged. Only those to be written count for balance.
    groups : sequence of str
        Of each file.
    fold_of : dict
        The folds of the groups that have one.
    names : sequence of str
        The folds that there are to be.
    config : FoldsConfig

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", ("blues", "jazz")[n % 2]) for n in range(4)]
    >>> deal(files, ["a", "b", "c", "d"], {"b": "fold-01"}, ["fold-00", "fold-01"], FoldsConfig())
    {'b': 'fold-01', 'd': 'fold-00', 'c': 'fold-01', 'a': 'fold-00'}
    """
    genres_of = _genres_of(files, groups)
    held = _Held()
    dealt = {**fold_of}
    undealt: dict[str, list[str]] = defaultdict(list)  # by the split that they have
    for group, genres in genres_of.items():
        if (fold := fold_of.get(group, "")) in names:
            held.put(genres, fold)
        else:
            undealt[fold].append(group)
    for split in sorted(undealt, reverse=True):
        allowed = [name for name in names if split in ("", split_of(name, config))] or [split]
        by_hash = sorted(undealt[split], key=lambda group: _hash(config.seed, group))
        for group in sorted(by_hash, key=lambda group: -_total(genres_of[group])):
            emptiest = held.emptiest(genres_of[group], allowed)
            tie_break = functools.partial(_hash, config.seed, group)
            dealt[group] = min(emptiest, key=tie_break) if len(emptiest) > 1 else emptiest[0]
            held.put(genres_of[group], dealt[group])
    return dealt


class _Held:
    """How many files of each genre folds hold."""

    def __init__(self) -> None:
        self.total: Counter[str] = Counter()
        self.of_genre: dict[str, Counter[str]] = defaultdict(Counter)

    def put(self, genres: Genres, fold: str) -> None:
        self.total[fold] += _total(genres)
        for genre, count in genres:
            self.of_genre[genre][fold] += count

    def emptiest(self, genres: Genres, names: Sequence[str]) -> list[str]:
        """The folds that have least of some genres, and of these the ones that have the fewest files."""
        crowds = [
            (sum(self.of_genre[genre][name] * count for genre, count in genres), self.total[name]) for name in names
        ]
        least = min(crowds)
        return [name for name, crowd in zip(names, crowds, strict=True) if crowd == least]


def _genres_of(files: Sequence[File], groups: Sequence[str]) -> dict[str, Genres]:
    """The genres of each group that will be written; equal ones are one object, as there are many groups."""

    @functools.cache
    def with_one_more(genres: Genres, genre: str) -> Genres:
        return tuple(sorted((Counter(dict(genres)) + Counter([genre])).items()))

    genres_of: dict[str, Genres] = {}
    for file, group in zip(files, groups, strict=True):
        if file.status == WRITTEN:
            genres_of[group] = with_one_more(genres_of.get(group, ()), file.genre)
    return genres_of


def _total(genres: Genres) -> int:
    return sum(count for _, count in genres)


def _judged(file: File, group: str, fold: str, earlier: Collection[str], config: FoldsConfig) -> File:
    if file.status == REJECTED:
        return file
    if earlier and fold not in earlier and split_of(fold, config) not in earlier:
        error = f"an earlier build had it in {', '.join(sorted(earlier))}; its group {group!r} is in {fold} now"
        return file.rejected(WITHDRAWN, error)
    if file.fold and file.fold != fold:
        error = f"its group {group!r} is in {fold} too, which keeps it"
        return file.rejected(CROSSES_FOLDS, f"the corpus says {file.fold}; {error}")
    return file


def _given_folds(folds: Iterable[tuple[str, str]], config: FoldsConfig) -> dict[str, str]:
    """The fold of each group that has one already: of several that of the most protected split, then the first."""

    @functools.cache
    def rank(fold: str) -> tuple[int, str]:
        # A numbered fold comes before its split as a whole.
        return -SPLITS.index(split_of(fold, config)), fold

    given: dict[str, str] = {}
    for group, fold in folds:
        given[group] = min(given.get(group, fold), fold, key=rank)
    return given


def _hash(*parts: object) -> bytes:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
