import numpy as np
import pytest

from pipelines.common.arrays import spooled
from pipelines.common.arrays.spooled import Spilled

VALUES = np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32)


@pytest.fixture
def small(monkeypatch):
    """Lets little be held in memory."""
    monkeypatch.setattr(spooled, "_MOST_BYTES_HELD", 4_000)
    monkeypatch.setattr(spooled, "_STRETCH_BYTES", 2_000)


def test_rows_are_read_as_they_were_written():
    spilled = Spilled((1000, 5), np.dtype(np.float32))
    for first in (600, 0, 300):  # in whatever order
        spilled[first : first + 400] = VALUES[first : first + 400]
    for rows in (slice(None), slice(10, 20), slice(990, 2000), slice(5, 5), slice(7, 3), slice(-3, None)):
        np.testing.assert_array_equal(spilled[rows], VALUES[rows])
    spilled[20:30] = np.zeros((10, 5))
    assert not spilled[20:30].any() and spilled[19:20].all() and spilled[30:31].all()


def test_what_is_read_is_a_copy():
    spilled = Spilled((1,), np.dtype(np.float64))
    spilled[:] = np.ones(1)
    spilled[:][0] = 2
    assert spilled[:] == [1]


def test_large_arrays_lie_in_files_and_small_ones_do_not(small):
    assert isinstance(spooled.room((1001,), np.float32), Spilled)
    assert isinstance(spooled.room((1000,), np.float32), np.ndarray)
    assert isinstance(spooled.room((1000,), np.float64), Spilled)


@pytest.mark.parametrize(("count", "kind"), [(0, np.ndarray), (9, np.ndarray), (11, Spilled), (40, Spilled)])
def test_pieces_are_gathered(small, count, kind):
    pieces = [np.full(100, number, np.float32) for number in range(count)]
    gathered = spooled.gather(iter(pieces))
    assert isinstance(gathered, kind) and len(gathered) == 100 * count and gathered.dtype == np.float32
    np.testing.assert_array_equal(gathered[:], np.repeat(np.arange(count), 100))


@pytest.mark.parametrize("shape", [(1,), (500,), (501,), (4000,), (1000, 5), (129, 300)])
def test_stretches_hold_every_row_once(small, shape):
    array = np.zeros(shape, np.float32)
    found = list(spooled.stretches(array))
    assert [row for rows in found for row in range(rows.start, rows.stop)] == list(range(len(array)))
    assert all((rows.stop - rows.start) % 64 == 0 for rows in found[:-1])
    assert found == list(spooled.stretches(Spilled(shape, array.dtype)))


@pytest.mark.parametrize("place", [0, 999])
def test_extent(small, place):
    values = VALUES.copy()
    values[place, 2] = 70
    assert spooled.extent(values) == (float(VALUES.min()), 70)
    values[place, 2] = np.nan
    assert np.isnan(spooled.extent(values)).all()


def test_single_precision(small):
    assert spooled.single(VALUES) is VALUES
    converted = spooled.single(VALUES.astype(np.float64))
    assert isinstance(converted, Spilled) and converted.dtype == np.float32
    np.testing.assert_array_equal(converted[:], VALUES)
