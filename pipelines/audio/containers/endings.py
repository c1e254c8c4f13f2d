"""Where a file ends, by the sizes that its outermost chunks state, and whether that is beyond its last byte.

Of these containers the decoders do not tell: they read what is there.
"""

import itertools
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipelines.audio.containers.table import HEAD_BYTES, MP4, Container, container_begun_by

Chunks = Iterator[tuple[bytes, int | None]]
"""The kind of each outermost chunk, and the byte before which it ends: None of samples of a length that nobody knew."""

_SEGMENT, _CLUSTER, _EBML = (bytes.fromhex(kind) for kind in ("18538067", "1f43b675", "1a45dfa3"))
_ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_KIND = re.compile(rb"[ -~]{4}")


@dataclass(frozen=True)
class Ending:
    """What the chunks of a file tell.

    Attributes
    ----------
    end : int
        Where it ends, in bytes: others may follow.
    is_cut : bool
        Whether a chunk reaches beyond the last byte.
    """

    end: int
    is_cut: bool


def ending_of(file: BinaryIO, container: Container, size: int) -> Ending | None:
    """How an open file of some bytes ends; None of containers that do not tell."""
    chunks = _CHUNKS.get(container.demuxer)
    if chunks is None:
        return None
    ends = [size if end is None else end for _, end in chunks(file, size)] or [size]
    return Ending(min(max(ends), size), is_cut=max(ends) > size)


def has_mp4_index(file: BinaryIO) -> bool:
    """Whether an MP4 file has its index, the box `moov`, which encoders write last."""
    return any(kind == b"moov" for kind, _ in _mp4_boxes(file, file.seek(0, os.SEEK_END)))


def _mp4_boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16).ljust(16, b"\0")
        length, kind, long_length = struct.unpack(">I4sQ", head)
        if not _KIND.match(kind):
            return
        length = long_length if length == 1 else length
        at = at + length if length >= 8 else size  # the last may state none
        yield kind, at


def _mp4_chunks(file: BinaryIO, size: int) -> Chunks:
    """The boxes of the first file: a box `ftyp` between two indexes begins another."""
    boxes = list(_mp4_boxes(file, size))
    indexes = [number for number, (kind, _) in enumerate(boxes) if kind == b"moov"] or [0]
    for number, (kind, end) in enumerate(boxes):
        if kind == b"ftyp" and indexes[0] < number < indexes[-1]:
            return
        yield kind, end


def _iff_chunks(file: BinaryIO, size: int) -> Chunks:
    """The chunks of WAV, AIFF and their kin up to others' samples; what lies behind the first need not be one."""
    file.seek(0)
    order = ">" if file.read(4) in (b"RIFX", b"FORM") else "<"
    at, length_of_data, has_samples = 12, 0, False
    while at < size:
        file.seek(at)
        head = file.read(HEAD_BYTES).ljust(HEAD_BYTES, b"\0")
        kind, length = struct.unpack_from(f"{order}4sI", head)
        if kind == b"ds64":  # of RF64, where 32 bits may be too few
            _, length_of_data = struct.unpack_from("<QQ", head, 8)
        is_of_samples = kind in (b"data", b"SSND")
        if is_of_samples and _is_unknown(length):
            length = length_of_data
        if is_of_samples and not length and not has_samples:
            yield kind, None
            return
        end = at + 8 + length
        if has_samples and (is_of_samples or end > size or not _is_chunk(head)):
            return
        has_samples |= is_of_samples
        yield kind, end
        at = end + length % 2


def _is_chunk(head: bytes) -> bool:
    """Whether some bytes that follow a chunk begin another, and neither another file nor anything else."""
    return _KIND.match(head) is not None and container_begun_by(head) in (None, MP4)


def _is_unknown(length: int) -> bool:
    """Whether programs state such a length that do not know how much is to come, as they write to a pipe.

    It is none, or about the most that 31 or 32 bits hold, from which some take off the header, and SoX 16 MB.
    """
    return length == 0 or 0x7F00_0000 <= length <= 0x8000_0000 or length >= 0xFF00_0000


