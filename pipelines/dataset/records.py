"""Records: one song as a `tf.train.Example` in a TFRecord file, written and parsed in this one place.

The record's keys are `song_id`, `genre` and `group`, and for each feature NAME `NAME/data` (the array's bytes, row by
row), `NAME/shape` (frames, bins), `NAME/dtype`, and for uint8 `NAME/scale` (step, lowest value). The messages are those
of TensorFlow's `example.proto` and `feature.proto`, made here so that build workers need no TensorFlow.
"""

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray

from pipelines.common.arrays import spooled
from pipelines.common.arrays.spooled import FrameArray

_STRINGS = {"song_id": "id", "genre": "genre", "group": "group"}
"""The keys of a record's texts, and the fields of `Record` that they hold."""


@dataclass(frozen=True)
class Record:
    """One song of a shard.

    Attributes
    ----------
    id, genre, group : str
    features : dict
        Each feature by name: an array, or of a long song to be written a `SpooledArray`, of shape (frames, bins).
    """

    id: str
    genre: str
    group: str
    features: Mapping[str, Any]


def scale_of(values: FrameArray, dtype: str) -> tuple[float, float]:
    """The scale by which a feature is stored: (step, lowest) of uint8, (1, 0) of float16."""
    if dtype == "float16":
        return 1.0, 0.0
    lowest, highest = spooled.min_max(values)
    # As float32, so that what is recorded is what is used.
    return float(np.float32((highest - lowest) / 255)) or 1.0, float(np.float32(lowest))


def quantise(values: NDArray[np.float32], dtype: str, scale: Sequence[float]) -> NDArray[Any]:
    """Values of a feature as they are stored: of uint8, `stored * step + lowest` gives them again, to half a step.

    Parameters
    ----------
    values : array
    dtype : 'float16' or 'uint8'
    scale : (step, lowest)
    """
    if dtype == "float16":
        from pipelines.common.arrays.float16 import to_float16  # compiles, which readers need not wait for

        return to_float16(values).astype("<f2", copy=False)
    step, lowest = scale
    steps: NDArray[np.float32] = np.rint((values - lowest) / step)
    return np.clip(steps, 0, 255).astype(np.uint8)


def restore(stored: NDArray[Any], scale: Sequence[float]) -> NDArray[np.float32]:
    """The values of a stored feature, float32."""
    values: NDArray[np.float32] = stored.astype(np.float32)
    return values if stored.dtype == np.float16 else values * np.float32(scale[0]) + np.float32(scale[1])


def encode(record: Record, dtype: str) -> bytes:
    """A song's serialised Example, its features stored as `dtype`; equal songs give equal bytes."""
    return b"".join(serialise(record, dtype)[1])


def serialise(
    record: Record, dtype: str, see: Callable[[str, NDArray[np.float32]], None] = lambda name, values: None
) -> tuple[int, Iterator[bytes]]:
    """A song's serialised Example in pieces, so that it need not fit in memory.

    Parameters
    ----------
    record : Record
    dtype : 'float16' or 'uint8'
    see : callable
        Is given each feature's name and values, stretch by stretch, as a reader will see them.

    Returns
    -------
    length : int
        How many bytes it has.
    pieces : iterator of bytes
        Each made when it is asked for.
    """
    entries: dict[str, tuple[bytes, int]] = {}  # of each key the field's beginning, and how many bytes follow it
    for key, field in _STRINGS.items():
        entries[key] = _entry(key, _BYTES, getattr(record, field).encode()), 0
    scales = {name: scale_of(values, dtype) for name, values in record.features.items()}
    for name, values in record.features.items():
        size = np.dtype(dtype).itemsize * math.prod(values.shape)
        entries[f"{name}/data"] = _entry(f"{name}/data", _BYTES, b"", size), size
        entries[f"{name}/shape"] = _entry(f"{name}/shape", _INT64S, b"".join(map(_varint, values.shape))), 0
        entries[f"{name}/dtype"] = _entry(f"{name}/dtype", _BYTES, dtype.encode()), 0
        if dtype == "uint8":
            entries[f"{name}/scale"] = _entry(f"{name}/scale", _FLOATS, struct.pack("<2f", *scales[name])), 0
    head = _field(1, b"", sum(len(begin) + follow for begin, follow in entries.values()))

    def pieces() -> Iterator[bytes]:
        yield head
        for key in sorted(entries):
            begin, follow = entries[key]
            yield begin
            name = key.removesuffix("/data")
            for rows in spooled.row_chunks(record.features[name]) if follow else ():
                stored = quantise(record.features[name][rows], dtype, scales[name])
                see(name, restore(stored, scales[name]))
                yield stored.tobytes()

    return len(head) + sum(len(begin) + follow for begin, follow in entries.values()), pieces()


