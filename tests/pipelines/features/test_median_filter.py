"""Running medians against scipy.ndimage's, bit for bit."""

import numpy as np
import pytest
from numba.core import caching
from scipy import ndimage

from pipelines.common.arrays.jit import compiled
from pipelines.common.arrays.vectors import LANES
from pipelines.features.median_filter import TILE, Network, running_medians

RANDOM = np.random.default_rng(0)


def medians(values, size):
    """Medians along the first axis of an array that is mirrored at its ends, of any number of rows and columns."""
    rows, columns = values.shape
    before, width = size // 2, -(-columns // LANES) * LANES
    mirrored = np.pad(values, ((before, size - 1 - before), (0, 0)), mode="symmetric")
    padded = np.pad(mirrored, ((0, max(0, TILE - rows)), (0, width - columns)))
    out = np.empty((max(TILE, rows), width), values.dtype)
    running_medians(size)(padded, out)
    return out[:rows, :columns]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 31])
@pytest.mark.parametrize("rows", [4, 7, 8, 9, 15, 16, 17, 30, 31, 100])
def test_medians_are_ndimages(rows, size, dtype):
    # Where an array has no more than an eighth of the window's rows, ndimage reads beside it.
    values = RANDOM.standard_normal((rows, 33)).astype(dtype)
    wanted = ndimage.median_filter(values, size=(size, 1), mode="reflect")
    assert medians(values, size).tobytes() == wanted.tobytes()


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((50, 16)),
        np.full((50, 16), np.inf),
        np.full((50, 16), 1e-45),
        RANDOM.integers(0, 3, (50, 16)),
        np.tile(np.arange(50.0)[:, None], 16),
        np.tile(-np.arange(50.0)[:, None], 16),
    ],
    ids=["zeros", "infinities", "denormals", "ties", "rising", "falling"],
)
def test_medians_of_peculiar_values(values):
    values = values.astype(np.float32)
    assert medians(values, 31).tobytes() == ndimage.median_filter(values, size=(31, 1)).tobytes()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_are_mirrored_again_and_again(rows):
    values = RANDOM.standard_normal((rows, 5)).astype(np.float32)
    mirrored = np.concatenate([values, values[::-1]] * 40)[20 * 2 * rows - 15 :][: rows + 30]
    wanted = [np.sort(mirrored[row : row + 31], axis=0)[15] for row in range(rows)]
    assert medians(values, 31).tobytes() == np.array(wanted).tobytes()


@pytest.mark.parametrize("size", [1, 2, 5, 8, 12])
def test_the_network_is_right_by_the_zero_one_principle(size):
    network = Network.of(size)
    values = (np.arange(2 ** min(network.inputs, 16))[:, None] >> np.arange(network.inputs) % 16) & 1
    values = np.concatenate([values, RANDOM.integers(0, 2, (1000, network.inputs))])
    wires = list(values.T)
    for relation, one, other in network.gates:
        wires.append((np.minimum if relation == "<" else np.maximum)(wires[one], wires[other]))
    for window, wire in enumerate(network.outputs):
        wanted = np.sort(values[:, window : window + size], axis=1)[:, size // 2]
        np.testing.assert_array_equal(wires[wire], wanted)


def test_a_median_of_31_costs_few_minima_and_maxima():
    network = Network.of(31)
    assert len(network.needed() - set(range(network.inputs))) <= 35 * TILE


def test_functions_are_compiled_where_nothing_can_be_kept(monkeypatch):
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    assert compiled(lambda x: x / 0)(2.0) == np.inf
