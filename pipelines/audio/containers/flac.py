"""Whether a FLAC file holds as many samples as its header says: by its last frame, whose header has a number too."""

import os
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

_STREAMINFO_BYTES = 42  # with what comes before it
_LEAST_FRAME_HEADER_BYTES, _FRAME_HEADER_BYTES = 6, 16
_SEARCHED_BYTES = 1 << 16
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_BLOCK_SIZES = {
    1: 192,
    **{code: 576 << code - 2 for code in range(2, 6)},
    **{code: 256 << code - 8 for code in range(8, 16)},
}


@dataclass(frozen=True)
class Ending:
    """What the last frame tells.

    Attributes
    ----------
    is_as_promised : bool
        Whether it ends at the last sample that the header promises; False also where it promises nothing.
    at : int
        Where it begins, in bytes; 0 where there is none near the end of the file.
    """

    is_as_promised: bool
    at: int


def ending_of(file: BinaryIO) -> Ending:
    """How an open file ends.

    One of unknown length, one that ends early, and several joined files do not end as promised.
    """
    file.seek(0)
    head = file.read(_STREAMINFO_BYTES)
    if len(head) < _STREAMINFO_BYTES:
        return Ending(is_as_promised=False, at=0)
    (largest_block,) = struct.unpack_from(">H", head, 10)
    largest_frame = int.from_bytes(head[15:18])
    promised = int.from_bytes(head[21:26]) & 0xF_FFFF_FFFF
    size = file.seek(0, os.SEEK_END)
    begin = file.seek(max(size - max(2 * largest_frame, _SEARCHED_BYTES), 0))
    tail = file.read()
    places = [found.start() for found in _SYNC.finditer(tail)]
    ends = ((_end_of_frame(tail[at:][:_FRAME_HEADER_BYTES], largest_block), at) for at in places)
    last, at = max(ends, default=(0, 0))
    return Ending(0 < last == promised, begin + at if last else 0)


def begin_of_frames(file: BinaryIO) -> int:
    """Where the metadata of an open file ends, in which headers of other containers may be kept."""
    at, is_last = 4, False
    while not is_last:
        file.seek(at)
        head = file.read(4)
        is_last = len(head) < 4 or head[0] >= 0x80
        at += 4 + int.from_bytes(head[1:])
    return at


def _end_of_frame(header: bytes, largest_block: int) -> int:
    """The sample before which a frame ends; 0 where its header is none."""
    if len(header) < _LEAST_FRAME_HEADER_BYTES:
        return 0
    number, at = _coded_number(header)
    code = header[2] >> 4
    if code in (6, 7):
        block = int.from_bytes(header[at : at + code - 5]) + 1
        at += code - 5
    else:
        block = _BLOCK_SIZES.get(code, 0)
    at += {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if not block or at >= len(header) or _crc8(header[:at]) != header[at]:
        return 0
    has_sample_number = header[1] & 1
    return (number if has_sample_number else number * largest_block) + block


def _coded_number(header: bytes) -> tuple[int, int]:
    """The number of a frame's first sample or of the frame itself, coded as UTF-8 codes letters, and where it ends."""
    first = header[4] if len(header) > 4 else 0
    ones = 8 - (first ^ 0xFF).bit_length()
    number = first & (0x7F >> ones)
    for byte in header[5 : 4 + ones]:
        number = number << 6 | byte & 0x3F
    return number, max(4 + ones, 5)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ 0x07 if value & 0x80 else value << 1) & 0xFF
    return value