# The fields' numbers in the message Feature.
_BYTES, _FLOATS, _INT64S = 1, 2, 3


def _entry(key: str, kind: int, value: bytes, follow: int = 0) -> bytes:
    """An entry of the map in the message Features, but for as many last bytes of the value as follow."""
    listed = _field(kind, _field(1, value, follow), follow)
    return _field(1, _field(1, key.encode()) + _field(2, listed, follow), follow)


def _field(number: int, content: bytes, follow: int = 0) -> bytes:
    """A field of a protobuf message that has a length: what it begins with, of which `follow` bytes follow."""
    return _varint(number << 3 | 2) + _varint(len(content) + follow) + content


def _varint(value: int) -> bytes:
    """A number as protobuf writes it: seven bits a byte, the lowest first."""
    lower, higher = value & 0x7F, value >> 7
    return bytes([lower | 0x80]) + _varint(higher) if higher else bytes([lower])


def decode(serialized: bytes) -> Record:
    """The song of a serialised Example, its features restored to float32."""
    entries = _Example.FromString(serialized).features.feature
    features = {}
    for key in sorted(entries):
        name, _, part = key.rpartition("/")
        if part == "data":
            dtype = entries[f"{name}/dtype"].bytes_list.value[0].decode()
            shape = tuple(entries[f"{name}/shape"].int64_list.value)
            stored = np.frombuffer(entries[key].bytes_list.value[0], dtype).reshape(shape)
            features[name] = restore(stored, entries[f"{name}/scale"].float_list.value if dtype == "uint8" else ())
    texts = {field: entries[key].bytes_list.value[0].decode() for key, field in _STRINGS.items()}
    return Record(**texts, features=features)


def parse_tensors(serialized: Any, names: Sequence[str], dtype: str) -> dict[str, Any]:
    """Parses an Example within a `tf.data` graph; its features stay as they are stored.

    Parameters
    ----------
    serialized : tf.Tensor, string, shape ()
    names : sequence of str
        The features to read.
    dtype : 'float16' or 'uint8'
        As the dataset says.

    Returns
    -------
    dict
        `song_id`, `genre` and `group`, string, shape (); each feature, of `dtype`, shape (frames, bins), and of uint8
        its `NAME/scale`, shape (2,).
    """
    import tensorflow as tf

    spec = {key: tf.io.FixedLenFeature([], tf.string) for key in (*_STRINGS, *(f"{name}/data" for name in names))}
    spec |= {f"{name}/shape": tf.io.FixedLenFeature([2], tf.int64) for name in names}
    if dtype == "uint8":
        spec |= {f"{name}/scale": tf.io.FixedLenFeature([2], tf.float32) for name in names}
    parsed = tf.io.parse_single_example(serialized, spec)
    for name in names:
        parsed[name] = tf.reshape(tf.io.decode_raw(parsed.pop(f"{name}/data"), dtype), parsed.pop(f"{name}/shape"))
    return dict(parsed)


def restore_tensors(
    song: Mapping[str, Any], names: Sequence[str], rows: Callable[[str, Any], tuple[Any, Any]] | None = None
) -> dict[str, Any]:
    """A parsed song's features as float32, shape (frames, bins) each.

    Parameters
    ----------
    song : dict
        Of `parse_tensors`.
    names : sequence of str
    rows : callable
        Given a feature's name and its frames, the first frame to restore and how many. Default: all.
    """
    import tensorflow as tf

    restored = {}
    for name in names:
        frames = tf.shape(song[name])[0]
        first, count = (0, frames) if rows is None else rows(name, frames)
        values = tf.cast(song[name][first : first + count], tf.float32)
        scale = song.get(f"{name}/scale")
        restored[name] = values if scale is None else values * scale[0] + scale[1]
    return restored


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
