"""TensorFlow's `tf.train.Example` without TensorFlow, which build workers need not install.

The messages are those of `tensorflow/core/example/example.proto` and `feature.proto`: an Example holds Features, a map
from keys to a Feature each, which is a list of bytes, of float32 or of int64. They are written byte by byte, so that a
record need not fit in memory, and read where they lie, so that it is there once: Google's protobuf copies. The encoding
is that of https://protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import NamedTuple

from pipelines.common.errors import SpectroshardError

_BYTES, _FLOATS, _INT64S = 1, 2, 3  # the fields' numbers in the message Feature
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5  # how a field's content is written


@dataclass(frozen=True)
class MapEntry:
    """An entry of an Example's map.

    Attributes
    ----------
    begin : bytes
        Its first bytes.
    follow : int
        How many bytes of its value come after them, which the caller writes.
    """

    begin: bytes
    follow: int = 0

    def __len__(self) -> int:
        return len(self.begin) + self.follow


@dataclass(frozen=True)
class Feature:
    """What an Example holds for a key: of the three lists one; the others are empty.

    Attributes
    ----------
    texts : tuple of memoryview
        The list of bytes; they stay where they are.
    floats : tuple of float
    ints : tuple of int
    entry : memoryview
        Its entry of the map as it was found.
    """

    texts: tuple[memoryview, ...]
    floats: tuple[float, ...]
    ints: tuple[int, ...]
    entry: memoryview


def bytes_entry(key: str, value: bytes) -> MapEntry:
    """An entry that holds one bytes value."""
    return _entry(key, _BYTES, value)


def bytes_to_follow(key: str, length: int) -> MapEntry:
    """An entry that holds one bytes value of this length, which the caller writes after it."""
    return _entry(key, _BYTES, b"", length)


def floats_entry(key: str, values: Sequence[float]) -> MapEntry:
    """An entry that holds a list of float32."""
    return _entry(key, _FLOATS, struct.pack(f"<{len(values)}f", *values))


def ints_entry(key: str, values: Sequence[int]) -> MapEntry:
    """An entry that holds a list of non-negative int64."""
    return _entry(key, _INT64S, b"".join(map(_varint, values)))


def head(entries: Mapping[str, Sized]) -> bytes:
    """The first bytes of an Example; its entries follow, sorted by key."""
    return _field(1, b"", sum(map(len, entries.values())))


def parse(serialized: bytes | memoryview) -> dict[str, Feature]:
    """The map of a serialised Example; fields that it does not know are passed over, as protobuf does.

    Raises
    ------
    SpectroshardError
        It is none, or a Feature is not of one kind.

    Examples
    --------
    >>> entry = ints_entry("shape", (50, 8))
    >>> parse(head({"shape": entry}) + entry.begin)["shape"].ints
    (50, 8)
    """
    whole = memoryview(serialized)
    try:
        return dict(map(_feature, _of(1, _inside(_of(1, _fields(whole))))))
    except (UnicodeDecodeError, struct.error) as error:
        raise _none(str(error)) from error


def _entry(key: str, kind: int, value: bytes, follow: int = 0) -> MapEntry:
    listed = _field(kind, _field(1, value, follow), follow)
    return MapEntry(_field(1, _field(1, key.encode()) + _field(2, listed, follow), follow), follow)


def _field(number: int, content: bytes, follow: int = 0) -> bytes:
    """A length-delimited protobuf field, but for its last `follow` bytes.

    >>> _field(2, b"abc").hex()
    '1203616263'
    """
    return _varint(number << 3 | 2) + _varint(len(content) + follow) + content


def _varint(value: int) -> bytes:
    """A non-negative number as protobuf writes it: seven bits a byte, the lowest first.

    >>> _varint(300).hex()
    'ac02'
    """
    lower, higher = value & 0x7F, value >> 7
    return bytes([lower | 0x80]) + _varint(higher) if higher else bytes([lower])


class _Field(NamedTuple):
    number: int
    wire: int
    content: memoryview
    whole: memoryview


def _fields(message: memoryview) -> Iterator[_Field]:
    """A message's fields, in their order."""
    end = 0
    while end < len(message):
        begin = end
        tag, at = _read_varint(message, begin)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise _none(f"a field has the number {number}")
        if wire == _VARINT:
            end = _read_varint(message, at)[1]
        elif wire == _DELIMITED:
            length, at = _read_varint(message, at)
            end = at + length
        elif wire in (_FIXED64, _FIXED32):
            end = at + (8 if wire == _FIXED64 else 4)
        else:
            raise _none(f"a field is of wire type {wire}")
        if end > len(message):
            raise _none(f"a field has {end - at} bytes of {len(message) - at} that are left")
        yield _Field(number, wire, message[at:end], message[begin:end])


def _inside(messages: Iterable[_Field]) -> list[_Field]:
    """The fields of messages, which count as one."""
    return [field for message in messages for field in _fields(message.content)]


def _of(number: int, fields: Iterable[_Field], *wires: int) -> list[_Field]:
    """The fields of this number; a field that is written in another way is another."""
    return [field for field in fields if field.number == number and field.wire in (wires or (_DELIMITED,))]


def _feature(entry: _Field) -> tuple[str, Feature]:
    """The key and the value of an entry of the map."""
    fields = _inside([entry])
    key = ["", *(str(field.content, "utf-8") for field in _of(1, fields))][-1]
    kinds = _inside(_of(2, fields))
    texts, floats, ints = (_of(kind, kinds) for kind in (_BYTES, _FLOATS, _INT64S))
    if sum(map(bool, (texts, floats, ints))) != 1:
        raise _none(f"{key!r} is not of one kind")
    # Numbers may be packed into one field: they are the same bytes, one number after another.
    floats, ints = _of(1, _inside(floats), _DELIMITED, _FIXED32), _of(1, _inside(ints), _DELIMITED, _VARINT)
    return key, Feature(
        texts=tuple(field.content for field in _of(1, _inside(texts))),
        floats=tuple(value for field in floats for (value,) in struct.iter_unpack("<f", field.content)),
        ints=tuple(value for field in ints for value in _int64s(field.content)),
        entry=entry.whole,
    )


def _int64s(content: memoryview) -> Iterator[int]:
    end = 0
    while end < len(content):
        value, end = _read_varint(content, end)
        yield (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _read_varint(content: memoryview, begin: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    if begin < len(content) and content[begin] < 0x80:  # as most are
        return content[begin], begin + 1
    value = 0
    for place, byte in enumerate(content[begin : begin + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, begin + place + 1
    raise _none("a number does not end")


def _none(why: str) -> SpectroshardError:
    return SpectroshardError(f"is no tf.train.Example: {why}")
