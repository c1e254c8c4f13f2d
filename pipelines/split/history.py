"""What earlier builds decided: content that was in a fold once stays in it in every later build."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.section import digest
from pipelines.config import SPLITS, BuildConfig
from pipelines.dataset import ledger
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import METADATA, Copy, File
from pipelines.dataset.splits import split_of

HISTORY_NAME = "history.parquet"
"""In a dataset's folder, the rows of earlier ledgers whose content this build was not shown, or could not use."""


def earlier_files(url: str, config: BuildConfig) -> list[File]:
    """All files that earlier builds had in a fold: the rows of a dataset's ledger, and of its own history.

    Parameters
    ----------
    url : str
        The earlier dataset's folder. Empty: there was none.
    config : BuildConfig
        Of the build that is to go on from it.

    Raises
    ------
    UsageError
        There is no dataset, or with this configuration something would move to a split that protects it less.
    SpectroshardError
        Its history is missing, or another dataset's.
    """
    if not url:
        return []
    dataset = Dataset.load(url)
    older = ledger.read(storage.join(url, HISTORY_NAME)) if HISTORY_NAME in storage.names(url) else []
    if digest_of(older) != dataset.history:
        raise SpectroshardError(
            f"build.previous {url}: its {HISTORY_NAME} is missing or of another build; copy the dataset again, whole"
        )
    earlier = [file for file in [*dataset.ledger(), *older] if file.fold]
    _refuse_less_protection(url, dataset.config, config, sorted({file.fold for file in earlier}))
    return earlier


def _refuse_less_protection(url: str, before: BuildConfig, now: BuildConfig, folds: Sequence[str]) -> None:
    kept = {"audio.max_duration_s": (before.audio.max_duration_s, now.audio.max_duration_s)}  # it changes the hashes
    if not set(folds) <= set(SPLITS):
        kept["folds.count"] = (before.folds.count, now.folds.count)
    for key, (was_set, is_set) in kept.items():
        if was_set != is_set:
            raise UsageError(f"build.previous {url}: its {key} is {was_set:g}, now it is {is_set:g}; keep it")
    for fold in folds:
        was, would_be = split_of(fold, before.folds), split_of(fold, now.folds)
        if SPLITS.index(would_be) < SPLITS.index(was):
            raise UsageError(
                f"build.previous {url}: {fold} was in {was} and would be in {would_be}, which protects less;"
                " set folds.test and folds.validation as they were"
            )


def digest_of(rows: Iterable[File]) -> str:
    """A digest of which content is remembered to be in which fold; empty where there is none."""
    remembered = sorted((row.content_hash, row.fold) for row in rows)
    return digest(remembered) if remembered else ""


def forgotten(earlier: Iterable[File], files: Iterable[File]) -> list[File]:
    """The earlier rows whose content a ledger has in no fold, as it is gone or was not used.

    >>> earlier = [File("a.wav", "", fold="test", content_hash=content) for content in ("here", "gone")]
    >>> [row.content_hash for row in forgotten(earlier, [File("b.wav", "", fold="test", content_hash="here")])]
    ['gone']
    """
    remembered = {file.content_hash for file in files if file.fold}
    return [row for row in earlier if row.content_hash not in remembered]


def save(url: str, rows: Sequence[File]) -> None:
    """Writes the rows that a dataset's own ledger has in no fold into its folder."""
    target = storage.join(url, HISTORY_NAME)
    if rows:
        ledger.write(target, rows)
    else:
        storage.remove(target)


def without_outdated_fields(earlier: Iterable[File], files: Iterable[File]) -> list[File]:
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
    return [replace(row, path="", **(no_metadata if row.content_hash in present else {})) for row in earlier]


def earlier_folds(files: Sequence[File], earlier: Sequence[File], copies: Sequence[Copy]) -> dict[str, set[str]]:
    """The folds in which earlier builds had a file's content or, where that is new, the content that it is a copy of.

    Parameters
    ----------
    files : sequence of File
        Of this build.
    earlier : sequence of File
    copies : sequence of Copy
        By content hash, of both.

    Returns
    -------
    dict
        By path; files that have none are left out.

    Examples
    --------
    >>> earlier = [File("a.wav", "", fold="test", content_hash="old")]
    >>> files = [File("a.mp3", "", content_hash="new"), File("b.wav", "", content_hash="other")]
    >>> earlier_folds(files, earlier, [Copy("new", "old", 0.0, 0.0, 30.0, 1.0, 0.02)])
    {'a.mp3': {'test'}}
    """
    folds_of: dict[str, set[str]] = defaultdict(set)
    for row in earlier:
        folds_of[row.content_hash].add(row.fold)
    folds_of_copies: dict[str, set[str]] = defaultdict(set)
    for copy in copies:
        for own, other in ((copy.first, copy.second), (copy.second, copy.first)):
            folds_of_copies[own] |= folds_of.get(other, set())
    found = {file.path: _first_known(file.content_hash, folds_of, folds_of_copies) for file in files}
    return {path: folds for path, folds in found.items() if folds}


def _first_known(content_hash: str, *folds_of: Mapping[str, set[str]]) -> set[str]:
    """The folds of a content by the first of some mappings that has any."""
    return next((folds[content_hash] for folds in folds_of if folds.get(content_hash)), set())
