"""TFRecord framing: length, checksum, content, checksum."""

import io
import struct
from collections.abc import Iterable, Iterator
from typing import IO

import google_crc32c

from pipelines.common.errors import SpectroshardError

FRAMING_BYTES = 16
"""How many bytes a record has besides its content."""


def write_record(file: IO[bytes], length: int, pieces: Iterable[bytes]) -> int:
    """Appends one record to a TFRecord file, and gives how many bytes that took.

    Parameters
    ----------
    file : binary file, open for writing
    length : int
        The content's bytes.
    pieces : iterable of bytes
        The content.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> write_record(file, 5, [b"spe", b"ct"])
    21
    >>> list(read_records(io.BytesIO(file.getvalue())))
    [b'spect']
    """
    header = struct.pack("<Q", length)
    file.write(header + _masked(google_crc32c.value(header)))
    crc = 0
    for piece in pieces:
        file.write(piece)
        crc = google_crc32c.extend(crc, piece)
    file.write(_masked(crc))
    return len(header) + 4 + length + 4


def content_of(framed: bytes) -> bytes:
    """The content of one record with its framing.

    Raises
    ------
    SpectroshardError
        It is not one whole record.
    """
    found = list(read_records(io.BytesIO(framed)))
    if len(found) != 1:
        raise SpectroshardError(f"{len(framed)} bytes hold {len(found)} TFRecords, expected one")
    return found[0]


def read_records(file: IO[bytes]) -> Iterator[bytes]:
    """The records of a TFRecord file, which can be sought in.

    Raises
    ------
    SpectroshardError
        A checksum does not fit, or the file ends within a record. No length is believed that the file has no room for.
    """
    offset = file.tell()
    left = file.seek(0, io.SEEK_END) - offset
    file.seek(offset)
    while left:
        header = file.read(12)
        if len(header) < 12 or _masked_crc(header[:8]) != header[8:]:
            raise SpectroshardError(f"the length of the TFRecord at byte {offset} is damaged")
        (length,) = struct.unpack("<Q", header[:8])
        if length > left - FRAMING_BYTES:
            raise SpectroshardError(
                f"the TFRecord at byte {offset} is damaged: it says that it has {length} bytes of {left} that are left"
            )
        content, checksum = file.read(length), file.read(4)
        if _masked_crc(content) != checksum:
            raise SpectroshardError(f"the content of the TFRecord at byte {offset} is damaged")
        yield content
        offset, left = offset + length + FRAMING_BYTES, left - length - FRAMING_BYTES


def _masked_crc(content: bytes) -> bytes:
    return _masked(google_crc32c.value(content))


def _masked(crc: int) -> bytes:
    # The mask is TFRecord's: https://www.tensorflow.org/tutorials/load_data/tfrecord
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
