"""Audio files as streams of blocks of samples: by libsndfile where it knows the format, by ffmpeg otherwise."""

import contextlib
import os
import re
import select
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.audio.messages import cause, steady
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

ABSURD_HEADER = Reason("absurd_header", "the header's rate, channels or size cannot be true")
FAILED = Reason("failed", "a decoder, or the archive that the file is in, failed; the error is its own")
NO_CHANNELS = Reason("no_channels", "the header says zero channels")
NOT_AUDIO = Reason("not_audio", "no decoder knows the format")
TRUNCATED = Reason("truncated", "the file ends early, and less than audio.min_duration_s can be decoded")

_PATIENCE_S = 300  # for what ffmpeg gives next, which takes milliseconds
_BLOCK_FRAMES = 1 << 16  # what is lost when a decoder fails within a block
# By libsndfile's error numbers, where it knows the format of a file.
_REASON_OF_ERROR = {24: ABSURD_HEADER, 32: NO_CHANNELS, 33: ABSURD_HEADER, 71: TRUNCATED}
_SHORTENED = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)

SampleBlock = NDArray[np.float32] | NDArray[np.int16]
"""Samples as the file has them, shape (frames, channels)."""


@dataclass
class AudioStream:
    """An open audio file.

    Attributes
    ----------
    sample_rate_hz, channels : int
    blocks : iterator of array, shape (frames, channels)
        float32, or int16 of a file of 16 bits.
    truncated : bool
        Whether the file ends before its header says; known once the blocks are read.
    """

    sample_rate_hz: int
    channels: int
    blocks: Iterator[SampleBlock]
    truncated: bool = False


@contextlib.contextmanager
def open_stream(path: Path) -> Iterator[AudioStream]:
    """Opens a local audio file, by libsndfile if it knows the format, otherwise by ffmpeg.

    Raises
    ------
    FileError
        No decoder can open it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     soundfile.write(file.name, np.zeros((100_000, 2)), 44_100)
    ...     with open_stream(Path(file.name)) as stream:
    ...         stream.sample_rate_hz, stream.channels, [block.shape for block in stream.blocks], stream.truncated
    (44100, 2, [(65536, 2), (34464, 2)], False)
    """
    sound = _sndfile(path)
    if sound is None:
        with _open_ffmpeg(path) as stream:
            yield stream
        return
    with sound:
        shortened = _SHORTENED.search(sound.extra_info)
        cut = shortened is not None and int(shortened[1]) > int(shortened[2])
        stream = AudioStream(sound.samplerate, sound.channels, iter(()), cut)
        stream.blocks = _sndfile_blocks(sound, stream)
        yield stream


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


def _sndfile_blocks(sound: Any, stream: AudioStream) -> Iterator[SampleBlock]:
    dtype, decoded = "int16" if sound.subtype == "PCM_16" else "float32", 0
    while True:
        try:
            block = sound.read(_BLOCK_FRAMES, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError:
            stream.truncated = True
            return
        if not len(block):
            break
        decoded += len(block)
        yield block
    stream.truncated = stream.truncated or decoded < sound.frames


@contextlib.contextmanager
def _open_ffmpeg(path: Path) -> Iterator[AudioStream]:
    import imageio_ffmpeg

    # AU's header is six numbers, among them rate and channels, and its data may be of any length. Only the file itself
    # may be opened: a playlist must not make a worker fetch what it names.
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"]
    command += ["-i", f"file:{path}", "-map", "0:a:0", "-f", "au", "-c:a", "pcm_f32be", "pipe:1"]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, bufsize=0)
        try:
            pipe = process.stdout
            assert pipe is not None
            header = _read(pipe, 24)
            if len(header) < 24:
                process.wait()
                raise _no_audio(_text(errors), path)
            _, offset, _, _, rate, channels = struct.unpack(">6I", header)
            _read(pipe, offset - 24)
            stream = AudioStream(rate, channels, iter(()))
            stream.blocks = _ffmpeg_blocks(process, pipe, errors, stream)
            yield stream
        finally:
            process.kill()
            process.communicate()


def _ffmpeg_blocks(process: Any, pipe: IO[bytes], errors: IO[bytes], stream: AudioStream) -> Iterator[SampleBlock]:
    frame_bytes = 4 * stream.channels
    while data := _read(pipe, _BLOCK_FRAMES * frame_bytes):
        whole = len(data) - len(data) % frame_bytes
        yield np.frombuffer(data[:whole], ">f4").astype(np.float32).reshape(-1, stream.channels)
    stream.truncated = process.wait() != 0 or bool(_text(errors))


def _read(pipe: IO[bytes], count: int) -> bytes:
    """So many bytes of a pipe, or what it has until its end.

    Raises
    ------
    FileError
        Nothing comes any more.
    """
    data = bytearray()
    while len(data) < count:
        if not select.select([pipe], [], [], _PATIENCE_S)[0]:
            raise FileError(FAILED, f"ffmpeg gave nothing for {_PATIENCE_S} s")
        more = pipe.read(count - len(data))
        if not more:
            break
        data += more
    return bytes(data)


def _no_audio(error: str, path: Path) -> FileError:
    if "moov atom not found" in error:  # an MP4 file keeps its index at its end
        return FileError(TRUNCATED, "the MP4 file ends before its index")
    why = steady(cause(error), [str(path)]) or "it gave no audio"
    return FileError(NOT_AUDIO, f"neither libsndfile nor ffmpeg knows the format ({why})")


def _text(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode(errors="replace").strip()
