"""Rows of values, few in an array or many in a file: what is read off a song fits in memory however long the song is.

A file's rows are read, not mapped: pages of a map count as the process's memory.
"""

import itertools
import math
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_MOST_BYTES_HELD = 1 << 23  # of one array; 30 s have a quarter of it in their largest feature
_STRETCH_BYTES = 1 << 21


class Spilled:
    """An array in a file without a name, of which slices of rows are read and written.

    Parameters
    ----------
    shape : tuple of int
        Its rows, which grow where more are written, and what a row holds.
    dtype : dtype
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self.shape, self.dtype = shape, dtype
        self._row_bytes = dtype.itemsize * math.prod(shape[1:])
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the array

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Array:
        first, last, _ = rows.indices(len(self))
        values = np.empty((max(last - first, 0), *self.shape[1:]), self.dtype)
        self._file.seek(first * self._row_bytes)
        self._file.readinto(values.data)
        return values

    def __setitem__(self, rows: slice, values: Array) -> None:
        first, _, _ = rows.indices(len(self))
        self._file.seek(first * self._row_bytes)
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        self.shape = (max(len(self), first + len(values)), *self.shape[1:])

    def __del__(self) -> None:
        self._file.close()


Rows = Array | Spilled


def room(shape: tuple[int, ...], dtype: Any) -> Rows:
    """An array to be filled; in a file, where it is large."""
    dtype = np.dtype(dtype)
    is_large = dtype.itemsize * math.prod(shape) > _MOST_BYTES_HELD
    return Spilled(shape, dtype) if is_large else np.empty(shape, dtype)


def gather(pieces: Iterable[NDArray[np.float32]]) -> Rows:
    """All of some pieces, shape (values,) each, one behind the other; in a file, where they are many."""
    pieces, held, held_bytes = iter(pieces), [np.zeros(0, np.float32)], 0
    for piece in pieces:
        held.append(piece)
        held_bytes += piece.nbytes
        if held_bytes > _MOST_BYTES_HELD:
            break
    else:
        return np.concatenate(held)
    spilled = Spilled((0,), np.dtype(np.float32))
    for piece in itertools.chain(held, pieces):
        spilled[len(spilled) :] = piece
    return spilled


def stretches(values: Rows) -> Iterator[slice]:
    """An array's rows in stretches that fit in memory; the same ones whether it lies in a file or not."""
    row_bytes = values.dtype.itemsize * math.prod(values.shape[1:])
    # Of a size at which no row is computed otherwise than in one piece: vector registers hold several.
    count = max(_STRETCH_BYTES // row_bytes // 64, 1) * 64
    for first in range(0, len(values), count):
        yield slice(first, min(first + count, len(values)))


def extent(values: Rows) -> tuple[float, float]:
    """The lowest and the highest value; NaN where one is."""
    parts = (values[rows] for rows in stretches(values))
    extents = [(part.min(), part.max()) for part in parts]
    return float(np.min(extents)), float(np.max(extents))


def single(values: Rows) -> Rows:
    """The same values in float32."""
    if values.dtype == np.float32:
        return values
    converted = room(values.shape, np.float32)
    for rows in stretches(values):
        converted[rows] = values[rows]
    return converted
