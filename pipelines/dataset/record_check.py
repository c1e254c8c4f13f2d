"""Whether the bytes of a record are what the format makes of one: nothing else is to reach TensorFlow."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipelines.common.errors import SpectroshardError
from pipelines.config import StorageType
from pipelines.dataset import example_proto, records
from pipelines.dataset.dataset import FeatureInfo
from pipelines.dataset.example_proto import Feature
from pipelines.dataset.quantisation import dequantise, is_scaled, item_bytes
from pipelines.dataset.records import DATA, DTYPE, GENRE, ID, SCALE, SHAPE, feature_key

Observe = Callable[[str, NDArray[np.float32]], None]
"""Is given a feature's name and values, shape (frames, bins)."""

_AT_ONCE = 1 << 18  # values, so that what is made of them stays in the processor's cache
_EXPONENT = np.uint16(0x7C00)  # of a float16; all of its bits are set in NaN and infinity alone


@dataclass(frozen=True, slots=True)
class Examined:
    """What a record is.

    Attributes
    ----------
    id, genre : str
    content : bytes
        A digest of its features as they are stored.
    """

    id: str
    genre: str
    content: bytes


def examine(serialized: bytes, features: Mapping[str, FeatureInfo], observe: Observe | None = None) -> Examined:
    """What a serialised record is.

    Parameters
    ----------
    serialized : bytes
    features : dict of FeatureInfo
        What it is to have, and nothing else.
    observe : callable
        Is given each feature's values.

    Raises
    ------
    SpectroshardError
        It is not what the format makes of any recording.
    """
    entries = example_proto.parse(serialized)
    _refuse_other_keys(entries, features)
    digest = xxhash.xxh3_128()
    shapes: dict[str, tuple[int, ...]] = {}
    for name, info in features.items():
        content = _bytes_of(entries, feature_key(name, DATA))
        shapes[name] = _shape(entries, name, info, len(content))
        scale = _scale(entries, name) if is_scaled(info.dtype) else ()
        if not is_scaled(info.dtype) and not _is_finite(content):
            raise SpectroshardError(f"{name} holds values that are not finite")
        digest.update(np.array([*shapes[name], *scale]).tobytes())
        digest.update(content)
        if observe:
            stored = np.frombuffer(content, np.dtype(info.dtype).newbyteorder("<")).reshape(shapes[name])
            observe(name, dequantise(stored, scale))
    id, genre = (_text(entries, key) for key in (ID, GENRE))
    _refuse_more(serialized, id, genre, shapes, {info.dtype for info in features.values()})
    return Examined(id, genre, digest.digest())


def _refuse_other_keys(entries: Mapping[str, Feature], features: Mapping[str, FeatureInfo]) -> None:
    expected = {ID, GENRE}
    for name, info in features.items():
        parts = (DATA, SHAPE, DTYPE, *([SCALE] if is_scaled(info.dtype) else []))
        expected |= {feature_key(name, part) for part in parts}
    found = set(entries)
    if missing := sorted(expected - found):
        raise SpectroshardError(f"has no {missing[0]}")
    if other := sorted(found - expected):
        raise SpectroshardError(f"has {other[0]!r}, of which dataset.json says nothing")


def _bytes_of(entries: Mapping[str, Feature], key: str) -> memoryview:
    values = entries[key].texts
    if len(values) != 1:
        raise SpectroshardError(f"{key} holds {len(values)} texts, expected one")
    return values[0]


def _text(entries: Mapping[str, Feature], key: str) -> str:
    return str(_bytes_of(entries, key), "utf-8", "backslashreplace")


def _shape(entries: Mapping[str, Feature], name: str, info: FeatureInfo, length: int) -> tuple[int, ...]:
    dtype, shape = _text(entries, feature_key(name, DTYPE)), entries[feature_key(name, SHAPE)].ints
    if dtype != info.dtype:
        raise SpectroshardError(f"{name} is of type {dtype!r}, dataset.json says {info.dtype}")
    frames = length // (info.bins * item_bytes(info.dtype))
    if shape != (frames, info.bins) or frames < 1 or frames * info.bins * item_bytes(info.dtype) != length:
        found = ", ".join(map(str, shape))
        raise SpectroshardError(
            f"{name} has shape ({found}) and {length} bytes, expected {info.bins} {info.dtype} values in each of one"
            " frame or more"
        )
    return shape


def _scale(entries: Mapping[str, Feature], name: str) -> Sequence[float]:
    scale = entries[feature_key(name, SCALE)].floats
    if len(scale) != 2 or not np.isfinite(scale).all():
        raise SpectroshardError(f"{name} has the scale {scale}, expected two finite numbers")
    return scale


def _is_finite(content: memoryview) -> bool:
    values = np.frombuffer(content, "<u2")
    chunks = (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
    return all((chunk & _EXPONENT).max() < _EXPONENT for chunk in chunks)


def _refuse_more(
    serialized: bytes, id: str, genre: str, shapes: Mapping[str, tuple[int, ...]], dtypes: Iterable[StorageType]
) -> None:
    """Refuses what the parser passed over: a key that is there twice, a field that it does not know."""
    expected = records.length_of(id, genre, shapes, *dtypes)
    if len(serialized) != expected:
        raise SpectroshardError(f"has {len(serialized)} bytes, expected {expected} of what it holds")