def _w64_chunks(file: BinaryIO, size: int) -> Chunks:
    file.seek(16)
    (length_of_file,) = struct.unpack("<q", file.read(8).ljust(8, b"\0"))
    at, has_samples = 40, False
    while at < size and length_of_file != -1:
        file.seek(at)
        head = file.read(HEAD_BYTES).ljust(HEAD_BYTES, b"\0")
        kind, length = struct.unpack_from("<16sQ", head)
        if has_samples and (at + length > size or not _is_chunk(head)):
            return
        has_samples |= kind[:4] == b"data"
        yield kind, at + length
        at += max(length + -length % 8, 24)


def _caf_chunks(file: BinaryIO, size: int) -> Chunks:
    at, has_samples = 8, False
    while at < size:
        file.seek(at)
        head = file.read(HEAD_BYTES).ljust(HEAD_BYTES, b"\0")
        kind, length = struct.unpack_from(">4sq", head)
        if has_samples and not _is_chunk(head):
            return
        if length < 0:  # that of the samples may state none
            yield kind, None
            return
        has_samples |= kind == b"data"
        at += 12 + length
        yield kind, at


def _au_data(file: BinaryIO, size: int) -> Chunks:
    file.seek(0)
    order = ">" if file.read(4) == b".snd" else "<"
    offset, length = struct.unpack(f"{order}II", file.read(8).ljust(8, b"\0"))
    yield b"data", None if _is_unknown(length) else offset + length


def _asf_objects(file: BinaryIO, size: int) -> Chunks:
    at, has_samples = 0, False
    while at < size:
        file.seek(at)
        head = file.read(HEAD_BYTES).ljust(HEAD_BYTES, b"\0")
        kind, length = struct.unpack_from("<16sQ", head)
        if length < 24 or (has_samples and (at + length > size or container_begun_by(head))):
            return
        has_samples |= kind == _ASF_DATA
        at += length
        yield kind, at


def _matroska_elements(file: BinaryIO, size: int) -> Chunks:
    """The elements, and those within a segment or a cluster that does not state its size, as of a live recording."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        id_bytes, size_bytes = _vint_bytes(head), _vint_bytes(head[_vint_bytes(head) :])
        kind, stated = head[:id_bytes], head[id_bytes : id_bytes + size_bytes]
        if at and kind == _EBML:
            return
        at += id_bytes + size_bytes
        length = int.from_bytes(stated) & (1 << 7 * size_bytes) - 1
        if length != (1 << 7 * size_bytes) - 1:
            at += length
            yield kind, at
            if kind == _SEGMENT:
                return
        elif kind not in (_SEGMENT, _CLUSTER):
            return


def _vint_bytes(head: bytes) -> int:
    """The length of the number of variable length that some bytes begin with."""
    return 9 - head[0].bit_length() if head and head[0] else 9


def _wavpack_blocks(file: BinaryIO, size: int) -> Chunks:
    """The blocks of the first file: where they count their samples from 0 again, another begins."""
    at, last = 0, 0
    while at < size:
        file.seek(at)
        kind, length, first, count = struct.unpack("<4sI8xII", file.read(24).ljust(24, b"\0"))
        if kind != b"wvpk" or (count and first < last):
            return
        last = first if count else last
        at += 8 + length
        yield kind, at


def _tta_frames(file: BinaryIO, size: int) -> Chunks:
    """The frames, of 256/245 s each, whose lengths a table behind the header has."""
    file.seek(0)
    rate_hz, samples = struct.unpack("<10xII4x", file.read(22).ljust(22, b"\0"))
    count = -(-samples * 245 // max(256 * rate_hz, 1))
    begin = 22 + 4 * count + 4
    table = file.read(4 * count) if begin < size else b""
    lengths = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
    yield from ((b"", end) for end in itertools.accumulate(lengths, initial=begin))


def _dsf_file(file: BinaryIO, size: int) -> Chunks:
    file.seek(12)
    yield b"", int.from_bytes(file.read(8), "little") or None


_CHUNKS: dict[str, Callable[[BinaryIO, int], Chunks]] = {
    "mov": _mp4_chunks,
    "wav": _iff_chunks,
    "aiff": _iff_chunks,
    "w64": _w64_chunks,
    "caf": _caf_chunks,
    "au": _au_data,
    "asf": _asf_objects,
    "matroska": _matroska_elements,
    "wv": _wavpack_blocks,
    "tta": _tta_frames,
    "dsf": _dsf_file,
}
"""By FFmpeg's demuxer."""
