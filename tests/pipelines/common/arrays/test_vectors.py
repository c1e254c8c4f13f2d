"""Vectors in compiled loops against the same of numpy, bit for bit."""

import numpy as np
import pytest

from pipelines.common.arrays.jit import compiled
from pipelines.common.arrays.vectors import LANES, load, maximum, store, store_transposed

RANDOM = np.random.default_rng(0)
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@compiled
def operations(one, other, number, out):
    a, b = load(one, 1), load(other, 2)
    for n, vector in enumerate((a + b, a - b, a * b, a + number, a - number, a * number, maximum(a, b))):
        store(out[n], 3, vector)


@DTYPES
def test_operations_are_numpys_and_write_nothing_else(dtype):
    one, other = RANDOM.standard_normal((2, LANES + 2)).astype(dtype)
    number, out = np.dtype(dtype).type(1 / 3), np.zeros((7, LANES + 4), dtype)
    operations(one, other, number, out)
    a, b = one[1 : 1 + LANES], other[2:]
    wanted = np.zeros_like(out)
    wanted[:, 3 : 3 + LANES] = a + b, a - b, a * b, a + number, a - number, a * number, np.maximum(a, b)
    assert out.tobytes() == wanted.tobytes()


def test_the_maximum_with_nan_is_the_second():
    one, other = np.full(LANES + 1, np.nan, np.float32), np.ones(LANES + 2, np.float32)
    out = np.zeros((7, LANES + 4), np.float32)
    operations(one, other, np.float32(0), out)
    assert (out[6, 3 : 3 + LANES] == 1).all()
    operations(other, np.append(one, one[:1]), np.float32(0), out)
    assert np.isnan(out[6, 3 : 3 + LANES]).all()


def test_values_that_do_not_lie_side_by_side_are_refused():
    rows = np.zeros((2, 2 * LANES), np.float32)
    with pytest.raises(TypeError, match="C-contiguous"):
        operations(rows[0, ::2], rows[1], np.float32(0), np.zeros((7, LANES + 4), np.float32))


@compiled
def transpose_square(rows, row, column, out):
    store_transposed(rows, row, column, out)


@DTYPES
def test_a_square_is_transposed_and_nothing_else_is_written(dtype):
    rows = RANDOM.standard_normal((LANES + 3, LANES + 5)).astype("float32")
    out = np.zeros((LANES + 7, LANES + 4), dtype)
    transpose_square(rows, 2, 4, out)
    wanted = np.zeros_like(out)
    wanted[4 : 4 + LANES, 2 : 2 + LANES] = rows[2 : 2 + LANES, 4 : 4 + LANES].T
    assert out.tobytes() == wanted.tobytes()
