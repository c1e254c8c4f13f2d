"""Folds: groups assigned to parts of about equal size, each group whole in one of them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pipelines.common.reasons import Reason
from pipelines.config import SPLITS, FoldsConfig
from pipelines.dataset.ledger import REJECTED, File, written
from pipelines.dataset.splits import fold_name, split_of

CROSSES_FOLDS = Reason(
    "crosses_folds", "the corpus puts the song's group on both sides of a split; the protected side keeps it"
)
LONE_GENRE = Reason("lone_genre", "the genre has a single group of songs, and a split needs two")
WITHDRAWN = Reason(
    "withdrawn", "an earlier build had it in one fold, and now it is tied to songs of another, which keeps them"
)


def judge(
    files: Sequence[File],
    config: FoldsConfig,
    earlier: Sequence[File] = (),
    earlier_folds: Mapping[str, Collection[str]] | None = None,
) -> tuple[list[File], dict[str, str]]:
    """Rejects the files that cannot be in the fold that their group already has.

    A group has a fold where the corpus or an earlier build gave it one. Where they gave it several, it stays in the one
    of the most protected split (test, then validation, then train), and its files elsewhere are rejected: as
    `withdrawn` where an earlier build had them there, as `crosses_folds` where the corpus says so.

    Parameters
    ----------
    files : sequence of File
        With groups, and with the folds that the corpus gives. Rejected ones pass unchanged.
    config : FoldsConfig
    earlier : sequence of File
        Of earlier builds, with their folds then and their groups now.
    earlier_folds : dict
        By path, the folds in which earlier builds had a file's content.

    Returns
    -------
    files : list of File
    fold_of : dict
        The folds of the groups that have one.

    Examples
    --------
    >>> files = [
    ...     File("a.wav", "", "blues", group="artist:ann", fold="train"),
    ...     File("b.wav", "", "blues", group="artist:ann", fold="test"),
    ... ]
    >>> judged, fold_of = judge(files, FoldsConfig())
    >>> [(file.path, file.status, file.reason) for file in judged]
    [('a.wav', 'rejected', 'crosses_folds'), ('b.wav', 'written', '')]
    >>> fold_of
    {'artist:ann': 'test'}
    """
    own = [file for file in written(files) if file.fold]
    fold_of = _given_folds([*earlier, *own], config)
    return [_judged(file, fold_of, (earlier_folds or {}).get(file.path, ())) for file in files], fold_of


def deal(files: Sequence[File], fold_of: Mapping[str, str], config: FoldsConfig) -> list[File]:
    """Files with their folds; those of a genre that only one group has are rejected.

    Groups without a fold are assigned, the largest first, each to the fold that has least of its genres; ties go to the
    fold with the fewest files, then by a hash of seed, group and fold. So each genre is balanced, and the order of the
    files does not matter. Where groups have one genre each, a fold that was given a group exceeds no other fold, in
    files of that genre, by more than the size of the largest group that was assigned.

    Parameters
    ----------
    files : sequence of File
        Judged. Only those to be written count for balance; duplicates go where their groups go.
    fold_of : dict
        The folds of the groups that have one.
    config : FoldsConfig

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", ("blues", "jazz")[n % 2], group=f"file:{n}.wav") for n in range(4)]
    >>> [(file.genre, file.fold) for file in deal(files, {}, FoldsConfig(count=2))]
    [('blues', 'fold-00'), ('jazz', 'fold-00'), ('blues', 'fold-01'), ('jazz', 'fold-01')]
    """
    lone = _lone_genres(written(files))
    judged = [_not_lone(file, lone) for file in files]
    groups: dict[str, list[File]] = defaultdict(list)
    for file in written(judged):
        groups[file.group].append(file)
    numbered = {fold_name(number) for number in range(config.count)}
    given = set(fold_of.values())
    has_own = any(file.fold for file in files)
    folds = {**fold_of}
    _deal(groups, folds, sorted(given if has_own or not given <= numbered else numbered), config.seed)
    return [replace(file, fold=folds.get(file.group, "")) if file.status != REJECTED else file for file in judged]


def _judged(file: File, fold_of: Mapping[str, str], earlier: Collection[str]) -> File:
    if file.status == REJECTED:
        return file
    fold = fold_of.get(file.group, file.fold)
    if earlier and fold not in earlier:
        error = f"an earlier build had it in {', '.join(sorted(earlier))}; its group {file.group!r} is in {fold} now"
        return file.rejected(WITHDRAWN, error)
    if file.fold and file.fold != fold:
        error = f"its group {file.group!r} is in {fold} too, which keeps it"
        return file.rejected(CROSSES_FOLDS, f"the corpus says {file.fold}; {error}")
    return file


def _not_lone(file: File, lone: set[str]) -> File:
    if file.status == REJECTED or file.genre not in lone:
        return file
    error = f"all songs of genre {file.genre!r} are of group {file.group!r}, a split needs at least 2 groups"
    return file.rejected(LONE_GENRE, error)


def _lone_genres(files: Sequence[File]) -> set[str]:
    groups: dict[str, set[str]] = defaultdict(set)
    for file in files:
        groups[file.genre].add(file.group)
    return {genre for genre, members in groups.items() if len(members) == 1}


def _given_folds(files: Sequence[File], config: FoldsConfig) -> dict[str, str]:
    """The fold of each group that has one already: of several that of the most protected split, then the first."""
    given: dict[str, set[str]] = defaultdict(set)
    for file in files:
        given[file.group].add(file.fold)
    return {
        group: min(folds, key=lambda fold: (-SPLITS.index(split_of(fold, config)), fold))
        for group, folds in given.items()
    }


def _deal(groups: Mapping[str, Sequence[File]], fold_of: dict[str, str], names: Sequence[str], seed: int) -> None:
    held: dict[str, Counter[str]] = {name: Counter() for name in names}
    total: Counter[str] = Counter()
    genres = {group: Counter(file.genre for file in files) for group, files in groups.items()}

    def put(group: str, fold: str) -> None:
        fold_of[group] = fold
        held[fold].update(genres[group])
        total[fold] += genres[group].total()

    for group in sorted(groups.keys() & fold_of.keys()):
        put(group, fold_of[group])
    undealt = sorted(groups.keys() - fold_of.keys())
    for group in sorted(undealt, key=lambda group: (-genres[group].total(), _hash(seed, group))):
        crowd = {name: sum(held[name][genre] * count for genre, count in genres[group].items()) for name in names}
        put(group, min(names, key=lambda name: (crowd[name], total[name], _hash(seed, group, name))))


def _hash(*parts: object) -> bytes:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
