"""Audio files to mono samples, decoded, mixed, hashed and resampled block by block."""

import contextlib
import itertools
import operator
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import xxhash
from numpy.typing import NDArray

from pipelines.audio.messages import steady
from pipelines.audio.schema import AudioConfig
from pipelines.audio.streams import ABSURD_HEADER, FAILED, TOO_SHORT, AudioStream, Block, UndecodableError
from pipelines.common import storage
from pipelines.common.arrays import spooled
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

if TYPE_CHECKING:
    from pipelines.audio.mono import Levels

UNREADABLE = Reason("unreadable", "the file is missing, may not be read, or changed while the build was at work")

# fmt: off
SUFFIXES = frozenset({
    ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".dff", ".dsf", ".dts", ".eac3",
    ".flac", ".m4a", ".m4b", ".mka", ".mp1", ".mp2", ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".rf64",
    ".shn", ".snd", ".spx", ".tak", ".tta", ".voc", ".w64", ".wav", ".wave", ".weba", ".webm", ".wma", ".wv",
})
# fmt: on
"""The suffixes of audio files, in lower case."""

_RATES_HZ = (1_000, 768_000)

Mono = tuple[NDArray[np.float32], int]
"""Samples of one channel, and their rate."""


@dataclass(frozen=True)
class Recording:
    """A decoded audio file.

    Attributes
    ----------
    samples : array or SpooledArray, shape (samples,)
        Mono, float32, at the configured sample rate; those of a long recording lie on disk.
    sample_rate_hz, channels : int
        Those that the file begins with; 0 where nothing can be decoded.
    content_hash : str
        XXH3 (128 bits) of the file's sample rate and its samples, mixed to mono but not resampled. Where the rate
        changes on the way, as in files that were joined, the new one comes before the samples that have it.
    truncated : bool
        Whether the file's bytes end in the middle of what they began.
    unread_s : float
        How many seconds the file holds that are not among the samples, as far as it tells: what is damaged, and what
        lies beyond `audio.max_duration_s`.
    channels_db, mix_db : float
        The level (root mean square) of the channels and of their mean, relative to full scale; 0 of a mono file.
    """

    samples: spooled.FrameArray
    sample_rate_hz: int
    channels: int
    content_hash: str
    truncated: bool
    unread_s: float = 0.0
    channels_db: float = 0.0
    mix_db: float = 0.0


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
    from pipelines.audio.decoders import decoders  # takes a while, which those that only list files need not wait for

    first: UndecodableError | None = None
    with path.open("rb", buffering=0) as file:
        for opened in decoders(file):
            try:
                with opened as stream:
                    recording = _recording(stream, config)
                if len(recording.samples) or first is None or first.reason is TOO_SHORT:
                    return recording
            except UndecodableError as error:
                first = first or error
            except FileError:
                if first is None:
                    raise
    assert first is not None
    raise FileError(first.reason, first.detail)


def _recording(stream: AudioStream, config: AudioConfig) -> Recording:
    from pipelines.audio.mono import Levels  # compiles

    content, levels, beginning = xxhash.xxh3_128(), Levels(), _Beginning(config.max_duration_s)
    mono = _mono(beginning.of(stream.blocks), content, levels)
    samples = spooled.concatenate(_resampled(mono, config.sample_rate_hz))
    unread_s = stream.damaged_s + (beginning.cut_s + stream.rest_s() if beginning.is_over else 0.0)
    if not beginning.rate_hz and stream.damaged_s:
        raise FileError(FAILED, f"nothing of about {stream.damaged_s:.2f} s of audio can be decoded")
    return Recording(
        samples,
        beginning.rate_hz,
        beginning.channels,
        content.hexdigest(),
        truncated=stream.is_cut,
        unread_s=unread_s,
        channels_db=levels.channels_db,
        mix_db=levels.mix_db,
    )


class _Beginning:
    """The blocks of a file, for so long at most.

    Attributes
    ----------
    rate_hz, channels : int
        Those of the first of them; 0 where there is none.
    is_over : bool
        Whether the time is over; what follows was not asked for.
    cut_s : float
        How long what is left of the last block would play.
    """

    def __init__(self, duration_s: float):
        self.rate_hz, self.channels = 0, 0
        self.is_over = False
        self.cut_s = 0.0
        self._left_s = duration_s

    def of(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """As many of these blocks as there is time for, each with a rate that can be true."""
        for block in blocks:
            _refuse_absurd(block.rate_hz)
            frames = round(self._left_s * block.rate_hz)
            kept = block if len(block.samples) <= frames else Block(block.samples[:frames], block.rate_hz)
            if not self.rate_hz:
                self.rate_hz, self.channels = block.rate_hz, block.samples.shape[1]
            self._left_s -= kept.duration_s
            yield kept
            if frames <= len(block.samples):
                self.is_over, self.cut_s = True, block.duration_s - kept.duration_s
                return


def _refuse_absurd(rate_hz: int) -> None:
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
        raise FileError(ABSURD_HEADER, f"{rate_hz} Hz, expected between {_RATES_HZ[0]} and {_RATES_HZ[1]} Hz")


def _mono(blocks: Iterator[Block], content: xxhash.xxh3_128, levels: "Levels") -> Iterator[Mono]:
    """Mixes blocks, and takes note of what they hold."""
    from pipelines.audio.mono import to_mono

    rate_hz = 0
    for block in blocks:
        if block.rate_hz != rate_hz:
            rate_hz = block.rate_hz
            content.update(struct.pack("<I", rate_hz))
        samples = to_mono(block.samples)
        content.update(samples.data)
        levels.add(block.samples, samples)
        yield samples, rate_hz


def _resampled(blocks: Iterator[Mono], new_rate_hz: int) -> Iterator[NDArray[np.float32]]:
    import soxr

    for rate_hz, group in itertools.groupby(blocks, operator.itemgetter(1)):
        samples = (samples for samples, _ in group)
        if rate_hz == new_rate_hz:
            yield from samples
            continue
        resampler = soxr.ResampleStream(rate_hz, new_rate_hz, 1, dtype="float32", quality="HQ")
        yield from map(resampler.resample_chunk, samples)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)
