"""The stream of windows for PyTorch, with the real package; `make test-torch` runs it where there is no TensorFlow."""

import multiprocessing
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

import spectroshard
from tests.audio_files import write_songs

CONFIG = {
    "audio": {"sample_rate_hz": 8_000},
    "features": {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 16}, "spectral_centroid": {}},
    "folds": {"count": 3, "validation": []},
    "shards": {"size_mb": 0.005},
}


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch")
    return spectroshard.build(CONFIG, folder / "d", music=write_songs(folder / "songs"), workers=1)


@pytest.fixture
def train(ds):
    return ds.split("train")


def loaded(windows, workers, **options):
    return list(DataLoader(windows, batch_size=None, num_workers=workers, **options))


def windows_of(items):
    """Each item as something that can be counted."""
    return Counter((label, features["log_mel"].numpy().tobytes()) for features, label in items)


def test_it_is_a_data_set_of_windows_and_labels(train):
    windows = train.to_torch(window_s=0.5)
    assert isinstance(windows, IterableDataset)
    features, label = next(iter(windows))
    assert features["log_mel"].shape == (16, 16) and features["log_mel"].dtype == torch.float32
    assert features["spectral_centroid"].shape == (8, 1)
    assert label == train.dataset.genres.index(next(iter(train)).genre)


def test_batches_are_collated_as_usual(train):
    features, labels = next(iter(DataLoader(train.to_torch(window_s=0.5), batch_size=4)))
    assert features["log_mel"].shape == (4, 16, 16) and labels.dtype == torch.int64 and labels.shape == (4,)


def test_windows_are_normalised_by_the_train_split(train):
    values = np.concatenate([features["log_mel"] for features, _ in train.to_torch(window_s=0.5)])
    assert np.allclose(values.mean(axis=0), 0, atol=0.3) and np.allclose(values.std(axis=0), 1, atol=0.3)


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_share_the_songs_out(train, workers):
    windows = train.to_torch(window_s=0.5)
    assert windows_of(loaded(windows, workers)) == windows_of(windows)


def test_spawned_workers_too(train):
    windows = train.to_torch(window_s=0.5)
    context = multiprocessing.get_context("spawn")
    assert windows_of(loaded(windows, 2, multiprocessing_context=context)) == windows_of(windows)


@pytest.mark.parametrize("workers", [0, 2])
def test_shuffled_each_song_gives_one_window_and_another_one_each_time(train, workers):
    loader = DataLoader(train.to_torch(window_s=0.5, shuffle=True), batch_size=None, num_workers=workers)
    first, second = list(loader), list(loader)
    songs = Counter(train.dataset.genres.index(song.genre) for song in train)
    assert Counter(label for _, label in first) == Counter(label for _, label in second) == songs
    assert windows_of(first) != windows_of(second)


def test_shuffling_depends_on_the_seed_alone(train):
    def drawn(seed):
        return windows_of(train.to_torch(window_s=0.5, shuffle=True, seed=seed))

    assert drawn(1) == drawn(1) and drawn(1) != drawn(2)


def test_nothing_needs_tensorflow(train):
    next(iter(train.to_torch(window_s=0.5)))
    assert "tensorflow" not in sys.modules
