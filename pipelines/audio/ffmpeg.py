"""Audio by FFmpeg's libraries, in this process: what libsndfile does not read, or not rightly.

A demuxer is always named, and nothing but the file itself can be opened. Where FFmpeg has several decoders of a codec,
the one is taken that computes in integers: those in floating point (AAC, AC-3, Opus, Vorbis, WMA, DTS) give other last
bits on a processor without AVX2 or FMA3, and a recording's content hash would depend on who decoded it. Of Vorbis, WMA,
E-AC-3 and DTS there is no other; Vorbis in Ogg is libsndfile's.
"""

import contextlib
import errno
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from pipelines.audio.containers import endings, mpeg, table
from pipelines.audio.losses import Losses
from pipelines.audio.streams import ABSURD_HEADER, BLOCK_FRAMES, FAILED, TRUNCATED, AudioStream, Block, SampleBlock
from pipelines.common.errors import FileError

MOST_CHANNELS = 1_024
"""As many as libsndfile takes."""

_IN_INTEGERS = {"aac": "aac_fixed", "ac3": "ac3_fixed", "mp3": "mp3", "mp2": "mp2", "mp1": "mp1", "opus": "libopus"}
_AAC_IN_INTEGERS = ("LC", "HE-AAC", "HE-AACv2")
_MPEG_LAYERS = {1: "mp1", 2: "mp2", 3: "mp3"}
_NOTHING_ELSE = {"protocol_whitelist": "none"}  # no demuxer opens another file, or an address
_REFUSE_DAMAGED = {"err_detect": "crccheck+explode"}
_READ_BYTES = 1 << 20
_OF_EQUAL_PACKETS = ("ac3", "eac3")
_WITH_NUMBERS = ("flac", "ogg", "wv")  # demuxers of frames that have numbers

Frames = Iterator[tuple[SampleBlock, int]]
"""Decoded samples, shape (frames, channels), and their rate."""


@contextlib.contextmanager
def open_container(files: Sequence[BinaryIO], container: table.Container, is_cut: bool | None) -> Iterator[AudioStream]:
    """Opens files of one container, which are read one after another.

    Parameters
    ----------
    files : sequence of binary file
    container : Container
    is_cut : bool or None
        Whether the last one ends early; None: as its packets tell.

    Raises
    ------
    FileError
        One cannot be opened, or there is no audio in it.
    """
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(contextlib.closing(_Reader(file, container, is_cut))) for file in files]
        stream = AudioStream(iter(()), is_cut=bool(is_cut))
        stream.blocks = _joined(frame for reader in readers for frame in reader.frames(stream))
        stream.rest_s = lambda: sum(reader.rest_s() for reader in readers)
        yield stream


@contextlib.contextmanager
def open_mpeg(file: BinaryIO, frames: mpeg.Frames) -> Iterator[AudioStream]:
    """Opens MPEG audio whose frames are known; each part is decoded by itself."""
    stream = AudioStream(iter(()), is_cut=frames.is_cut, damaged_s=frames.damaged_s)
    given_s = 0.0

    def counted() -> Iterator[Block]:
        nonlocal given_s
        for block in _joined(
            frame for part in frames.parts for frame in _music(_mpeg_frames(file, part, stream), part)
        ):
            given_s += block.duration_s
            yield block

    stream.blocks = counted()
    stream.rest_s = lambda: max(sum(part.duration_s for part in frames.parts) - given_s, 0.0)
    yield stream


def metadata(path: Path) -> dict[str, str]:
    """A local file's tags, those of the first audio stream among them.

    Raises
    ------
    FileError
        It cannot be opened.
    """
    with path.open("rb", buffering=0) as file:
        container, _ = table.container_of(file)
        with contextlib.closing(_opened(file, container, is_cut=False)) as opened:
            return {**opened.metadata, **_audio_stream(opened).metadata}


class _Reader:
    """A demuxer of a file, and a decoder of its first audio stream."""

    def __init__(self, file: BinaryIO, container: table.Container, is_cut: bool | None):
        self._file = file
        self._is_cut = is_cut
        self._container = _opened(file, container, bool(is_cut))
        try:
            self._stream = _audio_stream(self._container)
            self._codec = _decoder(self._stream, container)
        except BaseException:
            self.close()
            raise
        self._packets = self._demuxed()
        self._losses = Losses(
            has_times=container.demuxer in _WITH_NUMBERS,
            has_equal_packets=container.demuxer in _OF_EQUAL_PACKETS,
            has_any_packets=self._codec.name.startswith("pcm_"),
        )

    def close(self) -> None:
        self._container.close()

    def rest_s(self) -> float:
        """How long the packets that were not decoded would play."""
        return float(sum((packet.duration or 0) * packet.time_base for packet in self._packets))

    def frames(self, stream: AudioStream) -> Frames:
        """Decodes packet after packet; tells the stream of what cannot be, and whether the file is cut."""
        for packet in self._packets:
            frames = self._decoded(packet)
            self._losses.count(packet, frames)
            yield from ((_samples(frame), frame.sample_rate) for frame in frames or ())
        is_cut = self._losses.end_is_cut if self._is_cut is None else self._is_cut
        stream.is_cut |= is_cut
        stream.damaged_s += self._losses.seconds(None if is_cut else _promised_s(self._stream))

    def _decoded(self, packet: Any) -> list[Any] | None:
        """A packet's frames; None if it cannot be decoded."""
        try:
            frames: list[Any] = self._codec.decode(packet if packet.size else None)
            return frames
        except FFmpegError as error:
            _raise_if_of_the_machine(error)
            return None

    def _demuxed(self) -> Iterator[Any]:
        """All packets, also those behind a place where the demuxer fails, as long as it finds its way again."""
        failed_at = -1
        while self._file.tell() > failed_at:
            try:
                yield from self._container.demux(self._stream)
                return
            except FFmpegError as error:
                _raise_if_of_the_machine(error)
                failed_at = self._file.tell()
                self._losses.is_lost = True


