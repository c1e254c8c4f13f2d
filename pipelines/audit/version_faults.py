"""What is wrong with one version of a dataset, given all that was read of its files."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipelines.common import parquet, storage
from pipelines.copies.fingerprint import LEAST_S
from pipelines.dataset import ledger
from pipelines.dataset.check import Scanned, content_faults, damage, unreadable
from pipelines.dataset.dataset import COPIES, FINGERPRINTS, HISTORY, READINGS, SONGS, SUMS, Dataset, Shard, Table
from pipelines.dataset.ledger import DUPLICATE, REJECTED, WRITTEN, File
from pipelines.dataset.readings import Reading
from pipelines.dataset.shard_sums import ShardSums
from pipelines.dataset.sums import Sums  # fmt: skip

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Totals:
    """Sums of a feature over frames, as `Sums` has them, shape (bins,)."""

    frames: int
    sum: NDArray[np.float64]
    sum_of_squares: NDArray[np.float64]

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.frames + other.frames, self.sum + other.sum, self.sum_of_squares + other.sum_of_squares)

    def is_told_by(self, sums: Sums) -> bool:
        """Whether some sums are these, but for the order in which they were added up."""
        told = np.array(sums.sum), np.array(sums.sum_of_squares)
        if sums.frames != self.frames or {len(values) for values in told} != {len(self.sum)}:
            return False
        # What values are added to zero is known as exactly as what they are.
        scales = np.sqrt(self.frames * self.sum_of_squares), self.sum_of_squares
        return all(
            bool((np.abs(values - own) <= _TOLERANCE * scale + 1e-9).all())
            for values, own, scale in zip(told, (self.sum, self.sum_of_squares), scales, strict=True)
        )


ShardTotals = dict[str, Totals]
"""A shard's totals by feature."""


def table_fault(url: str, table: Table) -> str:
    """What is wrong with a file of a table; empty where nothing is."""
    try:
        content = storage.read_bytes(url)
    except OSError as error:
        return unreadable(error)
    if fault := damage(table, len(content), hashlib.sha256(content).hexdigest()):
        return fault
    try:
        rows = parquet.row_count(content)
    except pa.ArrowException as error:
        return f"is no Parquet file ({' '.join(str(error).split())})"
    return "" if rows == table.rows else f"has {rows} rows, dataset.json says {table.rows}"


def fingerprinted(dataset: Dataset) -> set[str]:
    """The content hashes of the recordings that a dataset has fingerprints of, which are not empty.

    The fingerprints themselves, which are most of a dataset's tables, become no objects of Python for that.
    """
    tables = map(dataset.arrow, dataset.tables[FINGERPRINTS])
    filled = (rows["content_hash"].filter(pc.greater(pc.binary_length(rows["fingerprint"]), 0)) for rows in tables)
    return {content for contents in filled for content in contents.to_pylist()}


_READ: Mapping[str, Callable[[Dataset], Any]] = {
    SONGS: Dataset.ledger,
    READINGS: Dataset.readings,
    FINGERPRINTS: fingerprinted,
    HISTORY: Dataset.history,
    COPIES: Dataset.copies,
    SUMS: lambda dataset: dataset.rows(SUMS, ShardSums),
}
"""What is read of each table: first of the ledger, which the others are held against."""


def version_faults(
    dataset: Dataset,
    scans: Mapping[Shard, Scanned],
    totals: Mapping[Shard, ShardTotals],
    table_faults: Mapping[Table, str],
) -> Iterator[str]:
    """All faults of a version, a line each.

    Parameters
    ----------
    dataset : Dataset
    scans : dict
        What each shard holds.
    totals : dict
        The sums of each.
    table_faults : dict
        What is wrong with each table's file.
    """
    harmed = {name for name in _READ if name not in dataset.tables}
    yield from (f"dataset.json: names no table {name}" for name in sorted(harmed))
    for name, parts in dataset.tables.items():
        for part in parts:
            if fault := table_faults[part]:
                harmed.add(name)
                yield f"{part.name}: {fault}"
    songs, unread = _rows(dataset, SONGS, harmed)
    yield from unread
    in_tables: list[str] = []
    checks: Mapping[str, Callable[[Any], Iterator[str]]] = {
        READINGS: lambda rows: _reading_faults(songs, rows),
        FINGERPRINTS: lambda known: _fingerprint_faults(songs, known),
        HISTORY: lambda rows: _history_faults(songs, rows),
        COPIES: lambda rows: iter(()),
        SUMS: lambda rows: _sum_faults(dataset, scans, totals, rows),
    }
    for name, faults_of in checks.items():  # each table is let go before the next is read, as they are large
        rows, unread = _rows(dataset, name, harmed)
        yield from unread
        if not harmed & {SONGS, name}:
            in_tables += faults_of(rows)
        del rows
    if SONGS in harmed:
        yield from (f"{shard.name}: {scans[shard].fault}" for shard in dataset.shards if scans[shard].fault)
        return  # nothing else can be told without the ledger
    yield from content_faults(dataset, {s.name: scans[s] for s in dataset.shards}, ledger.written(songs))
    yield from _count_faults(dataset, songs)
    yield from in_tables


