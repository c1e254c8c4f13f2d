"""Folds: groups dealt into equal parts, each group whole in one of them."""

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
LONE_GENRE = Reason("lone_genre", "the genre has one group of songs, and a split needs two")
WITHDRAWN = Reason(
    "withdrawn", "an earlier build had it in one fold, and now it is tied to songs of another, which keeps them"
)


def with_folds(
    songs: Sequence[File],
    config: FoldsConfig,
    earlier: Sequence[File] = (),
    earlier_folds: Mapping[str, Collection[str]] | None = None,
) -> list[File]:
    """Songs with their folds, judged and dealt; those that no fold can take are rejected."""
    judged, fold_of = judge(songs, config, earlier, earlier_folds)
    return deal(judged, fold_of, config)


def judge(
    songs: Sequence[File],
    config: FoldsConfig,
    earlier: Sequence[File] = (),
    earlier_folds: Mapping[str, Collection[str]] | None = None,
) -> tuple[list[File], dict[str, str]]:
    """Rejects the songs that cannot be in the fold that their group has already.

    A fold that the corpus gives wins, and so does one that an earlier build gave. Where these put a group into several,
    it stays in the most protected one, and its songs elsewhere are rejected: as `withdrawn` where an earlier build had
    them there, as `crosses_folds` where the corpus says so.

    Parameters
    ----------
    songs : sequence of File
        With groups. Rejected ones pass unchanged.
    config : FoldsConfig
    earlier : sequence of File
        Of earlier builds, with their folds then and their groups now.
    earlier_folds : dict
        By song_id, the folds in which earlier builds had a song's content.

    Returns
    -------
    songs : list of File
    fold_of : dict
        The folds of the groups that have one.
    """
    own = [song for song in written(songs) if song.fold]
    fold_of = _given_folds([*earlier, *own], config)
    return [_judged(song, fold_of, (earlier_folds or {}).get(song.path, ())) for song in songs], fold_of


def deal(songs: Sequence[File], fold_of: Mapping[str, str], config: FoldsConfig) -> list[File]:
    """Songs with their folds; those of a genre that only one group has are rejected.

    Groups without a fold are dealt, the largest first, each to the fold that has least of its genres; ties go to the
    fold with least in all, then by a hash of seed, group and fold. So each genre is balanced, and order plays no part:
    where groups have one genre each, a fold that was dealt a group has, of that genre, at most as many songs more than
    any other fold as the largest group has that was dealt.

    Parameters
    ----------
    songs : sequence of File
        Judged. Only those to be written weigh; duplicates go where their groups go.
    fold_of : dict
        The folds of the groups that have one.
    config : FoldsConfig
    """
    lone = _lone_genres(written(songs))
    judged = [_not_lone(song, lone) for song in songs]
    groups: dict[str, list[File]] = defaultdict(list)
    for song in written(judged):
        groups[song.group].append(song)
    dealt = {fold_name(number) for number in range(config.count)}
    given = set(fold_of.values())
    has_own = any(song.fold for song in songs)
    folds = {**fold_of}
    _deal(groups, folds, sorted(given if has_own or not given <= dealt else dealt), config.seed)
    return [replace(song, fold=folds.get(song.group, "")) if song.status != REJECTED else song for song in judged]


def _judged(song: File, fold_of: Mapping[str, str], earlier: Collection[str]) -> File:
    if song.status == REJECTED:
        return song
    fold = fold_of.get(song.group, song.fold)
    if earlier and fold not in earlier:
        error = f"an earlier build had it in {', '.join(sorted(earlier))}; its group {song.group!r} is in {fold} now"
        return song.rejected(WITHDRAWN, error)
    if song.fold and song.fold != fold:
        error = f"its group {song.group!r} is in {fold} too, which keeps it"
        return song.rejected(CROSSES_FOLDS, f"the corpus says {song.fold}; {error}")
    return song


def _not_lone(song: File, lone: set[str]) -> File:
    if song.status == REJECTED or song.genre not in lone:
        return song
    error = f"all songs of genre {song.genre!r} are of group {song.group!r}, a split needs at least 2 groups"
    return song.rejected(LONE_GENRE, error)


def _lone_genres(songs: Sequence[File]) -> set[str]:
    groups: dict[str, set[str]] = defaultdict(set)
    for song in songs:
        groups[song.genre].add(song.group)
    return {genre for genre, members in groups.items() if len(members) == 1}


def _given_folds(songs: Sequence[File], config: FoldsConfig) -> dict[str, str]:
    """The fold of each group that has one already: of several the most protected, then the first."""
    given: dict[str, set[str]] = defaultdict(set)
    for song in songs:
        given[song.group].add(song.fold)
    return {
        group: min(folds, key=lambda fold: (-SPLITS.index(split_of(fold, config)), fold))
        for group, folds in given.items()
    }


def _deal(groups: Mapping[str, Sequence[File]], fold_of: dict[str, str], names: Sequence[str], seed: int) -> None:
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
