"""Audio files to mono samples, block by block: libsndfile where it knows the format, ffmpeg for the rest."""

import contextlib
import os
import re
import stat
import struct
import subprocess
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
import xxhash
from numpy.typing import NDArray

from pipelines.audio.schema import AudioConfig
from pipelines.common import storage
from pipelines.common.arrays import spooled
from pipelines.common.arrays.jit import compiled
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

ABSURD_HEADER = Reason("absurd_header", "the header's rate, channels or size cannot be true")
EMPTY = Reason("empty", "the file has no bytes")
FAILED = Reason("failed", "a decoder, or the archive that the file is in, failed; the error is its own")
NO_CHANNELS = Reason("no_channels", "the header says zero channels")
NOT_AUDIO = Reason("not_audio", "no decoder knows the format")
TRUNCATED = Reason("truncated", "the file ends early, and less than audio.min_duration_s can be decoded")
UNREADABLE = Reason("unreadable", "the file is missing or may not be read")

# fmt: off
SUFFIXES = frozenset({
    ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mp2",
    ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".snd", ".tta", ".w64", ".wav", ".wave", ".webm", ".wma", ".wv",
})
# fmt: on
"""The suffixes of audio files, in lower case."""

_RATES_HZ = (1_000, 768_000)
_BLOCK_FRAMES = 1 << 16  # what a decoder that loses its way takes with it
# By libsndfile's error numbers, where it knows the format of a file.
_REASON_OF_ERROR = {24: ABSURD_HEADER, 32: NO_CHANNELS, 33: ABSURD_HEADER, 71: TRUNCATED}
_SHORTENED = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)

SampleBlock = NDArray[np.float32] | NDArray[np.int16]


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


@dataclass
class _Source:
    sample_rate_hz: int
    channels: int
    blocks: Iterator[SampleBlock]  # shape (frames, channels)
    truncated: bool = False


