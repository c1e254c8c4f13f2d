"""Whether a dataset's shards are what it says they are, without TensorFlow, which would believe anything.

A checksum tells what was damaged, and nothing of what was forged: so each record is held against the format and against
its row of the ledger. Each fault is a line that names the shard and the record.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.common import checksum, storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.storage import StoreError
from pipelines.dataset import tfrecord
from pipelines.dataset.dataset import Dataset, FeatureInfo, Shard, Table
from pipelines.dataset.ledger import File, record_id, written
from pipelines.dataset.record_check import Examined, Observe, examine

_passed: set[tuple[str, str, str]] = set()
"""The files without a fault that were checked in this process, by URL and version, and for which dataset."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record that a shard holds: where, and what it is, or what is wrong with it."""

    offset: int
    length: int
    record: Examined | None
    fault: str = ""


@dataclass(frozen=True)
class Scanned:
    """What a shard holds, and what is wrong with it as a whole."""

    records: Sequence[Held] = ()
    fault: str = ""


def check_dataset(dataset: Dataset, rows: Sequence[File] | None = None) -> list[str]:
    """The faults of all shards, each by itself and all together; only sums over frames are not added up again.

    Parameters
    ----------
    dataset : Dataset
    rows : sequence of File, optional
        Those of the ledger whose records are in shards. Default: they are read.
    """
    url_of = {shard.name: storage.join(dataset.url, shard.name) for shard in dataset.shards}
    scans = {shard.name: scan(url_of[shard.name], shard, dataset.features) for shard in dataset.shards}
    faults = list(content_faults(dataset, scans, written(dataset.ledger()) if rows is None else rows))
    if not faults:
        _passed.update(_key(dataset, url) for url in url_of.values())
    return faults


def check_shard(dataset: Dataset, shard: Shard, rows: Sequence[File], url: str = "") -> list[str]:
    """The faults of one shard.

    Parameters
    ----------
    dataset : Dataset
    shard : Shard
    rows : sequence of File
        Those that the ledger has in it.
    url : str
        Where a copy of it lies. Default: it is read where it is.
    """
    scanned = scan(url or storage.join(dataset.url, shard.name), shard, dataset.features)
    return list(_shard_faults(shard, scanned, rows))


def refuse_faults(
    dataset: Dataset, url_of: Mapping[str, str], rows: Mapping[str, Sequence[File]] | None = None
) -> None:
    """Refuses shards that are not what a dataset says; each is read once in a process.

    Parameters
    ----------
    dataset : Dataset
    url_of : dict
        By the shards' names, where they or copies of them lie.
    rows : dict, optional
        The ledger's, as `rows_by_shard` gives them, for whom asks shard by shard. Default: they are read.

    Raises
    ------
    SpectroshardError
    """
    unknown = [shard for shard in dataset.shards if shard.name in url_of]
    unknown = [shard for shard in unknown if _key(dataset, url_of[shard.name]) not in _passed]
    if rows is None:
        rows = rows_by_shard(written(dataset.ledger())) if unknown else {}
    for shard in unknown:
        url = url_of[shard.name]
        if faults := [*_description_faults(dataset), *check_shard(dataset, shard, rows.get(shard.name, ()), url)]:
            raise SpectroshardError(f"{dataset.name}: {in_a_line(faults)}")
        _passed.add(_key(dataset, url))


def in_a_line(faults: Sequence[str]) -> str:
    """The first of some faults, how many there are besides, and what to do."""
    more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
    return f"{faults[0]}{more}; spectroshard verify tells what else is wrong"


def _key(dataset: Dataset, url: str) -> tuple[str, str, str]:
    return storage.absolute(url), storage.version(url), dataset.digest


def rows_by_shard(rows: Iterable[File]) -> Mapping[str, list[File]]:
    """Rows of the ledger by the shards that hold their records."""
    found: dict[str, list[File]] = defaultdict(list)
    for row in rows:
        found[row.shard].append(row)
    return found


def scan(url: str, shard: Shard, features: Mapping[str, FeatureInfo], observe: Observe | None = None) -> Scanned:
    """Reads every byte of a shard.

    Parameters
    ----------
    url : str
        Where it or a copy of it lies.
    shard : Shard
    features : dict of FeatureInfo
        What each record is to have.
    observe : callable
        Is given each feature's name and values, record after record.
    """
    records: list[Held] = []
    fault = ""
    try:
        with storage.local_copy(url) as path:
            fault = damage(shard, path.stat().st_size, checksum.sha256(str(path)))
            records.extend(_records(path, features, observe))
    except OSError as error:
        return Scanned(fault=unreadable(error))
    except SpectroshardError as error:
        fault = f"{fault}; {error}" if fault else str(error)
    return Scanned(records, fault)


def unreadable(error: OSError) -> str:
    """What an error says of a file that cannot be read; one that tells of a whole store is raised."""
    if isinstance(error, StoreError):
        raise error
    return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"


def damage(file: Shard | Table, size: int, sha256: str) -> str:
    """What is wrong with a file of a dataset of which this was found; empty where it is what was published."""
    if size != file.bytes:
        return f"is damaged, or of another build ({size} bytes, dataset.json says {file.bytes})"
    if sha256 != file.sha256:
        return f"is damaged, or of another build (SHA-256 {sha256[:12]}, dataset.json says {file.sha256[:12]})"
    return ""


