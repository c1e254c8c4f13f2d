import numpy as np
import pytest

from pipelines.common.arrays.float16 import to_float16


def test_it_is_astype_bit_for_bit():
    # One of 4,099 of all patterns of 32 bits, each with its neighbours: every exponent, and ties of every kind.
    patterns = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32)
    ties = np.arange(0, 2**16, dtype=np.uint32) << np.uint32(16)
    near_ties = [ties | np.uint32(rest) for rest in (0x0FFF, 0x1000, 0x1001, 0x2FFF, 0x3000, 0x3001)]
    values = np.concatenate([patterns, *near_ties]).view(np.float32)
    with np.errstate(all="ignore"):
        expected = values.astype(np.float16)
    found = to_float16(values)
    is_nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), is_nan)
    np.testing.assert_array_equal(found[~is_nan].view(np.uint16), expected[~is_nan].view(np.uint16))


@pytest.mark.parametrize("value", [0.0, -0.0, 2**-14, 2**-24, 2**-25, 1.5 * 2**-24, 2.5 * 2**-24, 65504, 65520, -1e9])
def test_edges(value):
    values = np.full((2, 3), value, np.float32)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(to_float16(values), values.astype(np.float16))


def test_the_shape_stays_whatever_the_layout():
    values = np.arange(12, dtype=np.float32).reshape(3, 4).T
    assert not values.flags.c_contiguous
    np.testing.assert_array_equal(to_float16(values), values)
    assert to_float16(np.zeros((0, 5), np.float32)).shape == (0, 5)
