"""TFRecord framing: length, checksum, content, checksum."""

import io
import struct
from collections.abc import Iterable, Iterator
from typing import IO

import google_crc32c

from pipelines.common.errors import SpectroshardError


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
    """The records of a TFRecord file.

    Raises
    ------
    SpectroshardError
        A checksum does not fit, or the file ends within a record.
    """
    while header := file.read(12):
        if len(header) < 12 or _masked_crc(header[:8]) != header[8:]:
            raise SpectroshardError("a TFRecord's length is damaged; build the dataset again")
        (length,) = struct.unpack("<Q", header[:8])
        content, checksum = file.read(length), file.read(4)
        if _masked_crc(content) != checksum:
            raise SpectroshardError("a TFRecord's content is damaged; build the dataset again")
        yield content


def _masked_crc(content: bytes) -> bytes:
    return _masked(google_crc32c.value(content))


def _masked(crc: int) -> bytes:
    # The mask is TFRecord's: https://www.tensorflow.org/tutorials/load_data/tfrecord
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
