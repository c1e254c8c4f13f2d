"""Folds: groups dealt into equal parts, each group whole in one of them."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipelines.config import FoldsConfig
from pipelines.errors import UsageError
from pipelines.ledger import REJECTED, Song, fold_name, written

OWN_SPLITS = ("train", "validation", "test")


def split_of_folds(config: FoldsConfig, folds: Sequence[str]) -> dict[str, str]:
    """Which split each fold is in: the corpus's own by their names, numbered ones by the configuration.

    Raises
    ------
    UsageError
        The configuration names a fold that is not there.
    """
    if set(folds) & set(OWN_SPLITS):
        return {fold: fold if fold in OWN_SPLITS else "train" for fold in folds}
    splits = dict.fromkeys(folds, "train")
    for split in ("validation", "test"):
        for number in getattr(config, split):
            if fold_name(number) not in splits:
                raise UsageError(f"folds.{split} names fold {number}; there are {', '.join(sorted(folds)) or 'none'}")
            splits[fold_name(number)] = split
    return splits


def with_folds(songs: Sequence[Song], config: FoldsConfig) -> list[Song]:
    """Songs with their folds; those that no fold can take are rejected.

    A fold that the corpus gives wins. Where it puts a group into several, the group stays in the most protected one
    (test, then validation, then train; of numbered ones, each of which is a test fold in its turn, the first), and
    its songs elsewhere are rejected as `crosses_folds`. The other groups
    are dealt, the largest first, each to the fold that has least of its genres; ties go to the fold with least in
    all, then by a hash of seed, group and fold. So each genre is balanced, and order plays no part.

    Parameters
    ----------
    songs : sequence of Song
        With groups. Rejected ones pass unchanged.
    config : FoldsConfig
    """
    usable = written(songs)
    lone = _lone_genres(usable)
    groups: dict[str, list[Song]] = defaultdict(list)
    for song in usable:
        if song.genre not in lone:
            groups[song.group].append(song)
    fold_of = _own_folds(groups)
    _deal(groups, fold_of, config)
    return [_placed(song, lone, fold_of) for song in songs]


def _placed(song: Song, lone: set[str], fold_of: Mapping[str, str]) -> Song:
    if song.status == REJECTED:
        return song
    if song.genre in lone:
        return song.rejected("lone_genre", f"genre {song.genre!r} has one group of songs, a split needs at least 2")
    fold = fold_of[song.group]
    if song.fold and song.fold != fold:
        error = f"its group {song.group!r} is in {fold} too, which keeps it"
        return song.rejected("crosses_folds", f"the corpus says {song.fold}; {error}")
    return replace(song, fold=fold)


def _lone_genres(songs: Sequence[Song]) -> set[str]:
    groups: dict[str, set[str]] = defaultdict(set)
    for song in songs:
        groups[song.genre].add(song.group)
    return {genre for genre, members in groups.items() if len(members) == 1}


def _own_folds(groups: Mapping[str, Sequence[Song]]) -> dict[str, str]:
    def protection(fold: str) -> tuple[int, str]:
        return (-OWN_SPLITS.index(fold) if fold in OWN_SPLITS else 0, fold)

    given = {group: {song.fold for song in songs if song.fold} for group, songs in groups.items()}
    return {group: min(folds, key=protection) for group, folds in given.items() if folds}


def _deal(groups: Mapping[str, Sequence[Song]], fold_of: dict[str, str], config: FoldsConfig) -> None:
    names = sorted(set(fold_of.values())) or [fold_name(number) for number in range(config.count)]
    load: dict[str, Counter[str]] = {name: Counter() for name in names}
    total: Counter[str] = Counter()
    genres = {group: Counter(song.genre for song in songs) for group, songs in groups.items()}

    def put(group: str, fold: str) -> None:
        fold_of[group] = fold
        load[fold].update(genres[group])
        total[fold] += genres[group].total()

    for group in sorted(fold_of):
        put(group, fold_of[group])
    undealt = sorted(groups.keys() - fold_of.keys())
    for group in sorted(undealt, key=lambda group: (-genres[group].total(), _hash(config.seed, group))):
        crowd = {name: sum(load[name][genre] * count for genre, count in genres[group].items()) for name in names}
        put(group, min(names, key=lambda name: (crowd[name], total[name], _hash(config.seed, group, name))))


def _hash(*parts: object) -> bytes:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).digest()
