"""Whether a dataset's shards hold what its ledger says."""

from collections.abc import Iterator, Sequence

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.dataset.dataset import Dataset, Shard
from pipelines.dataset.ledger import File
from pipelines.dataset.reading import read_shard
from pipelines.dataset.records import Record


def shard_faults(dataset: Dataset, files: Sequence[File]) -> list[str]:
    """Where a dataset's shards do not hold the files that its ledger puts there, a line each.

    Parameters
    ----------
    dataset : Dataset
    files : sequence of File
        The ledger's, of status `written`.
    """
    row_of = {file.path: file for file in files}
    shard_of: dict[str, str] = {}
    faults: list[str] = []
    for shard in dataset.shards:
        try:
            for record in read_shard(storage.join(dataset.url, shard.name)):
                faults += _record_faults(record, shard, row_of.get(record.id), shard_of.get(record.id))
                shard_of[record.id] = shard.name
        except (OSError, SpectroshardError) as error:
            faults.append(f"{shard.name} cannot be read ({error})")
    missing = [file for file in files if file.path not in shard_of]
    return faults + [f"{file.shard} does not hold {file.path}, which the ledger has there" for file in missing]


def _record_faults(record: Record, shard: Shard, row: File | None, earlier_shard: str | None) -> Iterator[str]:
    """What is wrong with a record, given its row of the ledger, and the shard that had it before if any had."""
    found = f"{shard.name} ({shard.fold}) holds {record.id}"
    if row is None:
        yield f"{found}, which the ledger has in no shard"
    elif (row.shard, row.fold) != (shard.name, shard.fold):
        yield f"{found}, which the ledger has in {row.shard} ({row.fold})"
    elif row.group != record.group:
        yield f"{found} with group {record.group!r}, the ledger with {row.group!r}"
    if earlier_shard is not None:
        yield f"{found}, and so does {earlier_shard}"
