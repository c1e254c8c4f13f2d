"""A file to its record and its reading: decoded once, in a process of its own, so that no file takes a worker along."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xxhash

from pipelines.audio import decode, guarded, quality
from pipelines.audio.schema import AudioConfig
from pipelines.common import storage
from pipelines.common.arrays import spooled
from pipelines.common.child import UNLIMITED, Child, Limits
from pipelines.common.errors import FileError
from pipelines.config import BuildConfig, StorageType
from pipelines.dataset import records, tfrecord
from pipelines.dataset.ledger import record_id
from pipelines.dataset.readings import Reading
from pipelines.dataset.records import Record
from pipelines.features.compute import compute_spooled
from pipelines.features.schema import Features

_LARGEST = float(np.finfo(np.float16).max)
_HASHED_BYTES = 1 << 20  # at once


@dataclass(frozen=True)
class Recipe:
    """All that a record's bytes depend on besides the file and its genre."""

    audio: AudioConfig
    features: Features
    dtype: StorageType

    @classmethod
    def of(cls, config: BuildConfig) -> "Recipe":
        """A configuration's."""
        return cls(config.audio, config.features, config.shards.dtype)

    @property
    def limits(self) -> Limits:
        """What making a record may take: librosa's features, which are computed at once, have no limit of memory."""
        allowed = guarded.limits(self.audio)
        return allowed if self.features.backend == "fast" else replace(allowed, memory_bytes=UNLIMITED)


@dataclass(frozen=True)
class Made:
    """What came of a file.

    Attributes
    ----------
    reading : Reading
        Without its URI and version, which the caller knows.
    fingerprint : bytes
        As `pipelines.copies.fingerprint.of_samples` gives it; empty of a rejected file.
    length : int
        The bytes of the record, its framing included; 0 where there is none.
    """

    reading: Reading
    fingerprint: bytes = b""
    length: int = 0


class RecordMaker:
    """Makes records as `make_record` does, each in a process of its own that is started once.

    A thread uses it alone.
    """

    def __init__(self) -> None:
        self._child = Child(_make)

    def make(self, location: str, genre: str, recipe: Recipe, pack: Path) -> Made:
        """Makes the record of a file; one that twice ends the process, each time another, is rejected.

        The file is fetched here, so that a slow store does not count as a slow decoder.

        Raises
        ------
        ChildKilled
            The process was killed from outside, twice.
        OSError, MemoryError
            The machine or the store failed.
        """
        try:
            with decode.local_copy(location) as path:
                return self._attempted(path, genre, recipe, pack)
        except FileError as error:
            return Made(rejected_reading(error))

    def _attempted(self, path: Path, genre: str, recipe: Recipe, pack: Path) -> Made:
        size = pack.stat().st_size if pack.exists() else 0

        def attempt() -> Made:
            try:
                return self._child.call((str(path), genre, recipe, pack), recipe.limits)
            except BaseException:
                if pack.exists():
                    os.truncate(pack, size)  # of what it has written nothing stays
                raise

        return guarded.twice(path, attempt)

    def close(self) -> None:
        """Ends the process."""
        self._child.close()

    def __enter__(self) -> "RecordMaker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make(arguments: tuple[str, str, Recipe, Path]) -> Made:
    return make_record(*arguments)


def make_record(location: str, genre: str, recipe: Recipe, pack: Path) -> Made:
    """Reads a file once and makes its record.

    Parameters
    ----------
    location : str
        A file or a URL.
    genre : str
    recipe : Recipe
    pack : Path
        The file to whose end the record is written, framed as in a shard; nothing is, where the song is rejected.

    Returns
    -------
    Made
        A rejected file's reading says why, and has a content hash where it can be decoded.

    Raises
    ------
    OSError, MemoryError
        The machine or the store failed, which is no fault of the file.
    """
    try:
        with decode.local_copy(location) as path:
            return _made(path, genre, recipe, pack)
    except FileError as error:
        return Made(rejected_reading(error))


def rejected_reading(error: FileError) -> Reading:
    """The reading of a file that cannot be used."""
    return Reading().rejected(error.reason, error.detail)


def file_hash(path: Path) -> str:
    """XXH3 (128 bits) of a local file's bytes."""
    content = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while chunk := stream.read(_HASHED_BYTES):
            content.update(chunk)
    return content.hexdigest()


def _made(path: Path, genre: str, recipe: Recipe, pack: Path) -> Made:
    # These compile, which the process that only starts others need not wait for.
    from pipelines.copies import fingerprint
    from pipelines.corpus.reading import read_audio

    bytes_hash = file_hash(path)
    reading, recording = read_audio(path, recipe.audio)
    reading = replace(reading, bytes_hash=bytes_hash)
    if recording is None:
        return Made(reading)
    try:
        features = _features(recording.samples, recipe)
    except FileError as error:
        decoded = Reading(bytes_hash=bytes_hash, content_hash=reading.content_hash)
        return Made(decoded.rejected(error.reason, error.detail))
    record = Record(record_id(reading.content_hash, genre), genre, features)
    with storage.naming(str(pack)), pack.open("ab") as stream:
        length = tfrecord.write_record(stream, *records.serialise(record, recipe.dtype))
    return Made(reading, fingerprint.of_samples(recording.samples, recipe.audio.sample_rate_hz), length)


def _features(samples: spooled.FrameArray, recipe: Recipe) -> dict[str, spooled.FrameArray]:
    """A recording's features, each of which fits in float16."""
    with np.errstate(over="ignore", invalid="ignore"):  # values that are too large are refused below
        arrays = compute_spooled(samples, recipe.audio.sample_rate_hz, recipe.features)
    for name, values in arrays.items():
        largest = np.abs(spooled.min_max(values)).max()
        if not largest <= _LARGEST:  # nor is NaN
            raise FileError(quality.NOT_FINITE, f"{name} reaches {largest}, expected at most {_LARGEST}")
    return arrays