class _AsOfFFmpeg:
    """A file as FFmpeg reads its own: whatever a damaged header asks for, nothing is raised."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.tell = file.tell

    def read(self, count: int) -> bytes:
        """The next bytes, at most that many: whoever wants more asks again."""
        return self._file.read(min(count, _READ_BYTES))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """The new position; a negative number where there is none."""
        try:
            return self._file.seek(offset, whence)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return -errno.EINVAL


def _opened(file: BinaryIO, container: table.Container, is_cut: bool) -> Any:
    try:
        file.seek(0)
        source: Any = _AsOfFFmpeg(file)
        return av.open(source, format=container.demuxer, container_options=_NOTHING_ELSE, metadata_errors="replace")
    except FFmpegError as error:
        _raise_if_of_the_machine(error)
        if container is table.MP4 and is_cut and not endings.has_mp4_index(file):
            raise FileError(TRUNCATED, "the MP4 file ends before its index") from error
        raise FileError(FAILED, f"FFmpeg cannot open it as {container.name}: {error.strerror}") from error


def _audio_stream(container: Any) -> Any:
    if not container.streams.audio:
        raise FileError(table.NOT_AUDIO, "there is no audio in it")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        raise FileError(FAILED, "FFmpeg does not know its codec")
    return stream


def _decoder(stream: Any, container: table.Container) -> Any:
    """A decoder of the stream, in integers if there is one, of one thread."""
    context = stream.codec_context
    codec = context.codec.canonical_name
    name = _IN_INTEGERS.get(codec) if codec != "aac" or context.profile in _AAC_IN_INTEGERS else None
    if name:
        extradata, context = context.extradata, av.CodecContext.create(name, "r")
        if extradata:
            context.extradata = extradata
    elif container is table.FLAC:
        context.options = _REFUSE_DAMAGED
    context.thread_count = 1
    return context


def _promised_s(stream: Any) -> float:
    return float((stream.duration or 0) * stream.time_base)


def _mpeg_frames(file: BinaryIO, part: mpeg.Part, stream: AudioStream) -> Frames:
    codec: Any = av.CodecContext.create(_MPEG_LAYERS[part.layer], "r")
    for offset, length in zip(part.offsets.tolist(), part.lengths.tolist(), strict=True):
        file.seek(offset)
        try:
            frames = codec.decode(av.Packet(file.read(length)))
        except FFmpegError as error:
            _raise_if_of_the_machine(error)
            stream.damaged_s += part.frame_samples / part.rate_hz
            continue
        yield from ((_samples(frame), frame.sample_rate) for frame in frames)


def _music(frames: Frames, part: mpeg.Part) -> Frames:
    """A part's frames without what its encoder added in front and behind."""
    skipped, left = part.delay, part.samples
    for samples, rate_hz in frames:
        kept = samples[skipped : skipped + left]
        skipped, left = max(skipped - len(samples), 0), left - len(kept)
        if len(kept):
            yield kept, rate_hz


def _samples(frame: Any) -> SampleBlock:
    """A frame's samples, shape (frames, channels): int16 or float32."""
    try:
        array: NDArray[Any] = frame.to_ndarray()
    except ValueError as error:  # integers of 64 bits
        raise FileError(FAILED, f"samples of the format {frame.format.name} cannot be read") from error
    array = array.T if frame.format.is_planar else array.reshape(frame.samples, -1)
    if array.shape[1] > MOST_CHANNELS:
        raise FileError(ABSURD_HEADER, f"{array.shape[1]} channels, expected at most {MOST_CHANNELS}")
    if array.dtype == np.uint8:
        return (array - np.float32(128)) / np.float32(128)
    if array.dtype.kind == "i" and array.dtype != np.int16:
        return array * np.float32(2.0 ** (1 - 8 * array.dtype.itemsize))
    return array if array.dtype == np.int16 else array.astype(np.float32)


def _joined(frames: Frames) -> Iterator[Block]:
    """Frames in blocks that are worth the work on each."""

    def kind(frame: tuple[SampleBlock, int]) -> tuple[Any, ...]:
        return frame[1], frame[0].shape[1], frame[0].dtype

    for (rate_hz, channels, _), group in itertools.groupby(frames, kind):
        held: list[SampleBlock] = []
        count = 0
        for samples, _ in group:
            held.append(samples)
            count += len(samples)
            if count * channels >= BLOCK_FRAMES:
                yield Block(_concatenated(held), rate_hz)
                held, count = [], 0
        if held:
            yield Block(_concatenated(held), rate_hz)


def _concatenated(frames: list[SampleBlock]) -> SampleBlock:
    samples: Any = frames  # all of one type, which numpy's own types cannot say
    # FFmpeg's may lie channel by channel, and would as one.
    out: Any = np.empty((sum(map(len, frames)), frames[0].shape[1]), frames[0].dtype)
    joined: SampleBlock = np.concatenate(samples, out=out)
    return joined


def _raise_if_of_the_machine(error: FFmpegError) -> None:
    if isinstance(error, MemoryError):
        raise error
