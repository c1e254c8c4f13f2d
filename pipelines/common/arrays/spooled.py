"""Arrays that stay in memory while they are small and lie on disk once they are large.

So the memory that a recording takes is bounded, however long it is. Files are read and written, not memory-mapped:
pages of a map count as the process's memory.
"""

import itertools
import math
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common import storage

_MAX_BYTES_IN_MEMORY = 1 << 23  # of one array; the largest feature of 30 s takes a quarter of it
_CHUNK_BYTES = 1 << 21


class SpooledArray:
    """An array in an unnamed temporary file; slices of its rows are read and written.

    Parameters
    ----------
    shape : tuple of int
        The number of rows, which grows when more are written, and the shape of a row.
    dtype : dtype

    Examples
    --------
    >>> array = SpooledArray((2, 3), np.dtype(np.float32))
    >>> array[0:2] = np.ones((2, 3), np.float32)
    >>> array[2:] = np.zeros((1, 3), np.float32)
    >>> array.shape
    (3, 3)
    >>> array[1:3]
    array([[1., 1., 1.],
           [0., 0., 0.]], dtype=float32)
    """

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]):
        self.shape, self.dtype = shape, dtype
        self._row_bytes = dtype.itemsize * math.prod(shape[1:])
        self._stream = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the array

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, last, _ = rows.indices(len(self))
        values = np.empty((max(last - first, 0), *self.shape[1:]), self.dtype)
        self._stream.seek(first * self._row_bytes)
        self._stream.readinto(values.data)
        return values

    def __setitem__(self, rows: slice, values: NDArray[Any]) -> None:
        first, _, _ = rows.indices(len(self))
        with storage.naming(tempfile.gettempdir()):
            self._stream.seek(first * self._row_bytes)
            self._stream.write(np.ascontiguousarray(values, self.dtype).data)
        self.shape = (max(len(self), first + len(values)), *self.shape[1:])

    def __del__(self) -> None:
        self._stream.close()


FrameArray = NDArray[Any] | SpooledArray
"""Samples, or frames of a feature, along the first axis: in memory or, of a long recording, on disk."""


def empty(shape: tuple[int, ...], dtype: Any) -> FrameArray:
    """An uninitialised array, as `numpy.empty`; on disk if it takes more than 8 MiB.

    >>> type(empty((1000, 128), np.float32)), type(empty((100_000, 128), np.float32))
    (<class 'numpy.ndarray'>, <class 'pipelines.common.arrays.spooled.SpooledArray'>)
    """
    dtype = np.dtype(dtype)
    is_large = dtype.itemsize * math.prod(shape) > _MAX_BYTES_IN_MEMORY
    return SpooledArray(shape, dtype) if is_large else np.empty(shape, dtype)


def concatenate(blocks: Iterable[NDArray[np.float32]]) -> FrameArray:
    """Joins blocks of float32 samples, shape (samples,) each; on disk if they take more than 8 MiB together.

    >>> concatenate(iter([np.float32([1, 2]), np.float32([3])]))
    array([1., 2., 3.], dtype=float32)
    """
    blocks, held, held_bytes = iter(blocks), [np.zeros(0, np.float32)], 0
    for block in blocks:
        held.append(block)
        held_bytes += block.nbytes
        if held_bytes > _MAX_BYTES_IN_MEMORY:
            break
    else:
        return np.concatenate(held)
    joined = SpooledArray((0,), np.dtype(np.float32))
    for block in itertools.chain(held, blocks):
        joined[len(joined) :] = block
    return joined


def stretch(values: FrameArray, begin: int, count: int) -> NDArray[Any]:
    """So many samples from one on, with zeros where it is before the first or after the last.

    >>> stretch(np.array([1.0, 2.0, 3.0]), -1, 3), stretch(np.array([1.0, 2.0, 3.0]), 2, 3)
    (array([0., 1., 2.]), array([3., 0., 0.]))
    """
    first, last = max(begin, 0), min(begin + count, len(values))
    if last - first == count:
        return np.ascontiguousarray(values[first:last])
    found = np.zeros(count, values.dtype)
    found[first - begin : last - begin] = values[first:last]
    return found


def row_chunks(values: FrameArray) -> Iterator[slice]:
    """Slices that go through an array's rows by about 2 MiB; the same ones wherever the array lies.

    >>> list(row_chunks(np.empty((10_000, 128), np.float32)))
    [slice(0, 4096, None), slice(4096, 8192, None), slice(8192, 10000, None)]
    """
    row_bytes = values.dtype.itemsize * math.prod(values.shape[1:])
    # Multiples of 64 rows: so vector instructions, which take several rows at once, round no row differently than they
    # would if all rows were one chunk.
    count = max(_CHUNK_BYTES // row_bytes // 64, 1) * 64
    for first in range(0, len(values), count):
        yield slice(first, min(first + count, len(values)))


def min_max(values: FrameArray) -> tuple[float, float]:
    """The lowest and the highest value; NaN if any value is.

    >>> min_max(np.array([3.0, -1.0, 2.0]))
    (-1.0, 3.0)
    """
    chunks = (values[rows] for rows in row_chunks(values))
    extremes = [(chunk.min(), chunk.max()) for chunk in chunks]
    return float(np.min(extremes)), float(np.max(extremes))


def to_float32(values: FrameArray) -> FrameArray:
    """The array converted to float32; the same object if it is float32 already.

    >>> to_float32(np.array([0.1]))
    array([0.1], dtype=float32)
    """
    if values.dtype == np.float32:
        return values
    converted = empty(values.shape, np.float32)
    for rows in row_chunks(values):
        converted[rows] = values[rows]
    return converted
