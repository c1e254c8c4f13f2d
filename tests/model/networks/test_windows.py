import numpy as np
import pytest
import tensorflow as tf

from model.networks.windows import Windows
from pipelines.common.errors import UsageError


@pytest.fixture
def windows():
    frames, bins = {"a": 10, "b": 5}, {"a": 3, "b": 1}
    return Windows(
        1.0,
        frames,
        {n: np.ones(b, np.float32) for n, b in bins.items()},
        {n: np.full(b, 2, np.float32) for n, b in bins.items()},
    )


def song(frames):
    """Two features whose values are their frames' numbers; `b` has half as many frames."""
    a = np.repeat(np.arange(frames, dtype=np.float32)[:, None], 3, axis=1)
    return {"a": a, "b": a[: frames // 2, :1]}


def test_tiles_cover_a_song_from_end_to_end(windows):
    tiled = windows.tile(song(40))
    assert tiled["a"].shape == (4, 10, 3) and tiled["b"].shape == (4, 5, 1)
    np.testing.assert_array_equal(tiled["a"][:, 0, 0], [0, 10, 20, 30])
    np.testing.assert_array_equal(tiled["b"][:, 0, 0], [0, 5, 10, 15])


@pytest.mark.parametrize(("frames", "count"), [(3, 1), (10, 1), (11, 1), (12, 2), (20, 2), (21, 2), (25, 3), (40, 4)])
def test_count_of_tiles(windows, frames, count):
    assert int(windows.count(frames)) == count
    assert windows.tile(song(frames))["a"].shape[0] == count


def test_a_song_shorter_than_a_window_is_repeated(windows):
    np.testing.assert_array_equal(windows.tile(song(4))["a"][0, :, 0], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])
    np.testing.assert_array_equal(windows.fill(song(4))["a"][:, 0], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1])


@pytest.mark.parametrize("frames", [4, 10, 25, 40])
def test_compiled_tiles_are_the_same(windows, frames):
    expected, found = windows.tile(song(frames)), windows.compiled_tile()(song(frames))
    for name, values in expected.items():
        np.testing.assert_array_equal(values, found[name])


def test_random_windows_reach_both_ends(windows):
    for share, first in ((0.0, 0), (1.0, 30), (0.5, 15)):
        rows = windows.slices_at(tf.constant(share))
        assert tuple(map(int, rows("a", 40))) == (first, 10)


def test_normalisation(windows):
    np.testing.assert_allclose(windows.normalise(song(10))["a"][4], 1.5)


def test_starts_are_where_tiles_begin(windows):
    assert windows.starts_s(4, 4.0) == [0, 1, 2, 3]
    assert windows.starts_s(1, 0.4) == [0]


def test_statistics_are_of_the_train_folds_alone(dataset):
    folds = dataset.splits()["train"]
    everything = Windows.of(dataset, ("log_mel",), 2.0, list(dataset.folds))
    train = Windows.of(dataset, ("log_mel",), 2.0, folds)
    np.testing.assert_array_equal(train.mean["log_mel"], dataset.statistics(folds)["log_mel"][0])
    assert not np.array_equal(train.mean["log_mel"], everything.mean["log_mel"])
    assert train.frames == {"log_mel": 86}


def test_json_keeps_everything(windows):
    again = Windows.from_json(windows.to_json())
    assert again.frames == windows.frames and again.window_s == windows.window_s
    np.testing.assert_array_equal(again.deviation["a"], windows.deviation["a"])


def test_a_missing_feature_is_named(dataset):
    with pytest.raises(UsageError, match="has no feature tempogram, it has log_mel, chroma, spectral_centroid"):
        Windows.of(dataset, ("tempogram",), 2.0, ["fold-00"])
