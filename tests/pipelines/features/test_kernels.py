import numpy as np
import pytest

from pipelines.features import kernels


@pytest.mark.parametrize("at_once", [1, 100, 5_000])
def test_decibels_are_the_nearest_float32(at_once):
    limits = np.finfo(np.float32)
    edges = [limits.tiny, 1e-10, 0.5**0.5, np.nextafter(np.float32(1), np.float32(0)), 1, 1 + limits.eps, 2, limits.max]
    random = 10 ** np.random.default_rng(0).uniform(-37, 38, 4_000)
    values = np.concatenate([edges, random]).astype(np.float32)
    wanted = 10 * np.log10(values.astype(np.float64))
    kernels.decibels(values, values.view(np.int32), np.empty(at_once, np.int32))
    assert (np.abs(values - wanted) <= 0.5001 * np.spacing(np.abs(wanted).astype(np.float32))).all()
