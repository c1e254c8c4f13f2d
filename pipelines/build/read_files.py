"""Reading files: each decoded, hashed and fingerprinted by a worker."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

from apache_beam.metrics.metric import Metrics

from pipelines.audio import decode, quality
from pipelines.audio.schema import AudioConfig
from pipelines.audio.streams import TRUNCATED
from pipelines.common.beam import tasks
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import FileError
from pipelines.config import BuildConfig
from pipelines.copies import fingerprint
from pipelines.corpus import artists
from pipelines.dataset.ledger import REJECTED, Entry, File


@dataclass(frozen=True)
class FileToRead:
    """A file of a task.

    Attributes
    ----------
    location, version : str
        As its `Entry` has them.
    reason, error : str
        Why the listing rejected it: then it is not read. Empty of others.
    wants_artist_tag : bool
        Whether its tags are to say the artist.
    """

    location: str
    version: str = ""
    reason: str = ""
    error: str = ""
    wants_artist_tag: bool = False


@dataclass(frozen=True)
class Reading:
    """What reading a file told: its audio's facts, or the reason and error by which it is rejected.

    A file that can be decoded and is rejected has a content hash, so that an audit can compare it.
    """

    duration_s: float = 0.0
    sample_rate_hz: int = 0
    channels: int = 0
    content_hash: str = ""
    fingerprint: str = ""  # in base 64, as a result is JSON
    artist: str = ""
    reason: str = ""
    error: str = ""
    is_rejected: bool = False


@dataclass(frozen=True)
class ReadTask:
    """Some files to be read."""

    audio: AudioConfig
    files: tuple[FileToRead, ...]


@dataclass(frozen=True)
class ReadResult:
    """What the files of a task are, in their order."""

    readings: tuple[Reading, ...]
    rejected: int


def read(entries: Sequence[Entry], config: BuildConfig, folder: str, new_pipeline: NewPipeline) -> list[File]:
    """Files with what reading them tells: their audio's facts, hash and fingerprint, or why they cannot be used."""
    readings = read_all(entries, config, folder, new_pipeline)
    return [with_reading(entry.file, reading) for entry, reading in zip(entries, readings, strict=True)]


def read_all(entries: Sequence[Entry], config: BuildConfig, folder: str, new_pipeline: NewPipeline) -> list[Reading]:
    """What reading each of some files told."""
    results = tasks.run(new_pipeline, ReadFiles(folder), read_tasks(entries, config))
    return [reading for result in results for reading in result.readings]


def read_tasks(entries: Sequence[Entry], config: BuildConfig) -> list[ReadTask]:
    """Tasks to read some files each."""
    files = [
        FileToRead(
            location=entry.location,
            version=entry.version,
            reason=entry.file.reason,
            error=entry.file.error,
            wants_artist_tag=config.corpus.artist_tags and not entry.file.artist,
        )
        for entry in entries
    ]
    return [ReadTask(config.audio, tuple(part)) for part in tasks.parts(files)]


class ReadFiles(tasks.TaskDoFn[ReadTask, ReadResult]):
    """Reads the files of a task; counts files, seconds and rejects by reason."""

    kind, verb = "read", "Read files"
    task_type, result_type = ReadTask, ReadResult

    def run(self, task: ReadTask) -> ReadResult:
        readings = tuple(read_file(file, task.audio) for file in task.files)
        for reading in readings:
            Metrics.counter("spectroshard", "songs").inc()
            Metrics.counter("spectroshard", "seconds").inc(round(reading.duration_s))
            if reading.is_rejected:
                Metrics.counter("spectroshard", f"rejected_{reading.reason}").inc()
        return ReadResult(readings, rejected=sum(reading.is_rejected for reading in readings))


def read_file(file: FileToRead, config: AudioConfig) -> Reading:
    """Reads one file; one that the listing rejected stays so, unread."""
    if file.reason:
        return Reading(reason=file.reason, error=file.error, is_rejected=True)
    content_hash = ""
    try:
        recording = decode.load(file.location, config)
        content_hash = recording.content_hash if len(recording.samples) else ""
        quality.check(recording, config)
        artist = _artist_tag(file.location) if file.wants_artist_tag else ""
    except FileError as error:
        return Reading(content_hash=content_hash, reason=error.reason.name, error=error.detail, is_rejected=True)
    values = fingerprint.of_samples(recording.samples, config.sample_rate_hz)
    return Reading(
        duration_s=len(recording.samples) / config.sample_rate_hz,
        sample_rate_hz=recording.sample_rate_hz,
        channels=recording.channels,
        content_hash=content_hash,
        fingerprint=base64.b64encode(values).decode(),
        artist=artist,
        reason=TRUNCATED.name if recording.truncated else "",
        error="the file ends early; what is there is used" if recording.truncated else "",
    )


def _artist_tag(location: str) -> str:
    with decode.local_copy(location) as path:
        return artists.read_tag(path)


def with_reading(file: File, reading: Reading) -> File:
    """A file with what reading it told; one that is rejected has the reason alone."""
    if reading.is_rejected:
        return file if file.status == REJECTED else file.rejected_by_name(reading.reason, reading.error)
    return replace(
        file,
        duration_s=reading.duration_s,
        sample_rate_hz=reading.sample_rate_hz,
        channels=reading.channels,
        content_hash=reading.content_hash,
        fingerprint=base64.b64decode(reading.fingerprint),
        artist=file.artist or reading.artist,
        reason=reading.reason,
        error=reading.error,
    )
