"""Audio files to mono samples, decoded, mixed, hashed and resampled block by block."""

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import xxhash
from numpy.typing import NDArray

from pipelines.audio.messages import steady
from pipelines.audio.schema import AudioConfig
from pipelines.audio.streams import ABSURD_HEADER, FAILED, SampleBlock, open_stream
from pipelines.common import storage
from pipelines.common.arrays import spooled
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

EMPTY = Reason("empty", "the file has no bytes")
UNREADABLE = Reason("unreadable", "the file is missing or may not be read")

# fmt: off
SUFFIXES = frozenset({
    ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mp2",
    ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".snd", ".tta", ".w64", ".wav", ".wave", ".webm", ".wma", ".wv",
})
# fmt: on
"""The suffixes of audio files, in lower case."""

_RATES_HZ = (1_000, 768_000)


@dataclass(frozen=True)
class Recording:
    """A decoded audio file.

    Attributes
    ----------
    samples : array or SpooledArray, shape (samples,)
        Mono, float32, at the configured sample rate; those of a long recording lie on disk.
    sample_rate_hz, channels : int
        Those of the file.
    content_hash : str
        XXH3 (128 bits) of the file's sample rate and its samples, mixed to mono but not resampled.
    truncated : bool
        Whether the file ends before its header says.
    """

    samples: spooled.FrameArray
    sample_rate_hz: int
    channels: int
    content_hash: str
    truncated: bool


def load(url: str, config: AudioConfig) -> Recording:
    """Decodes an audio file to mono.

    Parameters
    ----------
    url : str
        A file or a URL. Its content decides how it is decoded, not its suffix.
    config : AudioConfig
        The sample rate, to which is resampled by soxr HQ, and the longest duration, beyond which nothing is read.

    Returns
    -------
    Recording
        Whatever can be decoded; `pipelines.audio.quality` judges it.

    Raises
    ------
    FileError
        The file cannot be read or decoded.
    OSError
        The machine or the store failed, which is no fault of the file: no space, a broken disk, a lost connection.

    Examples
    --------
    >>> import tempfile, soundfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     soundfile.write(file.name, np.full((44_100, 2), 0.5), 44_100)
    ...     recording = load(file.name, AudioConfig(sample_rate_hz=22_050))
    >>> recording.samples.shape, recording.sample_rate_hz, recording.channels, recording.truncated
    ((22050,), 44100, 2, False)
    """
    with local_copy(url) as path:
        return load_local(path, config)


def load_local(path: Path, config: AudioConfig) -> Recording:
    """Decodes a local file, as `load` does."""
    try:
        return _load(path, config)
    except soundfile.SoundFileError as error:
        raise _failed(error, str(path)) from error


@contextlib.contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A local path of an audio file, as `storage.local_copy`.

    Raises
    ------
    FileError
        It cannot be read; neither can a damaged or encrypted member of an archive.
    OSError
        The machine or the store failed.
    """
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(storage.local_copy(url))
            if not stat.S_ISREG(path.stat().st_mode):
                raise FileError(UNREADABLE, "it is a folder, a pipe or a device, expected a file")
            path.open("rb").close()  # libsndfile would call what may not be read no audio
        except OSError as error:
            if not storage.is_of_the_path(error):
                raise
            # Without the path, which the rows of a table have, and which would tell the machine's folders.
            raise FileError(UNREADABLE, error.strerror or type(error).__name__) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
            raise _failed(error, url) from error
        yield path


def _failed(error: Exception, name: str) -> FileError:
    return FileError(FAILED, steady(f"{type(error).__name__}: {error}", [name]))


def _load(path: Path, config: AudioConfig) -> Recording:
    from pipelines.audio.mono import to_mono  # compiles, which those that only list files need not wait for

    if not path.stat().st_size:
        raise FileError(EMPTY, "the file has 0 bytes")
    with open_stream(path) as stream:
        rate = stream.sample_rate_hz
        if not _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
            raise FileError(ABSURD_HEADER, f"{rate} Hz, expected between {_RATES_HZ[0]} and {_RATES_HZ[1]} Hz")
        content = xxhash.xxh3_128(struct.pack("<I", rate))
        blocks = map(to_mono, _first(stream.blocks, round(config.max_duration_s * rate)))
        samples = spooled.concatenate(_resampled(_hashed(blocks, content), rate, config.sample_rate_hz))
    return Recording(samples, rate, stream.channels, content.hexdigest(), stream.truncated)


def _hashed(blocks: Iterator[NDArray[np.float32]], content: Any) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        content.update(block)
        yield block


def _resampled(blocks: Iterator[NDArray[np.float32]], rate_hz: int, new_rate_hz: int) -> Iterator[NDArray[np.float32]]:
    import soxr

    if rate_hz == new_rate_hz:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate_hz, new_rate_hz, 1, dtype="float32", quality="HQ")
    yield from map(resampler.resample_chunk, blocks)
    yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _first(blocks: Iterator[SampleBlock], frames: int) -> Iterator[SampleBlock]:
    for block in blocks:
        yield block[:frames]
        frames -= len(block)
        if frames <= 0:
            return
