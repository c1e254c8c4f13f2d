"""All frames of MPEG audio (MP1, MP2, MP3) that a file has, whatever a header says of how many there are."""

import itertools
import os
import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

_CHUNK_BYTES = 1 << 20
_LEAST_FRAME_BYTES = 24
_AHEAD_BYTES = 1 << 14  # more than three frames take
_PROBED_BYTES = 1 << 20  # in which the first frame must begin
_TAG_HEAD_BYTES = 32
_LONGEST_LYRICS_BYTES = 5_120  # of Lyrics3 v1, which states no length
_ENCODERS_THAT_TELL_DELAYS = (b"LAME", b"Lavf", b"Lavc")
_XING_ENDS_BY = 64
_DECODER_DELAY = 529  # samples by which a decoder lags behind, besides the encoder's own delay


@dataclass(frozen=True)
class Part:
    """What one encoder wrote: frames of one layer, rate and number of channels. Files that are joined are several.

    Attributes
    ----------
    offsets, lengths : array of int64, shape (frames,)
        Where in the file the frames of audio lie, in bytes.
    layer, rate_hz, channels : int
    promised_frames : int
        How many frames its header promises; -1 where it has no header that says it.
    delay, padding : int
        The samples that are not of the music: the first and, of a part as long as promised, the last.
    """

    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    layer: int
    rate_hz: int
    channels: int
    promised_frames: int = -1
    delay: int = 0
    padding: int = 0

    @property
    def frame_samples(self) -> int:
        """The samples of a frame, of each channel."""
        if self.layer == 1:
            return 384
        return 576 if self.layer == 3 and self.rate_hz < 32_000 else 1_152

    @property
    def is_as_promised(self) -> bool:
        """Whether it has just as many frames as its header promises."""
        return self.promised_frames == len(self.offsets)

    @property
    def samples(self) -> int:
        """The samples of the music, of each channel."""
        padding = self.padding if self.is_as_promised else 0
        return max(len(self.offsets) * self.frame_samples - self.delay - padding, 0)

    @property
    def duration_s(self) -> float:
        """The music's duration."""
        return self.samples / self.rate_hz


@dataclass(frozen=True)
class Frames:
    """The frames of a file.

    Attributes
    ----------
    parts : tuple of Part
    damaged_s : float
        How long that would play, about, in which no frame is found.
    is_cut : bool
        Whether the file ends within a frame.
    """

    parts: tuple[Part, ...]
    damaged_s: float
    is_cut: bool

    @property
    def are_as_promised(self) -> bool:
        """Whether there is one part alone, whole, and its header promises neither more nor less."""
        return len(self.parts) == 1 and self.parts[0].is_as_promised and not self.damaged_s and not self.is_cut


def end_of_id3(file: BinaryIO) -> int:
    """Where what follows the ID3v2 tags begins, of which none counts that claims to be longer than the file."""
    position, size = 0, file.seek(0, os.SEEK_END)
    while True:
        file.seek(position)
        head = file.read(_TAG_HEAD_BYTES)
        length = tag_bytes(head) if head[:3] == b"ID3" else 0
        if not length or position + length > size:
            return position
        position += length


def begin_of_tags(file: BinaryIO) -> int:
    """Where the tags begin that a file ends with (ID3v1, APEv1 and APEv2, Lyrics3, ID3v2 with a footer)."""
    end = file.seek(0, os.SEEK_END)
    while True:
        file.seek(max(end - _LONGEST_LYRICS_BYTES, 0))
        length = _tag_bytes_before(file.read(min(end, _LONGEST_LYRICS_BYTES)))
        if not 0 < length <= end:
            return end
        end -= length


def _tag_bytes_before(tail: bytes) -> int:
    """The length of the tag that some bytes end with; 0 if they end with none.

    >>> _tag_bytes_before(b"..." + b"TAG" + bytes(125)), _tag_bytes_before(b"LYRICSBEGIN" + b"000011LYRICS200")
    (128, 26)
    """
    if tail[-128:-125] == b"TAG":
        return 355 if tail[-355:-351] == b"TAG+" else 128
    if tail[-32:-24] == b"APETAGEX":
        size, flags = (int.from_bytes(tail[at : at + 4], "little") for at in (-20, -12))
        return size + (32 if flags & 0x8000_0000 else 0)
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return int(tail[-15:-9]) + 15
    if tail[-9:] == b"LYRICSEND" and b"LYRICSBEGIN" in tail:
        return len(tail) - tail.rindex(b"LYRICSBEGIN")
    if tail[-10:-7] == b"3DI":
        return tag_bytes(b"ID3" + tail[-7:])
    return 0


def tag_bytes(head: bytes) -> int:
    """The length of the tag (ID3v2, ID3v1, APEv2) that some bytes begin; 0 if they begin none.

    >>> tag_bytes(b"ID3" + bytes([4, 0, 0, 0, 0, 1, 2])), tag_bytes(b"TAG"), tag_bytes(b"fLaC")
    (140, 128, 0)
    """
    if head[:3] == b"ID3" and len(head) >= 10 and max(head[6:10]) < 0x80:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:3] == b"TAG":
        return 227 if head[3:4] == b"+" else 128
    if head[:8] == b"APETAGEX" and len(head) >= 24:
        size, _, flags = struct.unpack_from("<III", head, 12)
        return 32 + (size if flags & 0x2000_0000 else 0)
    return 0


