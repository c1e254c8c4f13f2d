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
