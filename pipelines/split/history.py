"""What earlier builds decided: content that was in a split once stays out of every split that protects it less.

A row of an earlier version has a fold of that version's numbering, and so has a row of its history. While
`folds.count` stays, content stays in its fold. With fewer folds, so does the content of those that remain in their
split, and the rest is dealt anew, inside its split; with more folds, all content is. What is not there to be dealt then
has its split for a fold from then on: `test` stands for any of the folds that are test. So a row's fold always tells
its split, by the configuration of the version that holds the row, and content that comes back goes to a fold of that
split. (Where a corpus has splits of its own, `test` is a fold, as ever.)
"""

import functools
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipelines.common.errors import UsageError
from pipelines.common.section import digest
from pipelines.config import SPLITS, FoldsConfig
from pipelines.dataset.ledger import METADATA, Copy, File
from pipelines.dataset.splits import split_of
from pipelines.split.evidence import forbidden
from pipelines.split.folds import numbered_folds


def refuse_less_protection(before: FoldsConfig, now: FoldsConfig, folds: Collection[str]) -> None:
    """Refuses a configuration by which something would move to a split that protects it less.

    Parameters
    ----------
    before : FoldsConfig
        Of the version that is to be continued.
    now : FoldsConfig
    folds : collection of str
        Those of its files, and of its history.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> refuse_less_protection(FoldsConfig(), FoldsConfig(count=5, test=(4,)), ["fold-00", "fold-01", "fold-07"])
    >>> refuse_less_protection(FoldsConfig(), FoldsConfig(test=(4,)), ["fold-00", "fold-01", "fold-07"])
    Traceback (most recent call last):
    pipelines.common.errors.UsageError: fold-00 was in test and would be in train, which protects less; ...
    """
    if not set(forbidden(before.group_by)) <= set(forbidden(now.group_by)):
        raise UsageError(
            f"folds.group_by was {before.group_by}, now it is {now.group_by}, which could part what was kept together;"
            f" keep {before.group_by}"
        )
    if now.shared_stretch_s > before.shared_stretch_s:
        raise UsageError(
            f"folds.shared_stretch_s was {before.shared_stretch_s:g}, now it is {now.shared_stretch_s:g}, which could"
            f" part what was kept together; keep {before.shared_stretch_s:g}"
        )
    there = {split_of(fold, now) for fold in numbered_folds(now)} if are_numbered(folds, before) else set(SPLITS)
    for fold in sorted(folds):
        was, place = split_of(fold, before), place_of(fold, before, now)
        would_be = split_of(place, now)
        if SPLITS.index(would_be) < SPLITS.index(was):
            raise UsageError(
                f"{fold} was in {was} and would be in {would_be}, which protects less;"
                " set folds.test and folds.validation as they were"
            )
        if place in SPLITS and place not in there:
            raise UsageError(f"{fold} was in {was}, which none of {now.count} folds would be; let one be {was}")


def may_move(before: FoldsConfig, now: FoldsConfig) -> bool:
    """Whether a configuration that is not refused may take content to another fold of its split.

    It does where it joins groups that were apart, or deals folds anew.

    >>> may_move(FoldsConfig(group_by="song"), FoldsConfig()), may_move(FoldsConfig(), FoldsConfig(count=5))
    (True, True)
    >>> may_move(FoldsConfig(), FoldsConfig(copies="drop"))
    False
    """
    joins = before.group_by != now.group_by or now.shared_stretch_s < before.shared_stretch_s
    return joins or before.count != now.count


def are_numbered(folds: Collection[str], config: FoldsConfig) -> bool:
    """Whether folds are those that a build numbers, not a corpus's own; a history may have splits among them.

    >>> are_numbered({"fold-00", "fold-03", "test"}, FoldsConfig()), are_numbered({"train", "test"}, FoldsConfig())
    (True, False)
    """
    own = set(folds) - set(SPLITS)
    return own <= set(numbered_folds(config)) and (bool(own) or not folds)


