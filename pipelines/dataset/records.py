"""Records: one recording's features as a `tf.train.Example` in a TFRecord file, written and read in this one place.

A record's keys are `id`, `genre`, and for each feature NAME `NAME/data` (the array's bytes, row by row), `NAME/shape`
(frames, bins), `NAME/dtype`, and for uint8 `NAME/scale` (step, lowest value). Paths, songs, artists and groups are in
the dataset's tables alone, so that a record stays the same when these change.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays import spooled
from pipelines.common.errors import SpectroshardError
from pipelines.config import StorageType
from pipelines.dataset import example_proto
from pipelines.dataset.example_proto import Feature, MapEntry
from pipelines.dataset.ledger import record_id
from pipelines.dataset.quantisation import dequantise, is_scaled, item_bytes, quantise, scale_of

ID, GENRE = TEXT_KEYS = "id", "genre"
"""The keys of a record's texts."""

DATA, SHAPE, DTYPE, SCALE = "data", "shape", "dtype", "scale"
"""What is stored of each feature."""


def feature_key(name: str, part: str) -> str:
    """The key of a part of a feature.

    >>> feature_key("log_mel", SHAPE)
    'log_mel/shape'
    """
    return f"{name}/{part}"


@dataclass(frozen=True)
class Record:
    """What a shard holds of one recording.

    Attributes
    ----------
    id : str
        As `pipelines.dataset.ledger.record_id` gives it.
    genre : str
    features : dict
        Each feature by name, shape (frames, bins): an array, or of a long recording to be written a `SpooledArray`.
    """

    id: str
    genre: str
    features: Mapping[str, Any]


def serialise(record: Record, dtype: StorageType) -> tuple[int, Iterator[bytes]]:
    """A record's serialised Example in pieces, so that it need not fit in memory; equal records give equal bytes.

    Parameters
    ----------
    record : Record
    dtype : 'float16' or 'uint8'

    Returns
    -------
    length : int
        How many bytes it has.
    pieces : iterator of bytes
        Each made when it is asked for.

    Examples
    --------
    >>> record = Record("5f0c", "blues", {"log_mel": np.array([[-1, 0], [0.5, 2]], np.float32)})
    >>> length, pieces = serialise(record, "float16")
    >>> serialized = b"".join(pieces)
    >>> len(serialized) == length
    True
    >>> decode(serialized).features["log_mel"]
    array([[-1. ,  0. ],
           [ 0.5,  2. ]], dtype=float32)
    """
    scales = {name: scale_of(values, dtype) for name, values in record.features.items()}
    entries = _entries(record.id, record.genre, {n: v.shape for n, v in record.features.items()}, dtype, scales)
    feature_of = {feature_key(name, DATA): name for name in record.features}
    head = example_proto.head(entries)

    def pieces() -> Iterator[bytes]:
        yield head
        for key in sorted(entries):
            yield entries[key].begin
            if name := feature_of.get(key):
                for rows in spooled.row_chunks(record.features[name]):
                    yield quantise(record.features[name][rows], dtype, scales[name]).tobytes()

    return len(head) + sum(map(len, entries.values())), pieces()


def length_of(id: str, genre: str, shapes: Mapping[str, tuple[int, ...]], dtype: StorageType) -> int:
    """How many bytes the serialised record has whose features have these shapes.

    >>> record = Record("5f0c", "blues", {"log_mel": np.zeros((300, 2), np.float32)})
    >>> length_of("5f0c", "blues", {"log_mel": (300, 2)}, "uint8") == serialise(record, "uint8")[0]
    True
    """
    entries = _entries(id, genre, shapes, dtype, dict.fromkeys(shapes, (0.0, 0.0)))
    return len(example_proto.head(entries)) + sum(map(len, entries.values()))