def has_frames(file: BinaryIO, begin: int) -> bool:
    """Whether frames of MPEG audio begin in the MiB behind a byte."""
    from pipelines.audio.containers import mpeg_headers  # compiles, which those that only list files need not wait for

    file.seek(begin)
    data = np.frombuffer(file.read(_PROBED_BYTES + _AHEAD_BYTES), np.uint8)
    until = min(len(data) - 3, _PROBED_BYTES)
    return bool(mpeg_headers.search(data, 0, until) < until)


def frames_of(file: BinaryIO) -> Frames:
    """Finds all frames of an open file."""
    position, end = end_of_id3(file), begin_of_tags(file)
    finder, is_last = _Finder(end), False
    while not is_last:
        file.seek(position)
        data = np.frombuffer(file.read(min(_CHUNK_BYTES, max(end - position, 0))), np.uint8)
        is_last = len(data) < _CHUNK_BYTES
        position += finder.go_through(data, position, is_last)
    return finder.found(file)


class _Finder:
    """Finds a file's frames, in one chunk of it after another."""

    def __init__(self, size: int) -> None:
        self._size = size
        most = _CHUNK_BYTES // _LEAST_FRAME_BYTES
        self._room = tuple(np.empty(most, np.int64) for _ in range(3))  # for lengths, kinds and marks
        self._rows: list[NDArray[np.int64]] = []
        self._last_kind, self._lost_bytes, self._is_cut = -1, 0, False

    def go_through(self, data: NDArray[np.uint8], offset: int, is_last: bool) -> int:
        """Takes the frames of a chunk, which lies there in the file, and tells how many of its bytes are done."""
        from pipelines.audio.containers import mpeg_headers

        at, until = 0, len(data) - (3 if is_last else _AHEAD_BYTES)
        while at < until:
            count, end, why = mpeg_headers.walk(data, at, until, self._last_kind, *self._room)
            if count:
                self._add(offset + at, count)
            at = end
            if why == mpeg_headers.CUT:
                self._is_cut = True
                break
            if why == mpeg_headers.LOST:
                length = tag_bytes(data[at : at + _TAG_HEAD_BYTES].tobytes())
                is_tag = length and offset + at + length <= self._size
                at += length if is_tag else self._lost(data, at, until)
        return at

    def _add(self, offset: int, count: int) -> None:
        lengths, kinds, marks = (column[:count] for column in self._room)
        self._rows.append(np.stack([offset + np.cumsum(lengths) - lengths, lengths, kinds, marks]))
        self._last_kind = kinds[-1]

    def _lost(self, data: NDArray[np.uint8], at: int, until: int) -> int:
        """How many bytes no frame begins in."""
        from pipelines.audio.containers import mpeg_headers

        lost: int = mpeg_headers.search(data, at + 1, until) - at
        self._lost_bytes += lost if self._rows else 0
        return lost

    def found(self, file: BinaryIO) -> Frames:
        """All that was found."""
        rows = np.concatenate([np.zeros((4, 0), np.int64), *self._rows], axis=1)
        _, lengths, kinds, marks = rows
        is_first = (marks > 0) | (np.diff(kinds, prepend=-1) != 0)
        starts = [*np.flatnonzero(is_first), len(kinds)]
        parts = tuple(_part(rows[:, start:end], file) for start, end in itertools.pairwise(starts))
        duration_s = sum(part.duration_s for part in parts)
        return Frames(parts, self._lost_bytes * duration_s / max(int(lengths.sum()), 1), self._is_cut)


def _part(rows: NDArray[np.int64], file: BinaryIO) -> Part:
    from pipelines.audio.containers.mpeg_headers import XING, kind

    offsets, lengths, kinds, marks = rows
    begins_with_header = int(marks[0] != 0)
    part = Part(offsets[begins_with_header:], lengths[begins_with_header:], *kind(int(kinds[0])))
    if marks[0] != XING:
        return part
    file.seek(offsets[0])
    promised_frames, delay, padding = _told(file.read(lengths[0]))
    return replace(part, promised_frames=promised_frames, delay=delay, padding=padding)


def _told(frame: bytes) -> tuple[int, int, int]:
    """What a Xing or Info header tells of the frames behind it: how many, and the encoder's delay and padding."""
    at = max(frame.find(b"Xing", 0, _XING_ENDS_BY), frame.find(b"Info", 0, _XING_ENDS_BY))
    flags, frames = struct.unpack_from(">II", frame, at + 4)
    lengths = [each for bit, each in enumerate((4, 4, 100, 4)) if flags >> bit & 1]  # frames, bytes, table, quality
    lame = frame[at + 8 + sum(lengths) :]
    delay, padding = 0, 0
    if lame[:4] in _ENCODERS_THAT_TELL_DELAYS and len(lame) >= 24:
        delays = int.from_bytes(lame[21:24])
        delay, padding = (delays >> 12) + _DECODER_DELAY, max((delays & 0xFFF) - _DECODER_DELAY, 0)
    return frames if flags & 1 else -1, delay, padding
