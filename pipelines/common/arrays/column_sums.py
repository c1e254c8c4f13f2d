"""Sums of columns in double precision, by a compiled loop: numpy would make doubles of all values first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays.jit import compiled


def add_columns(values: NDArray[np.float32], sums: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
    """Adds each column's values, and their squares, to what there is, row by row.

    Parameters
    ----------
    values : array, shape (rows, columns)
    sums, squares : array, shape (columns,)
        They are added to in place.

    Examples
    --------
    >>> sums, squares = np.zeros(2), np.zeros(2)
    >>> add_columns(np.array([[1, 2], [3, 4]], np.float32), sums, squares)
    >>> sums, squares
    (array([4., 6.]), array([10., 20.]))
    """
    _add(np.ascontiguousarray(values), sums, squares)


@compiled
def _add(values: Any, sums: Any, squares: Any) -> None:
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = np.float64(values[row, column])
            sums[column] += value
            squares[column] += value * value
