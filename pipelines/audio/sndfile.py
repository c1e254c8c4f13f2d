"""Audio by libsndfile: what it reads as every other decoder does, and faster."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import soundfile

from pipelines.audio.containers.window import Window
from pipelines.audio.streams import (
    ABSURD_HEADER,
    BLOCK_FRAMES,
    FAILED,
    NO_CHANNELS,
    TOO_SHORT,
    TRUNCATED,
    AudioStream,
    Block,
    UndecodableError,
)

# By libsndfile's error numbers, where it knows the format of a file.
_REASON_OF_ERROR = {24: ABSURD_HEADER, 32: NO_CHANNELS, 33: ABSURD_HEADER, 71: TRUNCATED}
_READ_AHEAD_BYTES = 1 << 15  # by which libFLAC may be ahead of what it has decoded
_FLAC_HEADER_BYTES = 42
_BLOCK_SAMPLES = 1 << 22  # of all channels


@contextlib.contextmanager
def open_sndfile(files: Sequence[BinaryIO], is_cut: bool) -> Iterator[AudioStream]:
    """Opens audio files, which are read one after another.

    Parameters
    ----------
    files : sequence of binary file
        Those of the system are read by their descriptors, and so must not be buffered.
    is_cut : bool
        Whether the last one ends early, which libsndfile does not tell.

    Raises
    ------
    UndecodableError
        libsndfile does not know a file, or finds no audio in it; in the midst of reading: there is more, or less, than
        it can read.
    """
    with contextlib.ExitStack() as stack:
        sounds = [stack.enter_context(_opened(file)) for file in files]
        stream = AudioStream(iter(()), is_cut=is_cut)
        stream.blocks = (block for file, sound in zip(files, sounds, strict=True) for block in _blocks(file, sound))
        stream.rest_s = lambda: sum((sound.frames - sound.tell()) / sound.samplerate for sound in sounds)
        yield stream


def _opened(file: BinaryIO) -> Any:
    file.seek(0)
    try:
        # Not by its name: libsndfile takes `.raw` for samples without a header, and names need not be UTF-8.
        sound = soundfile.SoundFile(file if isinstance(file, Window) else file.fileno(), closefd=False)
    except soundfile.LibsndfileError as error:
        raise UndecodableError(_REASON_OF_ERROR.get(error.code, FAILED), f"libsndfile: {error.error_string}") from error
    if not sound.frames:  # as of a WAV file whose header was never finished
        sound.close()
        raise UndecodableError(TOO_SHORT, "libsndfile finds no samples")
    return sound


def _blocks(file: BinaryIO, sound: Any) -> Iterator[Block]:
    dtype = "int16" if sound.subtype == "PCM_16" else "float32"
    frames = min(BLOCK_FRAMES, _BLOCK_SAMPLES // sound.channels)
    left = sound.frames
    while left:
        try:
            samples = sound.read(frames, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError as error:
            raise UndecodableError(FAILED, f"libsndfile: {error.error_string}") from error
        if not len(samples):
            raise UndecodableError(FAILED, f"libsndfile gives {left:,} frames too few")
        left -= len(samples)
        yield Block(samples, sound.samplerate)
    if sound.format == "FLAC":
        file.seek(max(file.tell() - _READ_AHEAD_BYTES, _FLAC_HEADER_BYTES))
        if b"fLaC" in file.read():
            raise UndecodableError(FAILED, "libsndfile does not read the file that is joined to it")
