"""Looking up a dataset's files, and reading their records back, without TensorFlow."""

import difflib
from collections.abc import Iterator
from pathlib import PurePosixPath

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import records, tfrecord
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import WRITTEN, File, written
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
        raise SpectroshardError(f"{url}: is missing; spectroshard verify tells what else is") from error
    except SpectroshardError as error:
        raise SpectroshardError(f"{url}: {error}") from error


def files_by_record(dataset: Dataset) -> dict[str, File]:
    """The files whose records are in shards, by the records' ids."""
    return {file.record: file for file in written(dataset.ledger())}


def find_file(dataset: Dataset, name: str) -> File:
    """A file's row of the ledger, by its path, by an end of it that no other path has, or by its name without suffix.

    Raises
    ------
    UsageError
        No file, or more than one, is called so.
    """
    rows = dataset.ledger()
    found = (
        [file for file in rows if file.path == name]
        or [file for file in rows if file.path.endswith(name)]
        or [file for file in rows if PurePosixPath(file.path).stem == name]
    )
    if not found:
        close = difflib.get_close_matches(name, [form for file in rows for form in _names(file)], 1)
        hint = f"did you mean {close[0]}?" if close else "its table songs lists all"
        raise UsageError(f"{dataset.url}: no song ends in {name!r}; {hint}")
    if len(found) > 1:
        few = ", ".join(file.path for file in found[:3])
        raise UsageError(
            f"{dataset.url}: {len(found)} songs end in {name!r} ({few}{', ...' if len(found) > 3 else ''})"
        )
    return found[0]


def _names(file: File) -> tuple[str, str, str]:
    path = PurePosixPath(file.path)
    return file.path, path.name, path.stem


def read_record(dataset: Dataset, file: File) -> Record | None:
    """A file's record, or None of a file that is in no shard; of the shard no more is read than that.

    Raises
    ------
    SpectroshardError
        Its shard is missing or damaged.
    """
    if file.status != WRITTEN:
        return None
    url = storage.join(dataset.url, file.shard)
    try:
        content = storage.read_bytes(url, file.offset, file.offset + file.length)
        record = records.decode(tfrecord.content_of(content))
    except FileNotFoundError as error:
        raise SpectroshardError(f"{url}: is missing; spectroshard verify tells what else is wrong") from error
    except (OSError, SpectroshardError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SpectroshardError(f"{url}: {file.path}: {why}; spectroshard verify tells what else is wrong") from error
    if record.id != file.record:
        raise SpectroshardError(f"{url}: does not hold {file.path} where the ledger has it")
    return record
