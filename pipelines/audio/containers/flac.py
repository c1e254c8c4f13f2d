"""Whether a FLAC file holds as many samples as its header says: by its last frame, whose header has a number too."""

import itertools
import os
import re
import struct
from typing import BinaryIO

_STREAMINFO_BYTES = 42  # with what comes before it
_LEAST_FRAME_HEADER_BYTES, _FRAME_HEADER_BYTES = 6, 16
_SEARCHED_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20
_BEGINNING = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_BLOCK_SIZES = {
    1: 192,
    **{code: 576 << code - 2 for code in range(2, 6)},
    **{code: 256 << code - 8 for code in range(8, 16)},
}


def ends_as_promised(file: BinaryIO) -> bool:
    """Whether the last frame ends at the last sample that the header promises; False also where it promises nothing.

    A file of unknown length, one that ends early, and several joined files are none of it.
    """
    file.seek(0)
    head = file.read(_STREAMINFO_BYTES)
    if len(head) < _STREAMINFO_BYTES:
        return False
    (largest_block,) = struct.unpack_from(">H", head, 10)
    largest_frame = int.from_bytes(head[15:18])
    promised = int.from_bytes(head[21:26]) & 0xF_FFFF_FFFF
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - max(2 * largest_frame, _SEARCHED_BYTES), 0))
    tail = file.read()
    ends = (_end_of_frame(tail[found.start() :][:_FRAME_HEADER_BYTES], largest_block) for found in _SYNC.finditer(tail))
    return promised > 0 and max(ends, default=0) == promised


def files_in(file: BinaryIO) -> list[tuple[int, int]]:
    """Where each of the FLAC files begins and ends that are joined in an open file."""
    begins: list[int] = []
    at = 0
    while True:
        file.seek(at)
        data = file.read(_CHUNK_BYTES)
        begins += [at + found.start() for found in _BEGINNING.finditer(data) if found.start() < _CHUNK_BYTES - 8]
        if len(data) < _CHUNK_BYTES:
            return list(itertools.pairwise([*begins, at + len(data)]))
        at += len(data) - 8


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
