"""TensorFlow's `tf.train.Example` without TensorFlow, which build workers need not install.

The messages are those of `tensorflow/core/example/example.proto` and `feature.proto`: an Example holds Features, a map
from keys to a Feature each, which is a list of bytes, of float32 or of int64. They are written byte by byte, so that a
record need not fit in memory, and read where they lie, so that it is there once: Google's protobuf copies. The encoding
is that of https://protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass

from pipelines.common.errors import SpectroshardError

_BYTES, _FLOATS, _INT64S = 1, 2, 3  # the fields' numbers in the message Feature
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5  # how a field's content is written
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_MOST_BYTES_OF_NUMBERS = 1 << 16  # as a list they take up to some forty times as much

_Field = tuple[int, memoryview, memoryview]
"""Its tag, which is its number and how it is written; its content; and all of it."""


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
        It is none, or a Feature is not of one kind, or is a list of numbers of more than 64 KB.

    Examples
    --------
    >>> entry = ints_entry("shape", (50, 8))
    >>> parse(head({"shape": entry}) + entry.begin)["shape"].ints
    (50, 8)
    """
    try:
        features = _of(_fields([memoryview(serialized)]), _tag(1))
        return dict(_feature(content, whole) for tag, content, whole in _fields(features) if tag == _tag(1))
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
    return _varint(_tag(number)) + _varint(len(content) + follow) + content


def _tag(number: int, wire: int = _DELIMITED) -> int:
    return number << 3 | wire


def _varint(value: int) -> bytes:
    """A non-negative number as protobuf writes it: seven bits a byte, the lowest first.

    >>> _varint(300).hex()
    'ac02'
    """
    lower, higher = value & 0x7F, value >> 7
    return bytes([lower | 0x80]) + _varint(higher) if higher else bytes([lower])


def _fields(messages: Iterable[memoryview]) -> list[_Field]:
    """The fields of messages, which count as one, in their order."""
    fields = []
    for message in messages:
        end = 0
        while end < len(message):
            at = end
            tag, begin = _read_varint(message, at)
            wire = tag & 7
            if not 0 < tag >> 3 < 1 << 29:
                raise _none(f"a field has the number {tag >> 3}")
            if wire == _DELIMITED:
                length, begin = _read_varint(message, begin)
                end = begin + length
            elif wire == _VARINT:
                end = _read_varint(message, begin)[1]
            elif wire in _FIXED_BYTES:
                end = begin + _FIXED_BYTES[wire]
            else:
                raise _none(f"a field is of wire type {wire}")
            if end > len(message):
                raise _none(f"a field has {end - begin} bytes of {len(message) - begin} that are left")
            fields.append((tag, message[begin:end], message[at:end]))
    return fields


def _of(fields: Iterable[_Field], *tags: int) -> list[memoryview]:
    """The contents of the fields with these tags; a field that is written in another way is another."""
    return [content for tag, content, _ in fields if tag in tags]


def _feature(content: memoryview, whole: memoryview) -> tuple[str, Feature]:
    """The key and the value of an entry of the map."""
    fields = _fields([content])
    key = ["", *(str(text, "utf-8") for text in _of(fields, _tag(1)))][-1]
    kinds = _fields(_of(fields, _tag(2)))
    texts, floats, ints = (_of(kinds, _tag(kind)) for kind in (_BYTES, _FLOATS, _INT64S))
    if sum(map(bool, (texts, floats, ints))) != 1:
        raise _none(f"{key!r} is not of one kind")
    if (numbers := sum(map(len, floats or ints))) > _MOST_BYTES_OF_NUMBERS:
        raise _none(f"{key!r} has {numbers} bytes of numbers, expected at most {_MOST_BYTES_OF_NUMBERS}")
    listed = _fields(texts or floats or ints)
    # Numbers may be packed into one field: they are the same bytes, one number after another.
    floats = _of(listed, _tag(1), _tag(1, _FIXED32)) if floats else []
    ints = _of(listed, _tag(1), _tag(1, _VARINT)) if ints else []
    return key, Feature(
        texts=tuple(_of(listed, _tag(1))) if texts else (),
        floats=tuple(value for packed in floats for (value,) in struct.iter_unpack("<f", packed)),
        ints=tuple(value for packed in ints for value in _int64s(packed)),
        entry=whole,
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
