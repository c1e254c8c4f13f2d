"""TensorFlow's `tf.train.Example` without TensorFlow, which build workers need not install.

The messages are those of `tensorflow/core/example/example.proto` and `feature.proto`: an Example holds Features, a map
from keys to a Feature each, which is a list of bytes, of float32 or of int64. They are written byte by byte, so that a
record need not fit in memory, and read where they lie, so that it is there once: Google's protobuf copies. The encoding
is that of https://protobuf.dev/programming-guides/encoding.
"""

import functools
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass

from pipelines.common.errors import SpectroshardError

_BYTES, _FLOATS, _INT64S = 1, 2, 3  # the fields' numbers in the message Feature
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5  # how a field's content is written
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
# A field's tag is its number and how it is written: one that is written in another way is another.
_FIRST, _SECOND = (number << 3 | _DELIMITED for number in (1, 2))
_KINDS = {kind << 3 | _DELIMITED: kind for kind in (_BYTES, _FLOATS, _INT64S)}
_MOST_BYTES_OF_NUMBERS = 1 << 16  # as a list they take up to some forty times as much

_MOST_BYTES_KNOWN = 64  # of an entry

_Entry = tuple[str, tuple[memoryview, ...], tuple[float, ...], tuple[int, ...]]
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
        The list of bytes; long ones stay where they are.
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
        features = [content for tag, content, _ in _fields([memoryview(serialized)]) if tag == _FIRST]
        return dict(_feature(content, whole) for tag, content, whole in _fields(features) if tag == _FIRST)
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
        end, size = 0, len(message)
        while end < size:
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
            if end > size:
                raise _none(f"a field has {end - begin} bytes of {size - begin} that are left")
            fields.append((tag, message[begin:end], message[at:end]))
    return fields


def _feature(content: memoryview, whole: memoryview) -> tuple[str, Feature]:
    """The key and the value of an entry of the map."""
    small = len(content) <= _MOST_BYTES_KNOWN
    key, texts, floats, ints = _known_entry(content.tobytes()) if small else _large_entry(content)
    return key, Feature(texts, floats, ints, whole)


@functools.lru_cache(maxsize=4_096)
def _known_entry(content: bytes) -> _Entry:
    # Of most entries, as the type and the shape of features, record after record holds the same.
    return _parsed_entry(memoryview(content))


def _large_entry(content: memoryview) -> _Entry:
    # Most are a text, as the values of a feature, with which the fields that it is in end too.
    begin, key_end = _span(content, 0, _FIRST)
    at = key_end
    for tag in (_SECOND, _tag(_BYTES), _FIRST):
        at, end = _span(content, at, tag)
        if end != len(content):
            return _parsed_entry(content)
    return str(content[begin:key_end], "utf-8"), (content[at:],), (), ()


def _span(content: memoryview, at: int, tag: int) -> tuple[int, int]:
    """Where the content of a delimited field of this tag begins and ends; 0 and 0 where there is another."""
    if at >= len(content) or content[at] != tag:
        return 0, 0
    length, begin = _read_varint(content, at + 1)
    return begin, begin + length


def _parsed_entry(content: memoryview) -> _Entry:
    """The key of an entry of the map, and the lists of its value."""
    key, values = "", []
    for tag, value, _ in _fields([content]):
        if tag == _FIRST:
            key = str(value, "utf-8")
        elif tag == _SECOND:
            values.append(value)
    lists = [(_KINDS[tag], listed) for tag, listed, _ in _fields(values) if tag in _KINDS]
    kinds, contents = {kind for kind, _ in lists}, [listed for _, listed in lists]
    if len(kinds) != 1:
        raise _none(f"{key!r} is not of one kind")
    if _BYTES in kinds:
        texts = tuple(text for tag, text, _ in _fields(contents) if tag == _FIRST)
        return key, texts, (), ()
    if (numbers := sum(map(len, contents))) > _MOST_BYTES_OF_NUMBERS:
        raise _none(f"{key!r} has {numbers} bytes of numbers, expected at most {_MOST_BYTES_OF_NUMBERS}")
    # Numbers may be packed into one field: they are the same bytes, one number after another.
    alone = _tag(1, _FIXED32 if _FLOATS in kinds else _VARINT)
    packed = [some for tag, some, _ in _fields(contents) if tag in (_FIRST, alone)]
    if _FLOATS in kinds:
        floats = tuple(value for some in packed for (value,) in struct.iter_unpack("<f", some))
        return key, (), floats, ()
    return key, (), (), tuple(value for some in packed for value in _int64s(some))


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
