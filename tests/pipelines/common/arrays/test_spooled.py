import tempfile
from pathlib import Path

import numpy as np
import pytest

from pipelines.common.arrays import spooled
from pipelines.common.arrays.spooled import SpooledArray

VALUES = np.random.default_rng(0).normal(size=(1000, 5)).astype(np.float32)


@pytest.fixture
def small(monkeypatch):
    """Sends nearly every array to disk."""
    monkeypatch.setattr(spooled, "_MAX_BYTES_IN_MEMORY", 4_000)
    monkeypatch.setattr(spooled, "_CHUNK_BYTES", 2_000)


def test_rows_are_read_as_they_were_written():
    array_on_disk = SpooledArray((1000, 5), np.dtype(np.float32))
    for first in (600, 0, 300):  # in whatever order
        array_on_disk[first : first + 400] = VALUES[first : first + 400]
    for rows in (slice(None), slice(10, 20), slice(990, 2000), slice(5, 5), slice(7, 3), slice(-3, None)):
        np.testing.assert_array_equal(array_on_disk[rows], VALUES[rows])
    array_on_disk[20:30] = np.zeros((10, 5))
    assert not array_on_disk[20:30].any() and array_on_disk[19:20].all() and array_on_disk[30:31].all()


def test_what_is_read_is_a_copy():
    array_on_disk = SpooledArray((1,), np.dtype(np.float64))
    array_on_disk[:] = np.ones(1)
    array_on_disk[:][0] = 2
    assert array_on_disk[:] == [1]


def test_large_arrays_lie_on_disk_and_small_ones_do_not(small):
    assert isinstance(spooled.empty((1001,), np.float32), SpooledArray)
    assert isinstance(spooled.empty((1000,), np.float32), np.ndarray)
    assert isinstance(spooled.empty((1000,), np.float64), SpooledArray)


@pytest.mark.parametrize(("count", "kind"), [(0, np.ndarray), (9, np.ndarray), (11, SpooledArray), (40, SpooledArray)])
def test_blocks_are_joined(small, count, kind):
    blocks = [np.full(100, number, np.float32) for number in range(count)]
    joined = spooled.concatenate(iter(blocks))
    assert isinstance(joined, kind) and len(joined) == 100 * count and joined.dtype == np.float32
    np.testing.assert_array_equal(joined[:], np.repeat(np.arange(count), 100))


@pytest.mark.parametrize("shape", [(1,), (500,), (501,), (4000,), (1000, 5), (129, 300)])
def test_row_chunks_hold_every_row_once(small, shape):
    array = np.zeros(shape, np.float32)
    found = list(spooled.row_chunks(array))
    assert [row for rows in found for row in range(rows.start, rows.stop)] == list(range(len(array)))
    assert all((rows.stop - rows.start) % 64 == 0 for rows in found[:-1])
    assert found == list(spooled.row_chunks(SpooledArray(shape, array.dtype)))


@pytest.mark.parametrize("place", [0, 999])
def test_min_max(small, place):
    values = VALUES.copy()
    values[place, 2] = 70
    assert spooled.min_max(values) == (float(VALUES.min()), 70)
    values[place, 2] = np.nan
    assert np.isnan(spooled.min_max(values)).all()


def test_to_float32(small):
    assert spooled.to_float32(VALUES) is VALUES
    converted = spooled.to_float32(VALUES.astype(np.float64))
    assert isinstance(converted, SpooledArray) and converted.dtype == np.float32
    np.testing.assert_array_equal(converted[:], VALUES)


def test_a_full_disk_is_named(monkeypatch):
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full)
        array = spooled.SpooledArray((0, 1), np.dtype(np.float32))
        with pytest.raises(OSError, match=rf"No space left on device \(volume /.*\): '{tempfile.gettempdir()}'"):
            array[0:] = np.zeros((1000, 1), np.float32)
