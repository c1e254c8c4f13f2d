"""Whether a file ends in the middle of what it began, by the sizes that its outermost chunks state.

Of these containers the decoders do not tell: they read what is there.
"""

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pipelines.audio.containers.table import Container

Chunks = Iterator[tuple[bytes, int]]
"""The kind of each outermost chunk, and the byte before which it ends."""

_SEGMENT, _CLUSTER = bytes.fromhex("18538067"), bytes.fromhex("1f43b675")


def is_cut(file: BinaryIO, container: Container) -> bool | None:
    """Whether a chunk reaches beyond the end of an open file; None of containers without such chunks."""
    size = file.seek(0, os.SEEK_END)
    chunks = _CHUNKS.get(container.demuxer)
    return any(end > size for _, end in chunks(file, size)) if chunks else None


def has_mp4_index(file: BinaryIO) -> bool:
    """Whether an MP4 file has its index, the box `moov`, which encoders write last."""
    return any(kind == b"moov" for kind, _ in mp4_boxes(file, file.seek(0, os.SEEK_END)))


def mp4_boxes(file: BinaryIO, size: int) -> Chunks:
    """The outermost boxes of an MP4 file."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(16).ljust(16, b"\0")
        length, kind, long_length = struct.unpack(">I4sQ", head)
        length = long_length if length == 1 else length
        at = at + length if length >= 8 else size  # the last may state none
        yield kind, at


def _iff_chunks(file: BinaryIO, size: int) -> Chunks:
    """The chunks of WAV, AIFF and their kin, up to that of the samples: what lies behind it need not be a chunk."""
    file.seek(0)
    order = ">" if file.read(4) in (b"RIFX", b"FORM") else "<"
    at, length_of_data = 12, 0
    while at < size:
        file.seek(at)
        kind, length = struct.unpack(f"{order}4sI", file.read(8).ljust(8, b"\0"))
        if kind == b"ds64":  # of RF64, where 32 bits may be too few
            _, length_of_data = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))
        if kind in (b"data", b"SSND"):
            if is_unknown(length):
                length = length_of_data
            yield kind, at + 8 + length
            return
        yield kind, at + 8 + length
        at += 8 + length + length % 2


def is_unknown(length: int) -> bool:
    """Whether programs state such a length that do not know how much is to come, as they write to a pipe.

    It is none, or about the most that 31 or 32 bits hold, from which some take off the header, and SoX 16 MB.
    """
    return length == 0 or 0x7F00_0000 <= length <= 0x8000_0000 or length >= 0xFF00_0000


def _w64_chunks(file: BinaryIO, size: int) -> Chunks:
    file.seek(16)
    (length_of_file,) = struct.unpack("<q", file.read(8).ljust(8, b"\0"))
    at = 40
    while at < size and length_of_file != -1:
        file.seek(at)
        kind, length = struct.unpack("<16sQ", file.read(24).ljust(24, b"\0"))
        yield kind, at + length
        if kind[:4] == b"data":
            return
        at += max(length + -length % 8, 24)


def _caf_chunks(file: BinaryIO, size: int) -> Chunks:
    at = 8
    while at < size:
        file.seek(at)
        kind, length = struct.unpack(">4sq", file.read(12).ljust(12, b"\0"))
        if length < 0:  # that of the samples may state none
            return
        at += 12 + length
        yield kind, at


def _au_data(file: BinaryIO, size: int) -> Chunks:
    file.seek(0)
    order = ">" if file.read(4) == b".snd" else "<"
    offset, length = struct.unpack(f"{order}II", file.read(8).ljust(8, b"\0"))
    if not is_unknown(length):
        yield b"data", offset + length


def _asf_objects(file: BinaryIO, size: int) -> Chunks:
    at = 0
    while at < size:
        file.seek(at)
        kind, length = struct.unpack("<16sQ", file.read(24).ljust(24, b"\0"))
        if length < 24:
            return
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
        at += id_bytes + size_bytes
        length = int.from_bytes(stated) & (1 << 7 * size_bytes) - 1
        if length != (1 << 7 * size_bytes) - 1:
            at += length
            yield kind, at
        elif kind not in (_SEGMENT, _CLUSTER):
            return


def _vint_bytes(head: bytes) -> int:
    """The length of the number of variable length that some bytes begin with."""
    return 9 - head[0].bit_length() if head and head[0] else 9


_CHUNKS: dict[str, Callable[[BinaryIO, int], Chunks]] = {
    "mov": mp4_boxes,
    "wav": _iff_chunks,
    "aiff": _iff_chunks,
    "w64": _w64_chunks,
    "caf": _caf_chunks,
    "au": _au_data,
    "asf": _asf_objects,
    "matroska": _matroska_elements,
}
"""By FFmpeg's demuxer."""