def _entries(
    id: str,
    genre: str,
    shapes: Mapping[str, tuple[int, ...]],
    dtype: StorageType,
    scales: Mapping[str, tuple[float, float]],
) -> dict[str, MapEntry]:
    """A record's entries by their keys; the data of features are to follow."""
    texts = zip(TEXT_KEYS, (id, genre), strict=True)
    entries = {key: example_proto.bytes_entry(key, text.encode()) for key, text in texts}
    for name, shape in shapes.items():
        entries |= _feature_entries(name, shape, dtype, scales[name])
    return entries


def _feature_entries(
    name: str, shape: tuple[int, ...], dtype: StorageType, scale: tuple[float, float]
) -> dict[str, MapEntry]:
    data, shaped, typed, scaled = (feature_key(name, part) for part in (DATA, SHAPE, DTYPE, SCALE))
    entries = {
        data: example_proto.bytes_to_follow(data, item_bytes(dtype) * math.prod(shape)),
        shaped: example_proto.ints_entry(shaped, shape),
        typed: example_proto.bytes_entry(typed, dtype.encode()),
    }
    return entries | ({scaled: example_proto.floats_entry(scaled, scale)} if is_scaled(dtype) else {})


class StoredRecord:
    """A serialised record, read without copying its features.

    Parameters
    ----------
    serialized : bytes or memoryview

    Attributes
    ----------
    id, genre : str

    Raises
    ------
    SpectroshardError
        It is no Example.
    """

    def __init__(self, serialized: bytes | memoryview):
        self._entries = example_proto.parse(serialized)
        self.id, self.genre = (_text(self._entries, key) for key in TEXT_KEYS)

    def require_recording(self, content_hash: str) -> None:
        """Checks that this is the record of a recording.

        Raises
        ------
        SpectroshardError
            It is that of another.
        """
        if self.id != record_id(content_hash, self.genre):
            raise SpectroshardError(f"record {self.id} of genre {self.genre!r} is not one of recording {content_hash}")

    def with_genre(self, content_hash: str, genre: str) -> list[bytes | memoryview]:
        """The serialised record of this recording with a genre, in pieces; its features' bytes stay where they are."""
        entries: dict[str, bytes | memoryview] = {key: feature.entry for key, feature in self._entries.items()}
        entries[ID] = example_proto.bytes_entry(ID, record_id(content_hash, genre).encode()).begin
        entries[GENRE] = example_proto.bytes_entry(GENRE, genre.encode()).begin
        return [example_proto.head(entries), *(entries[key] for key in sorted(entries))]

    def chunks(self) -> Iterator[tuple[str, Iterator[NDArray[np.float32] | NDArray[np.float16]]]]:
        """Each feature's name and values, a chunk of rows at a time: uint8 restored to float32, float16 as it is."""

        def restored(stored: NDArray[Any], scale: Sequence[float]) -> NDArray[Any]:
            return dequantise(stored, scale) if scale else stored

        for name in _feature_names(self._entries):
            stored, scale = _stored(self._entries, name)
            yield name, (restored(stored[rows], scale) for rows in spooled.row_chunks(stored))


def decode(serialized: bytes | memoryview) -> Record:
    """The record of a serialised Example, its features restored to float32."""
    entries = example_proto.parse(serialized)
    id, genre = (_text(entries, key) for key in TEXT_KEYS)
    return Record(id, genre, {name: dequantise(*_stored(entries, name)) for name in _feature_names(entries)})


def _text(entries: Mapping[str, Feature], key: str) -> str:
    return str(entries[key].texts[0], "utf-8")


def _feature_names(entries: Mapping[str, Feature]) -> list[str]:
    return [key.removesuffix(feature_key("", DATA)) for key in sorted(entries) if key.endswith(feature_key("", DATA))]


def _stored(entries: Mapping[str, Feature], name: str) -> tuple[NDArray[Any], tuple[float, ...]]:
    """A feature as it is stored, shape (frames, bins), and its scale."""
    data, shape, dtype, scale = (feature_key(name, part) for part in (DATA, SHAPE, DTYPE, SCALE))
    stored = np.frombuffer(entries[data].texts[0], _text(entries, dtype))
    return stored.reshape(entries[shape].ints), entries[scale].floats if scale in entries else ()
