"""Writing shards: each by one worker, record after record, and renamed into place when it is whole."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from apache_beam.metrics.metric import Metrics
from numpy.typing import NDArray

from pipelines.audio import decode, quality
from pipelines.audio.schema import AudioConfig
from pipelines.common import storage
from pipelines.common.arrays import spooled
from pipelines.common.beam import tasks
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason
from pipelines.config import BuildConfig, StorageType
from pipelines.dataset import records, tfrecord
from pipelines.dataset.dataset import Sums
from pipelines.dataset.ledger import File, written
from pipelines.dataset.records import Record
from pipelines.features.compute import compute_spooled
from pipelines.features.schema import Features
from pipelines.split.shards import in_record_order

CHANGED = Reason("changed", "the file's audio changed between the plan and the shards")

_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class FileToWrite:
    """A file whose record goes to a shard: what the ledger has of it, and where it is read."""

    path: str
    genre: str
    group: str
    content_hash: str
    location: str


@dataclass(frozen=True)
class ShardTask:
    """A shard to be written: all that its bytes depend on."""

    shard: str
    fold: str
    audio: AudioConfig
    features: Features
    dtype: StorageType
    files: tuple[FileToWrite, ...]


@dataclass(frozen=True)
class LateReject:
    """A file that was read for the plan, and cannot be used any more."""

    path: str
    reason: str
    error: str


@dataclass(frozen=True)
class ShardResult:
    """A shard that was written: its file, how many records it has, each feature's sums, and who is missing."""

    bytes: int
    sha256: str
    records: int
    sums: Mapping[str, Sums]
    rejected: tuple[LateReject, ...]


def shard_tasks(files: Sequence[File], location_of: Mapping[str, str], config: BuildConfig) -> list[ShardTask]:
    """A task for each shard, sorted by its name."""
    members: dict[str, list[File]] = defaultdict(list)
    for file in written(files):
        members[file.shard].append(file)
    return [
        ShardTask(
            shard=shard,
            fold=members[shard][0].fold,
            audio=config.audio,
            features=config.features,
            dtype=config.shards.dtype,
            files=tuple(
                FileToWrite(file.path, file.genre, file.group, file.content_hash, location_of[file.path])
                for file in in_record_order(members[shard])
            ),
        )
        for shard in sorted(members)
    ]


class WriteShards(tasks.TaskDoFn[ShardTask, ShardResult]):
    """Writes the shard of a task; counts records, their seconds, and late rejects by reason.

    Parameters
    ----------
    folder : str
        Where tasks and results are.
    output : str
        The dataset's folder.
    """

    kind, verb = "shard", "Write shards"
    task_type, result_type = ShardTask, ShardResult

    def __init__(self, folder: str, output: str):
        super().__init__(folder)
        self.output = output

    def run(self, task: ShardTask) -> ShardResult:
        sums: dict[str, list[Sums]] = {name: [] for name in task.features.chosen}
        with storage.writing(storage.join(self.output, task.shard)) as path:
            with path.open("wb") as stream:
                rejected = tuple(late for file in task.files if (late := _append_file(stream, file, task, sums)))
            size, sha256 = path.stat().st_size, _sha256(path)
        totals = {name: Sums.total(parts) for name, parts in sums.items() if parts}
        return ShardResult(size, sha256, len(task.files) - len(rejected), totals, rejected)


def _append_file(
    stream: IO[bytes], file: FileToWrite, task: ShardTask, sums: Mapping[str, list[Sums]]
) -> LateReject | None:
    """Appends the record of a file to a shard, unless it cannot be used any more."""
    try:
        record, duration_s = compute_record(file, task.audio, task.features)
    except FileError as error:
        Metrics.counter("spectroshard", f"rejected_{error.reason.name}").inc()
        return LateReject(file.path, error.reason.name, error.detail)
    append_record(stream, record, task.dtype, sums)
    Metrics.counter("spectroshard", "written_songs").inc()
    Metrics.counter("spectroshard", "written_seconds").inc(round(duration_s))
    return None


def compute_record(file: FileToWrite, audio: AudioConfig, features: Features) -> tuple[Record, float]:
    """Reads a file again and computes its features; gives its record and its duration in seconds.

    Raises
    ------
    FileError
        It cannot be read any more, or it is not what it was.
    """
    recording = decode.load(file.location, audio)
    quality.check(recording, audio)
    if recording.content_hash != file.content_hash:
        raise FileError(CHANGED, "the file holds other audio than when the build read it first; build again")
    with np.errstate(over="ignore", invalid="ignore"):  # values that are too large are refused below
        arrays = compute_spooled(recording.samples, audio.sample_rate_hz, features)
    for name, values in arrays.items():
        largest = np.abs(spooled.min_max(values)).max()
        if not largest <= _LARGEST:  # nor is NaN
            raise FileError(quality.NOT_FINITE, f"{name} reaches {largest}, expected at most {_LARGEST}")
    duration_s = len(recording.samples) / audio.sample_rate_hz
    return Record(file.path, file.genre, file.group, arrays), duration_s


def append_record(stream: IO[bytes], record: Record, dtype: StorageType, sums: Mapping[str, list[Sums]]) -> None:
    """Appends a record to a shard, and each feature's sums over its frames to those of the features."""
    of_record: dict[str, Sums] = {}

    def observe(name: str, values: NDArray[np.float32]) -> None:
        # The trainer sees what is stored, so that is what is summed.
        chunk = Sums.of(values)
        of_record[name] = Sums.total([of_record[name], chunk]) if name in of_record else chunk

    tfrecord.write_record(stream, *records.serialise(record, dtype, observe))
    for name, total in of_record.items():
        sums[name].append(total)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
