import numpy as np

from pipelines.common.arrays.column_sums import add_columns


def test_columns_are_summed_in_double_precision():
    values = np.random.default_rng(0).standard_normal((5_000, 7)).astype(np.float32) * 1e3
    sums, squares = np.ones(7), np.zeros(7)
    add_columns(values[:2_000], sums, squares)
    add_columns(values.T[:, 2_000:].T, sums, squares)
    wide = values.astype(np.float64)
    np.testing.assert_allclose(sums, 1 + wide.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(squares, (wide**2).sum(axis=0), rtol=1e-12)


def test_every_float16_is_summed_as_what_it_is():
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    sums, squares = np.zeros((2, len(every)))
    add_columns(every[np.newaxis], sums, squares)
    with np.errstate(invalid="ignore"):  # among them are NaN that signal
        wide = every.astype(np.float64)
        squared = wide**2
    np.testing.assert_array_equal(sums, wide)
    np.testing.assert_array_equal(squares, squared)


def test_the_sums_of_float16_are_those_of_the_same_float32():
    values = np.random.default_rng(0).standard_normal((500, 7)).astype(np.float16)
    for each in (values, values.T):
        totals = np.zeros((2, 2, each.shape[1]))
        for dtype, (sums, squares) in zip((np.float16, np.float32), totals, strict=True):
            add_columns(each.astype(dtype), sums, squares)
        np.testing.assert_array_equal(totals[0], totals[1])
