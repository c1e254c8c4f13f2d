"""Looking up a dataset's files, and reading their records back, without TensorFlow."""

from collections.abc import Iterator

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import records, tfrecord
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import WRITTEN, File
from pipelines.dataset.records import Record


def read_shard(url: str) -> Iterator[Record]:
    """The records of a shard, in its order.

    Raises
    ------
    SpectroshardError
        It is missing or damaged.
    """
    try:
        with storage.local_copy(url) as path, path.open("rb") as stream:
            yield from map(records.decode, tfrecord.read_records(stream))
    except FileNotFoundError as error:
        raise SpectroshardError(f"{url}: is missing; build the dataset again") from error
    except SpectroshardError as error:
        raise SpectroshardError(f"{url}: {error}") from error


def find_file(dataset: Dataset, name: str) -> File:
    """A file's row of the ledger, by its path or by an end of it that no other path has.

    Raises
    ------
    UsageError
        No file, or more than one, is called so.
    """
    rows = dataset.ledger()
    found = [file for file in rows if file.path == name] or [file for file in rows if file.path.endswith(name)]
    if len(found) != 1:
        few = ", ".join(file.path for file in found[:3])
        raise UsageError(f"{dataset.url}: {len(found)} songs end in {name!r} ({few or 'see its songs.parquet'})")
    return found[0]


def read_record(dataset: Dataset, file: File) -> Record | None:
    """A file's record, or None of a file that is in no shard.

    Raises
    ------
    SpectroshardError
        Its shard is missing or damaged.
    """
    if file.status != WRITTEN:
        return None
    url = storage.join(dataset.url, file.shard)
    for record in read_shard(url):
        if record.id == file.path:
            return record
    raise SpectroshardError(f"{url}: does not hold {file.path}; build the dataset again")