def _records(path: Path, features: Mapping[str, FeatureInfo], observe: Observe | None) -> Iterator[Held]:
    offset = 0
    with path.open("rb") as file:
        for serialized in tfrecord.read_records(file):
            length = len(serialized) + tfrecord.FRAMING_BYTES
            try:
                yield Held(offset, length, examine(serialized, features, observe))
            except SpectroshardError as error:
                yield Held(offset, length, None, str(error))
            offset += length
            del serialized  # before the next is read


def content_faults(dataset: Dataset, scans: Mapping[str, Scanned], rows: Sequence[File]) -> Iterator[str]:
    """What is wrong with the content of a dataset's shards.

    Parameters
    ----------
    dataset : Dataset
    scans : dict
        By its name, what each shard holds.
    rows : sequence of File
        Those of the ledger whose records are in shards.
    """
    yield from _description_faults(dataset)
    of_shard = rows_by_shard(rows)
    for shard in dataset.shards:
        yield from _shard_faults(shard, scans[shard.name], of_shard.get(shard.name, ()))
    for name in sorted(of_shard.keys() - scans.keys()):
        yield f"{name}: holds {of_shard[name][0].path} by the ledger, and is no shard of this version"
    yield from _faults_between_shards(dataset, scans, rows)
    yield from _count_faults(dataset, rows)


def _description_faults(dataset: Dataset) -> Iterator[str]:
    """Where `dataset.json` contradicts itself."""
    chosen = dataset.config.features.chosen
    expected = {name: (feature.bins, dataset.config.shards.dtype) for name, feature in chosen.items()}
    found = {name: (info.bins, info.dtype) for name, info in dataset.features.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            yield f"dataset.json: {name} is {found.get(name)}, by its configuration {expected.get(name)}"


def _shard_faults(shard: Shard, scanned: Scanned, rows: Sequence[File]) -> Iterator[str]:
    """What is wrong with a shard, given the rows that the ledger has in it."""
    if scanned.fault:
        yield f"{shard.name}: {scanned.fault}"
    row_at = {row.offset: row for row in rows}
    for held in scanned.records:
        row = row_at.pop(held.offset, None)
        if fault := held.fault or _record_fault(held, row, shard):
            yield f"{shard.name}: {row.path if row else f'the record at byte {held.offset}'}: {fault}"
    if not scanned.fault:
        yield from (f"{shard.name}: does not hold {row.path}, which the ledger has there" for row in row_at.values())
        if shard.songs != len(scanned.records):
            yield f"{shard.name}: holds {len(scanned.records)} records, dataset.json says {shard.songs}"


def _record_fault(held: Held, row: File | None, shard: Shard) -> str:
    if row is None:
        return "the ledger has none there"
    assert held.record is not None  # it has no fault
    if held.length != row.length:
        return f"has {held.length} bytes, {row.length} by the ledger"
    if held.record.id != row.record or row.record != record_id(row.content_hash, row.genre):
        return f"is another recording's (id {held.record.id}, {record_id(row.content_hash, row.genre)} by the ledger)"
    if held.record.genre != row.genre:
        return f"is of genre {held.record.genre!r}, {row.genre!r} by the ledger"
    if shard.fold != row.fold:
        return f"is in {shard.fold}, in {row.fold} by the ledger"
    return ""


def _faults_between_shards(dataset: Dataset, scans: Mapping[str, Scanned], rows: Sequence[File]) -> Iterator[str]:
    """Records that are there twice; and such that have the same features in two folds, whatever their ids."""
    path_of = {row.record: row.path for row in rows}
    shard_of_id: dict[str, Shard] = {}
    first_of_content: dict[bytes, tuple[Shard, str]] = {}
    for shard in dataset.shards:
        for record in (held.record for held in scans[shard.name].records if held.record):
            path = path_of.get(record.id, record.id)
            if record.id in shard_of_id:
                yield f"{shard.name}: {path}: {shard_of_id[record.id].name} holds it too"
                continue
            shard_of_id[record.id] = shard
            first, other = first_of_content.setdefault(record.content, (shard, path))
            if first.fold != shard.fold:
                yield f"{shard.name}: {path}: has the features of {other} in {first.fold} ({first.name})"


def _count_faults(dataset: Dataset, rows: Sequence[File]) -> Iterator[str]:
    members: dict[str, list[File]] = defaultdict(list)
    for row in rows:
        members[row.fold].append(row)
    for name in sorted(members.keys() | dataset.folds.keys()):
        fold = dataset.folds.get(name)
        counted = Counter(row.genre for row in members[name])
        if counted != Counter(fold.songs if fold else {}):
            yield f"dataset.json: {name} has the songs {fold and fold.songs}, by the ledger {dict(counted)}"
        duration_s = sum(row.duration_s for row in members[name])
        if fold and not math.isclose(fold.duration_s, duration_s, rel_tol=1e-6):
            yield f"dataset.json: {name} has {fold.duration_s:.1f} s of audio, by the ledger {duration_s:.1f}"
    genres = tuple(sorted({row.genre for row in rows}))
    if dataset.genres != genres:
        yield f"dataset.json: the genres are {', '.join(dataset.genres)}, by the ledger {', '.join(genres)}"
