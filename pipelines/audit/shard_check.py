"""Whether a dataset's shards hold what its ledger says."""

from collections.abc import Sequence

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.dataset import records, tfrecord
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File


def shard_faults(dataset: Dataset, files: Sequence[File]) -> list[str]:
    """Where a dataset's shards do not hold the files that its ledger puts there, a line each.

    Parameters
    ----------
    dataset : Dataset
    files : sequence of File
        The ledger's, of status `written`.
    """
    row_of = {file.path: file for file in files}
    held: dict[str, str] = {}
    faults = []
    for shard in dataset.shards:
        url = storage.join(dataset.url, shard.name)
        try:
            with storage.local_copy(url) as path, path.open("rb") as stream:
                for record in map(records.decode, tfrecord.read_records(stream)):
                    row = row_of.get(record.id)
                    found = f"{shard.name} ({shard.fold}) holds {record.id}"
                    if row is None:
                        faults.append(f"{found}, which the ledger has in no shard")
                    elif (row.shard, row.fold) != (shard.name, shard.fold):
                        faults.append(f"{found}, which the ledger has in {row.shard} ({row.fold})")
                    elif row.group != record.group:
                        faults.append(f"{found} with group {record.group!r}, the ledger with {row.group!r}")
                    if record.id in held:
                        faults.append(f"{found}, and so does {held[record.id]}")
                    held[record.id] = shard.name
        except (OSError, SpectroshardError) as error:
            faults.append(f"{shard.name} cannot be read ({error})")
    missing = [file for file in files if file.path not in held]
    return faults + [f"{file.shard} does not hold {file.path}, which the ledger has there" for file in missing]