def _rows(dataset: Dataset, name: str, harmed: set[str]) -> tuple[Any, list[str]]:
    """What is read of a table that is not harmed; or nothing, and why it is from now on."""
    try:
        return ([] if name in harmed else _READ[name](dataset)), []
    except (pa.ArrowException, KeyError, TypeError) as error:
        harmed.add(name)
        return [], [f"{dataset.tables[name][0].name}: is no table {name} ({error})"]


def _count_faults(dataset: Dataset, songs: Sequence[File]) -> Iterator[str]:
    """Shown is written, duplicates and rejected."""
    status = Counter(file.status for file in songs)
    said = {"shown": dataset.shown, DUPLICATE: dataset.duplicates, REJECTED: sum(dataset.rejected.values())}
    found = {"shown": len(songs), DUPLICATE: status[DUPLICATE], REJECTED: status[REJECTED]}
    if said != found or dataset.rejected != ledger.count_rejects(songs):
        yield f"dataset.json: says of files {_said(said)}, the ledger {_said(found)}"
    if status.keys() - {WRITTEN, DUPLICATE, REJECTED}:
        yield f"the table songs: has files of the status {', '.join(sorted(status))}"


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _reading_faults(songs: Sequence[File], rows: Sequence[Reading]) -> Iterator[str]:
    known = {row.content_hash for row in rows}
    yield from _lacking("the table readings", (f for f in ledger.written(songs) if f.content_hash not in known))


def _fingerprint_faults(songs: Sequence[File], known: Set[str]) -> Iterator[str]:
    long = (file for file in ledger.written(songs) if file.duration_s > LEAST_S + 0.1)
    yield from _lacking("the table fingerprints", (file for file in long if file.content_hash not in known))


def _lacking(table: str, files: Iterable[File]) -> Iterator[str]:
    lacking = [file.path for file in files]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        yield f"{table}: lacks {lacking[0]}{more}"


def _history_faults(songs: Sequence[File], rows: Sequence[File]) -> Iterator[str]:
    """What has a fold is in the ledger, what has none any more in the history, and nothing is in both."""
    present = {file.content_hash: file.path for file in songs if file.fold and file.content_hash}
    for row in rows:
        if row.content_hash in present:
            yield f"the table history: holds {row.path}, whose content is that of {present[row.content_hash]} now"
        if not row.fold:
            yield f"the table history: holds {row.path} without a fold"


def _sum_faults(
    dataset: Dataset, scans: Mapping[Shard, Scanned], totals: Mapping[Shard, ShardTotals], rows: Sequence[ShardSums]
) -> Iterator[str]:
    """Where sums are not those of the records; of shards that are harmed themselves no more is told."""
    sums_of = {(row.shard, row.feature): row.sums for row in rows}
    whole = [s for s in dataset.shards if not scans[s].fault and not any(held.fault for held in scans[s].records)]
    of_fold: dict[tuple[str, str], Totals] = {}
    for shard in whole:
        for feature, own in totals[shard].items():
            told = sums_of.get((shard.name, feature))
            if told is None or not own.is_told_by(told):
                yield f"the table sums: {feature} of {shard.name} is not what its records add up to"
            key = shard.fold, feature
            of_fold[key] = of_fold[key] + own if key in of_fold else own
    if len(whole) < len(dataset.shards):
        return
    for (fold, feature), own in of_fold.items():
        told = dataset.folds[fold].sums.get(feature)
        if told is None or not own.is_told_by(told):
            yield f"dataset.json: the sums of {feature} in {fold} are not what its records add up to"