def place_of(fold: str, before: FoldsConfig, now: FoldsConfig) -> str:
    """Where content of an earlier version's fold stays: in the fold, or anywhere in its split.

    >>> [place_of("fold-03", FoldsConfig(count=5), FoldsConfig(count=count)) for count in (3, 4, 5, 6)]
    ['train', 'fold-03', 'fold-03', 'train']
    """
    split = split_of(fold, before)
    remains = fold in numbered_folds(now) and split_of(fold, now) == split
    return fold if now.count == before.count or (now.count < before.count and remains) else split


def digest_of(rows: Iterable[File]) -> str:
    """A digest of which content is remembered to be in which fold; empty where there is none."""
    remembered = sorted((row.content_hash, row.fold) for row in rows)
    return digest(remembered) if remembered else ""


def forgotten(earlier: Iterable[File], files: Iterable[File], before: FoldsConfig, now: FoldsConfig) -> list[File]:
    """A version's history: the earlier rows whose content it has in no fold, as it is gone or was not used.

    Parameters
    ----------
    earlier : iterable of File
        The rows of the version before, and of its history, that have a fold.
    files : iterable of File
        The version's own, with their folds.
    before, now : FoldsConfig
        Of the version before, and of this one.

    Returns
    -------
    list of File
        With the folds that this version's configuration explains.

    Examples
    --------
    >>> earlier = [File("a.wav", "", fold="fold-00", content_hash=content) for content in ("here", "gone")]
    >>> files = [File("b.wav", "", fold="fold-03", content_hash="here")]
    >>> rows = forgotten(earlier, files, FoldsConfig(), FoldsConfig(count=5, test=(3,)))
    >>> [(row.content_hash, row.fold) for row in rows]
    [('gone', 'test')]
    """
    remembered = {file.content_hash for file in files if file.fold}
    return [
        replace(row, fold=place_of(row.fold, before, now), shard="", offset=0, length=0)
        for row in earlier
        if row.content_hash not in remembered
    ]


def without_outdated_fields(earlier: Iterable[File], files: Iterable[File]) -> Iterator[File]:
    """Earlier rows as they may join the groups of today's files: without what is no longer true of them.

    Content that is still there goes by today's metadata alone; content that is gone keeps its own. A path joins
    nothing: files are renumbered.

    Examples
    --------
    >>> earlier = [File("1.wav", "", artist="Ann", content_hash=content) for content in ("here", "gone")]
    >>> rows = without_outdated_fields(earlier, [File("3.wav", "", artist="Bob", content_hash="here")])
    >>> [(row.path, row.artist) for row in rows]
    [('', ''), ('', 'Ann')]
    """
    present = {file.content_hash for file in files}
    no_metadata: dict[str, Any] = dict.fromkeys(METADATA, "")
    for row in earlier:
        yield replace(row, path="", **(no_metadata if row.content_hash in present else {}))


def earlier_folds(rows: Iterable[tuple[str, str]], copies: Sequence[Copy]) -> dict[str, frozenset[str]]:
    """The folds in which earlier builds had a content or, where that is new, the content that it is a copy of.

    Parameters
    ----------
    rows : iterable of (str, str)
        Content hashes, and their folds.
    copies : sequence of Copy
        By content hash, of what is new and of what is not.

    Returns
    -------
    dict
        By content hash.

    Examples
    --------
    >>> earlier_folds([("old", "test")], [Copy("new", "old", 0.0, 0.0, 30.0, 1.0, 0.02)])
    {'old': frozenset({'test'}), 'new': frozenset({'test'})}
    """
    alone = functools.cache(lambda fold: frozenset((fold,)))  # there are many contents, and few folds
    folds_of: dict[str, frozenset[str]] = {}
    for content, fold in rows:
        folds_of[content] = folds_of[content] | {fold} if content in folds_of else alone(fold)
    of_copies: dict[str, set[str]] = defaultdict(set)
    for copy in copies:
        for own, other in ((copy.first, copy.second), (copy.second, copy.first)):
            if own not in folds_of and other in folds_of:
                of_copies[own] |= folds_of[other]
    return folds_of | {content: frozenset(folds) for content, folds in of_copies.items()}
