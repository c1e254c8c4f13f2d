"""Sums of columns in double precision, by compiled loops: numpy would make doubles of all values first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays.jit import compiled


def add_columns(
    values: NDArray[np.float32] | NDArray[np.float16], sums: NDArray[np.float64], squares: NDArray[np.float64]
) -> None:
    """Adds each column's values, and their squares, to what there is, row by row.

    Parameters
    ----------
    values : array, shape (rows, columns)
        float32 or float16.
    sums, squares : array, shape (columns,)
        They are added to in place.

    Examples
    --------
    >>> sums, squares = np.zeros(2), np.zeros(2)
    >>> add_columns(np.array([[1, 2], [3, 4]], np.float16), sums, squares)
    >>> sums, squares
    (array([4., 6.]), array([10., 20.]))
    """
    in_order: NDArray[Any] = np.ascontiguousarray(values)
    if in_order.dtype == np.float16:
        row = np.empty(in_order.shape[1], np.float32)
        _add_halves(in_order.view(np.uint16), row, row.view(np.uint32), sums, squares)
    else:
        _add(in_order, sums, squares)


@compiled
def _add(values: Any, sums: Any, squares: Any) -> None:
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = np.float64(values[row, column])
            sums[column] += value
            squares[column] += value * value


@compiled
def _add_halves(halves: Any, values: Any, bits: Any, sums: Any, squares: Any) -> None:
    """Adds float16, given by their bits; `values` and `bits` are the same memory, for a row of float32.

    IEEE 754: float32 has 8 bits of exponent and 23 of fraction, float16 5 and 10. Short loops, which take several
    columns at once.
    """
    columns = range(halves.shape[1])
    for row in range(halves.shape[0]):
        for n in columns:
            bits[n] = np.uint32(halves[row, n] & np.uint16(0x7FFF)) << np.uint32(13)
        for n in columns:
            values[n] *= np.float32(2.0**112)  # the difference of the exponents' biases; also numbers below 2**-14
        for n in columns:
            half = halves[row, n]
            exponent = np.uint32(0x7F800000) if half & np.uint16(0x7C00) == np.uint16(0x7C00) else np.uint32(0)
            bits[n] |= np.uint32(half & np.uint16(0x8000)) << np.uint32(16) | exponent
        for n in columns:
            value = np.float64(values[n])
            sums[n] += value
            squares[n] += value * value
