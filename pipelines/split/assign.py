"""The plan's first half, without any file or Beam: who is whose copy, who stays together, and in which fold."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from pipelines.config import BuildConfig, FoldsConfig
from pipelines.copies.best_copy import mark_duplicates
from pipelines.corpus.names.song_names import with_songs_of_segments
from pipelines.dataset.ledger import REJECTED, Copy, File, record_id
from pipelines.dataset.splits import split_of
from pipelines.split import history
from pipelines.split.folds import deal, judge, numbered_folds, without_lone_genres
from pipelines.split.groups import groups_of
from pipelines.split.idents import judge_copies


def assign(
    files: Sequence[File],
    earlier: Iterable[File],
    copies: Sequence[Copy],
    config: BuildConfig,
    before: FoldsConfig | None = None,
) -> list[File]:
    """Files with their groups, folds and records, and of what they are copies.

    Parameters
    ----------
    files : sequence of File
        What the listing and the readings say, rejected files included.
    earlier : iterable of File
        The rows of the version before that have a fold, and of its history. It is gone through more than once.
    copies : sequence of Copy
        By content hash, of all of these.
    config : BuildConfig
    before : FoldsConfig, optional
        Of the version before; needed where there is one.

    Returns
    -------
    list of File
        In the same order. Files with the same samples and genre share a record: the best is written, the others are
        duplicates.

    Raises
    ------
    UsageError
        The configuration would move something to a split that protects it less.

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", "blues", content_hash="xxyz"[n]) for n in range(4)]
    >>> rows = assign(files, [], [], BuildConfig(folds=FoldsConfig(count=3)))
    >>> [(row.group, row.fold, row.status, row.copy_of) for row in rows][:2]
    [('file:0.wav', 'fold-00', 'written', ''), ('file:0.wav', 'fold-00', 'duplicate', '0.wav')]
    """
    now, before = config.folds, before or config.folds
    folds_then = {row.fold for row in earlier}
    history.refuse_less_protection(before, now, folds_then)
    named = with_songs_of_segments(files)

    def shown() -> Iterator[File]:
        return chain(named, history.without_outdated_fields(earlier, named))

    tying = judge_copies(shown(), copies, now).tying
    groups = groups_of(shown(), now.group_by, tying)
    place = {fold: history.place_of(fold, before, now) for fold in folds_then}
    stays = {fold: split_of(place[fold], now) for fold in folds_then} if history.may_move(before, now) else place
    judged, fold_of = judge(
        named,
        groups[: len(named)],
        now,
        ((group, place[row.fold]) for group, row in zip(groups[len(named) :], earlier, strict=True)),
        history.earlier_folds(((row.content_hash, stays[row.fold]) for row in earlier), tying),
    )
    del groups[len(named) :]
    kept = _without_duplicates_and_lone_genres(judged, groups, tying, now.copies == "drop")
    is_numbered = history.are_numbered(folds_then, before) and not any(file.fold for file in kept)
    names = numbered_folds(now) if is_numbered else sorted(set(fold_of.values()))
    folds = deal(kept, groups, fold_of, names, now)
    return [_planned(file, group, folds) for file, group in zip(kept, groups, strict=True)]


def _without_duplicates_and_lone_genres(
    files: Sequence[File], groups: Sequence[str], copies: Sequence[Copy], drop: bool
) -> list[File]:
    """Files, the duplicates marked: before folds are assigned, where only what will be written weighs."""
    marked = mark_duplicates(files, copies, drop)
    kept = without_lone_genres(marked, groups)
    if all(file is other for file, other in zip(kept, marked, strict=True)):
        return kept
    # What was the copy of a rejected file may now be the best.
    others = [one if one.status == REJECTED else file for one, file in zip(kept, files, strict=True)]
    return _without_duplicates_and_lone_genres(others, groups, copies, drop)


def _planned(file: File, group: str, folds: dict[str, str]) -> File:
    if file.status == REJECTED:
        return replace(file, group=group)
    return replace(file, group=group, fold=folds.get(group, ""), record=record_id(file.content_hash, file.genre))
