"""TFRecord framing: length, checksum, content, checksum."""

import io
import struct
from collections.abc import Iterable, Iterator
from typing import IO, TypeVar

import google_crc32c

from pipelines.common.errors import SpectroshardError

FRAMING_BYTES = 16
"""How many bytes a record has besides its content."""

_CHUNK_BYTES = 1 << 20
_Content = TypeVar("_Content", bytes, memoryview)


def write_record(file: IO[bytes], length: int, pieces: Iterable[bytes | memoryview]) -> int:
    """Appends one record to a TFRecord file, and gives how many bytes that took.

    Parameters
    ----------
    file : binary file, open for writing
    length : int
        The content's bytes.
    pieces : iterable of bytes or memoryview
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
        crc = _extended(crc, piece)
    file.write(_masked(crc))
    return len(header) + 4 + length + 4


def content_of(framed: bytes) -> memoryview:
    """The content of one record with its framing, where it is.

    Raises
    ------
    SpectroshardError
        It is not one whole record.
    """
    length, whole = _length(framed[:12], 0, len(framed)), len(framed) - FRAMING_BYTES
    if length != whole:
        raise SpectroshardError(f"a TFRecord has {length} bytes, expected {whole}")
    return _checked(memoryview(framed)[12:-4], framed[-4:], 0)


def read_records(file: IO[bytes]) -> Iterator[bytes]:
    """The records of a TFRecord file, which can be sought in; none is held while the next is read.

    Raises
    ------
    SpectroshardError
        A checksum does not fit, or the file ends within a record. No length is believed that the file has no room for.
    """
    offset = file.tell()
    left = file.seek(0, io.SEEK_END) - offset
    file.seek(offset)
    while left:
        length = _length(file.read(12), offset, left)
        yield _checked(file.read(length), file.read(4), offset)
        offset, left = offset + length + FRAMING_BYTES, left - length - FRAMING_BYTES


def _length(header: bytes, offset: int, left: int) -> int:
    """What the header of the record at this offset says, if there is room for it."""
    if len(header) < 12 or _masked(google_crc32c.value(header[:8])) != header[8:]:
        raise SpectroshardError(f"the length of the TFRecord at byte {offset} is damaged")
    length: int = struct.unpack("<Q", header[:8])[0]
    if length > left - FRAMING_BYTES:
        raise SpectroshardError(
            f"the TFRecord at byte {offset} is damaged: it says that it has {length} bytes of {left} that are left"
        )
    return length


def _checked(content: _Content, checksum: bytes, offset: int) -> _Content:
    if _masked(_extended(0, content)) != checksum:
        raise SpectroshardError(f"the content of the TFRecord at byte {offset} is damaged")
    return content


def _extended(crc: int, content: bytes | memoryview) -> int:
    """A checksum with more content; `google_crc32c` takes bytes alone, so of a view a little is copied at a time."""
    for begin in range(0, len(content), _CHUNK_BYTES):
        crc = google_crc32c.extend(crc, bytes(content[begin : begin + _CHUNK_BYTES]))
    return crc


def _masked(crc: int) -> bytes:
    # The mask is TFRecord's: https://www.tensorflow.org/tutorials/load_data/tfrecord
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
