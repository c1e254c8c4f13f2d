"""TensorFlow's `tf.train.Example` without TensorFlow, which build workers need not install.

The messages are those of `tensorflow/core/example/example.proto` and `feature.proto`: an Example holds Features, a map
from keys to a Feature each, which is a list of bytes, of float32 or of int64. They are written byte by byte, so that a
record need not fit in memory, and read by Google's protobuf. The encoding is that of
https://protobuf.dev/programming-guides/encoding.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from pipelines.common.errors import SpectroshardError

_BYTES, _FLOATS, _INT64S = 1, 2, 3  # the fields' numbers in the message Feature


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


def entry_of(key: str, feature: Any) -> MapEntry:
    """The entry of a parsed Feature message, byte by byte what it was parsed from."""
    if feature.HasField("int64_list"):
        return ints_entry(key, feature.int64_list.value)
    if feature.HasField("float_list"):
        return floats_entry(key, feature.float_list.value)
    return bytes_entry(key, feature.bytes_list.value[0])


def head(entries: Mapping[str, MapEntry]) -> bytes:
    """The first bytes of an Example; its entries follow, sorted by key."""
    return _field(1, b"", sum(map(len, entries.values())))


def parse(serialized: bytes) -> Mapping[str, Any]:
    """The map of a serialised Example: a Feature message for each key.

    Raises
    ------
    SpectroshardError
        It is none.
    """
    try:
        features: Mapping[str, Any] = _Example.FromString(serialized).features.feature
    except DecodeError as error:
        raise SpectroshardError("is no tf.train.Example") from error
    return features


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


def _example_class() -> Any:
    """The message class `Example`, in a pool of its own so that it does not meet TensorFlow's."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="spectroshard", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, int, str]) -> Any:
        made = file.message_type.add(name=name)
        for field, label, kind, type_name in fields:
            number = len(made.field) + 1
            made.field.add(name=field, number=number, label=label, type=kind, type_name=type_name or None)
        return made

    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    message("BytesList", ("value", many, kinds.TYPE_BYTES, ""))
    message("FloatList", ("value", many, kinds.TYPE_FLOAT, ""))
    message("Int64List", ("value", many, kinds.TYPE_INT64, ""))
    lists = (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List"))
    feature = message("Feature", *((n, one, kinds.TYPE_MESSAGE, f".spectroshard.{t}") for n, t in lists))
    feature.oneof_decl.add(name="kind")
    for field in feature.field:
        field.oneof_index = 0
    features = message("Features", ("feature", many, kinds.TYPE_MESSAGE, ".spectroshard.Features.FeatureEntry"))
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=one, type=kinds.TYPE_STRING)
    entry.field.add(name="value", number=2, label=one, type=kinds.TYPE_MESSAGE, type_name=".spectroshard.Feature")
    message("Example", ("features", one, kinds.TYPE_MESSAGE, ".spectroshard.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("spectroshard.Example"))


_Example = _example_class()