def load(url: str, config: AudioConfig) -> Recording:
    """Decodes an audio file to mono.

    Parameters
    ----------
    url : str
        A file or a URL. Its content decides how it is decoded, not its suffix.
    config : AudioConfig
        The sample rate, to which is resampled by soxr HQ, and the longest duration, behind which nothing is read.

    Returns
    -------
    Recording
        Whatever can be decoded; `pipelines.audio.quality` judges it.

    Raises
    ------
    FileError
        The file cannot be read or decoded.

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
        try:
            return _load(path, config)
        except OSError as error:
            raise FileError(UNREADABLE, f"{type(error).__name__}: {error}") from error
        except soundfile.SoundFileError as error:
            raise FileError(FAILED, f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A local path of an audio file, as `storage.local_copy`.

    Raises
    ------
    FileError
        It cannot be read; neither can a damaged or encrypted member of an archive.
    """
    with contextlib.ExitStack() as stack:
        try:
            path = stack.enter_context(storage.local_copy(url))
        except OSError as error:
            raise FileError(UNREADABLE, f"{type(error).__name__}: {error}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
            raise FileError(FAILED, f"{type(error).__name__}: {error}") from error
        yield path


def _load(path: Path, config: AudioConfig) -> Recording:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise FileError(UNREADABLE, "it is a folder, a pipe or a device, expected a file")
    if not status.st_size:
        raise FileError(EMPTY, "the file has 0 bytes")
    path.open("rb").close()  # what may not be read is an OSError here; libsndfile would call it no audio
    with _open(path) as source:
        rate = source.sample_rate_hz
        if not _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
            raise FileError(ABSURD_HEADER, f"{rate} Hz, expected between {_RATES_HZ[0]} and {_RATES_HZ[1]} Hz")
        content = xxhash.xxh3_128(struct.pack("<I", rate))
        blocks = map(_mono, _first(source.blocks, round(config.max_duration_s * rate)))
        samples = spooled.concatenate(_resampled(_hashed(blocks, content), rate, config.sample_rate_hz))
    return Recording(samples, rate, source.channels, content.hexdigest(), source.truncated)


def _hashed(blocks: Iterator[NDArray[np.float32]], content: Any) -> Iterator[NDArray[np.float32]]:
    for block in blocks:
        content.update(block)
        yield block


def _mono(block: SampleBlock) -> NDArray[np.float32]:
    mono = np.empty(len(block), np.float32)
    # libsndfile's own conversion from 16 bits to float32 takes five times as long.
    scale = np.float32(1 / 32_768 if block.dtype == np.int16 else 1)
    _mix(block, scale, mono)
    return mono


@compiled
def _mix(block: Any, scale: Any, out: Any) -> None:
    """Writes the mean of the channels times `scale`."""
    channels = block.shape[1]
    if channels == 1:
        samples = block.reshape(-1)  # contiguous, so that the loop is vectorised
        for n in range(len(out)):
            out[n] = samples[n] * scale
    else:
        for n in range(len(out)):
            total = np.float32(0)
            for channel in range(channels):
                total += block[n, channel] * scale
            out[n] = total / np.float32(channels)


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


@contextlib.contextmanager
def _open(path: Path) -> Iterator[_Source]:
    stream = _sndfile(path)
    if stream is None:
        with _open_ffmpeg(path) as source:
            yield source
        return
    with stream:
        shortened = _SHORTENED.search(stream.extra_info)
        cut = shortened is not None and int(shortened[1]) > int(shortened[2])
        source = _Source(stream.samplerate, stream.channels, iter(()), cut)
        source.blocks = _sndfile_blocks(stream, source)
        yield source


def _sndfile(path: Path) -> Any:
    """The file opened by libsndfile; None where it does not know the format."""
    if path.suffix.lower() == ".raw":  # which it takes for samples without a header
        return None
    try:
        return soundfile.SoundFile(os.fsencode(path))  # a str must be UTF-8, which names of old archives are not
    except soundfile.LibsndfileError as error:
        reason = _REASON_OF_ERROR.get(error.code)
        if reason is None:
            return None
        raise FileError(reason, f"libsndfile: {error.error_string}") from error


def _sndfile_blocks(stream: Any, source: _Source) -> Iterator[SampleBlock]:
    dtype, decoded = "int16" if stream.subtype == "PCM_16" else "float32", 0
    while True:
        try:
            block = stream.read(_BLOCK_FRAMES, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError:
            source.truncated = True
            return
        if not len(block):
            break
        decoded += len(block)
        yield block
    source.truncated = source.truncated or decoded < stream.frames


@contextlib.contextmanager
def _open_ffmpeg(path: Path) -> Iterator[_Source]:
    import imageio_ffmpeg

    # AU's header is six numbers, among them rate and channels, and its data may be of any length. Only the file itself
    # may be opened: a playlist must not make a worker fetch what it names.
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    command += ["-i", f"file:{path}", "-map", "0:a:0", "-f", "au", "-c:a", "pcm_f32be", "pipe:1"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        try:
            pipe = process.stdout
            assert pipe is not None
            header = pipe.read(24)
            if len(header) < 24:
                process.wait()
                raise _no_audio(_text(errors))
            _, offset, _, _, rate, channels = struct.unpack(">6I", header)
            pipe.read(offset - 24)
            source = _Source(rate, channels, iter(()))
            source.blocks = _ffmpeg_blocks(process, pipe, errors, source)
            yield source
        finally:
            process.kill()
            process.communicate()


def _ffmpeg_blocks(process: Any, pipe: IO[bytes], errors: IO[bytes], source: _Source) -> Iterator[SampleBlock]:
    frame_bytes = 4 * source.channels
    while data := pipe.read(_BLOCK_FRAMES * frame_bytes):
        whole = len(data) - len(data) % frame_bytes
        yield np.frombuffer(data[:whole], ">f4").astype(np.float32).reshape(-1, source.channels)
    source.truncated = process.wait() != 0 or bool(_text(errors))


def _no_audio(error: str) -> FileError:
    if "moov atom not found" in error:  # an MP4 file keeps its index at its end
        return FileError(TRUNCATED, "the MP4 file ends before its index")
    last = error.splitlines()[-1] if error else "it gave no audio"
    return FileError(NOT_AUDIO, f"neither libsndfile nor ffmpeg knows the format ({last})")


def _text(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode(errors="replace").strip()
