"""Folds: groups dealt into equal parts, each group whole in one of them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pipelines.config import FoldsConfig
from pipelines.errors import UsageError
from pipelines.ledger import REJECTED, WRITTEN, Song, SplitName, fold_name, written

OWN_SPLITS = ("train", "validation", "test")
"""The splits, the least protected first; they are also the folds of a corpus that has splits of its own."""


def split_of(fold: str, config: FoldsConfig) -> SplitName:
    """Which split a fold is in: the corpus's own by its name, a numbered one by the configuration."""
    if fold == "test" or fold in map(fold_name, config.test):
        return "test"
    if fold == "validation" or fold in map(fold_name, config.validation):
        return "validation"
    return "train"


def split_of_folds(config: FoldsConfig, folds: Sequence[str]) -> dict[str, SplitName]:
    """Which split each fold is in.

    Raises
    ------
    UsageError
        The configuration names a fold that is not there.
    """
    for split in ("validation", "test"):
        for number in getattr(config, split):
            if not set(folds) & {fold_name(number), *OWN_SPLITS}:
                raise UsageError(f"folds.{split} names fold {number}; there are {', '.join(sorted(folds)) or 'none'}")
    return {fold: split_of(fold, config) for fold in folds}


def with_folds(
    songs: Sequence[Song],
    config: FoldsConfig,
    earlier: Sequence[Song] = (),
    earlier_folds: Mapping[str, Collection[str]] | None = None,
) -> list[Song]:
    """Songs with their folds; those that no fold can take are rejected.

    A fold that the corpus gives wins, and so does one that an earlier build gave. Where these put a group into several,
    it stays in the most protected one, and its songs elsewhere are rejected: as `withdrawn` where an earlier build had
    them there, as `crosses_folds` where the corpus says so. The other groups are dealt, the largest first, each to the
    fold that has least of its genres; ties go to the fold with least in all, then by a hash of seed, group and fold. So
    each genre is balanced, and order plays no part: a fold that was dealt a group has, of that group's genres, no more
    than any other fold and that group.

    Parameters
    ----------
    songs : sequence of Song
        With groups. Rejected ones pass unchanged.
    config : FoldsConfig
    earlier : sequence of Song
        Of earlier builds, with their folds then and their groups now.
    earlier_folds : dict
        By song_id, the folds in which earlier builds had a song's content.
    """
    lone = _lone_genres(written(songs))
    own = [song for song in written(songs) if song.fold and song.genre not in lone]
    fold_of = _given_folds([*earlier, *own], config)
    judged = [_judged(song, lone, fold_of, (earlier_folds or {}).get(song.song_id, ())) for song in songs]
    groups: dict[str, list[Song]] = defaultdict(list)
    for song in written(judged):
        groups[song.group].append(song)
    dealt = {fold_name(number) for number in range(config.count)}
    given = set(fold_of.values())
    _deal(groups, fold_of, sorted(given if own or not given <= dealt else dealt), config.seed)
    return [replace(song, fold=fold_of[song.group]) if song.status == WRITTEN else song for song in judged]


def _judged(song: Song, lone: set[str], fold_of: Mapping[str, str], earlier: Collection[str]) -> Song:
    """The song, rejected where it cannot be in the fold that its group has."""
    if song.status == REJECTED:
        return song
    if song.genre in lone:
        error = f"all songs of genre {song.genre!r} are of group {song.group!r}, a split needs at least 2 groups"
        return song.rejected("lone_genre", error)
    fold = fold_of.get(song.group, song.fold)
    if earlier and fold not in earlier:
        error = f"an earlier build had it in {', '.join(sorted(earlier))}; its group {song.group!r} is in {fold} now"
        return song.rejected("withdrawn", error)
    if song.fold and song.fold != fold:
        error = f"its group {song.group!r} is in {fold} too, which keeps it"
        return song.rejected("crosses_folds", f"the corpus says {song.fold}; {error}")
    return song


def _lone_genres(songs: Sequence[Song]) -> set[str]:
    groups: dict[str, set[str]] = defaultdict(set)
    for song in songs:
        groups[song.genre].add(song.group)
    return {genre for genre, members in groups.items() if len(members) == 1}


def _given_folds(songs: Sequence[Song], config: FoldsConfig) -> dict[str, str]:
    """The fold of each group that has one already: of several the most protected, then the first."""
    given: dict[str, set[str]] = defaultdict(set)
    for song in songs:
        given[song.group].add(song.fold)
    return {
        group: min(folds, key=lambda fold: (-OWN_SPLITS.index(split_of(fold, config)), fold))
        for group, folds in given.items()
    }


def _deal(groups: Mapping[str, Sequence[Song]], fold_of: dict[str, str], names: Sequence[str], seed: int) -> None:
    load: dict[str, Counter[str]] = {name: Counter() for name in names}
    total: Counter[str] = Counter()
    genres = {group: Counter(song.genre for song in songs) for group, songs in groups.items()}

    def put(group: str, fold: str) -> None:
        fold_of[group] = fold
        load[fold].update(genres[group])
        total[fold] += genres[group].total()

    for group in sorted(groups.keys() & fold_of.keys()):
        put(group, fold_of[group])
    undealt = sorted(groups.keys() - fold_of.keys())
    for group in sorted(undealt, key=lambda group: (-genres[group].total(), _hash(seed, group))):
        crowd = {name: sum(load[name][genre] * count for genre, count in genres[group].items()) for name in names}
        put(group, min(names, key=lambda name: (crowd[name], total[name], _hash(seed, group, name))))


def _hash(*parts: object) -> bytes:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
