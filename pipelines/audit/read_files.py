"""Reading the files of an external split: each decoded, hashed and fingerprinted by a worker."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pipelines.audio import decode, guarded
from pipelines.audio.schema import AudioConfig
from pipelines.common.beam import tasks
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.child import Child
from pipelines.common.errors import FileError
from pipelines.copies import fingerprint
from pipelines.corpus.reading import read_audio
from pipelines.dataset.ledger import Entry, File
from pipelines.dataset.readings import Reading, with_reading


@dataclass(frozen=True)
class FileToRead:
    """A file of a task.

    Attributes
    ----------
    location, version : str
        As its `Entry` has them.
    """

    location: str
    version: str


@dataclass(frozen=True)
class ReadTask:
    """Some files to be read."""

    audio: AudioConfig
    files: tuple[FileToRead, ...]


@dataclass(frozen=True)
class ReadResult:
    """What the files of a task are, in their order; fingerprints are in base 64, as a result is JSON."""

    readings: tuple[Reading, ...]
    fingerprints: tuple[str, ...]
    rejected: int


def read_all(entries: Sequence[Entry], config: AudioConfig, folder: str, new_pipeline: NewPipeline) -> list[File]:
    """Files with what reading each of them told; one that was rejected by its listing stays so, unread.

    A file that is rejected after it was decoded has a content hash, as it can be compared by its samples.

    Parameters
    ----------
    entries : sequence of Entry
    config : AudioConfig
    folder : str
        Where tasks and results are kept; reading that was stopped goes on from there.
    new_pipeline : callable
        Gives an empty pipeline.
    """
    to_read = [FileToRead(entry.location, entry.version) for entry in entries if not entry.file.reason]
    each_task = [ReadTask(config, tuple(part)) for part in tasks.parts(to_read)]
    results = tasks.run(new_pipeline, ReadFiles(folder), each_task)
    told = _told(results)
    return [entry.file if entry.file.reason else _comparable(entry.file, *next(told)) for entry in entries]


def _told(results: Sequence[ReadResult]) -> Iterator[tuple[Reading, bytes]]:
    for result in results:
        yield from zip(result.readings, map(base64.b64decode, result.fingerprints), strict=True)


def _comparable(file: File, reading: Reading, values: bytes) -> File:
    told = with_reading(file, reading, with_tags=True)
    return replace(told, content_hash=reading.content_hash, fingerprint=values)


class ReadFiles(tasks.TaskDoFn[ReadTask, ReadResult]):
    """Reads the files of a task."""

    kind, verb = "read", "Read files"
    task_type, result_type = ReadTask, ReadResult

    def setup(self) -> None:
        super().setup()
        self._child = Child(_read)

    def teardown(self) -> None:
        self._child.close()

    def run(self, task: ReadTask) -> ReadResult:
        read = (self._read(file.location, task.audio) for file in task.files)
        readings, fingerprints = zip(*read, strict=True)
        encoded = tuple(base64.b64encode(values).decode() for values in fingerprints)
        return ReadResult(readings, encoded, rejected=sum(reading.is_rejected for reading in readings))

    def _read(self, location: str, config: AudioConfig) -> tuple[Reading, bytes]:
        """Reads a file in another process, so that no file takes this one along."""
        try:
            with decode.local_copy(location) as path:
                return guarded.twice(path, lambda: self._child.call((str(path), config), guarded.limits(config)))
        except FileError as error:
            return Reading().rejected(error.reason, error.detail), b""


def _read(arguments: tuple[str, AudioConfig]) -> tuple[Reading, bytes]:
    return read_file(*arguments)


def read_file(location: str, config: AudioConfig) -> tuple[Reading, bytes]:
    """Reads one file: what it is, and its fingerprint, which is empty of one that is rejected or very short."""
    try:
        with decode.local_copy(location) as path:
            reading, recording = read_audio(path, config)
    except FileError as error:
        return Reading().rejected(error.reason, error.detail), b""
    return reading, fingerprint.of_samples(recording.samples, config.sample_rate_hz) if recording else b""
