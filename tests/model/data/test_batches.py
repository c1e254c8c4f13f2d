import itertools
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from model.config import Training
from model.data import batches as stream
from model.data import shards
from model.networks.windows import Windows
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import records, tfrecord
from pipelines.dataset.dataset import SONGS
from tests.pipelines.dataset import made

PLAIN = {
    "mixup": 0,
    "tempo": 0,
    "mask_bins": 0,
    "mask_frames": 0,
    "features": ("log_mel", "chroma"),
    "window_s": 2.0,
    "windows_per_epoch": 1,
}


@pytest.fixture(scope="module")
def train_folds(dataset):
    return dataset.splits()["train"]


@pytest.fixture(scope="module")
def windows(dataset, train_folds):
    return Windows.of(dataset, ("log_mel", "chroma"), 2.0, train_folds)


def batches(dataset, folds, windows, first_epoch=0, **settings):
    training = Training(**(PLAIN | {"batch_size": 5, "epochs": 2, "windows_per_song": 3} | settings))
    return list(stream.training_batches(dataset, folds, windows, training, first_epoch).as_numpy_iterator())


def songs_of(dataset, folds):
    for shard in dataset.shards_of(folds):
        with Path(dataset.url, shard.name).open("rb") as file:
            yield from map(records.decode, tfrecord.read_records(file))


def test_an_epoch_has_its_windows_of_every_song(dataset, train_folds, windows):
    songs = sum(dataset.songs_of(train_folds).values())
    training = Training(**PLAIN, batch_size=5, windows_per_song=3)
    found = batches(dataset, train_folds, windows, epochs=1)
    assert len(found) == stream.steps(dataset, train_folds, training)
    assert sum(len(labels) for _, labels, _ in found) == 3 * songs
    assert {name: values.shape[1:] for name, values in found[0][0].items()} == {"log_mel": (86, 32), "chroma": (43, 12)}


def test_few_songs_give_more_windows_each(dataset, train_folds):
    songs = sum(dataset.songs_of(train_folds).values())
    few = Training(batch_size=5, windows_per_song=3, windows_per_epoch=4 * songs - 1)
    assert stream.passes_per_epoch(dataset, train_folds, few) == 4
    assert stream.steps(dataset, train_folds, few) == math.ceil(4 * songs / 5)
    enough = Training(windows_per_song=3, windows_per_epoch=3 * songs)
    assert stream.passes_per_epoch(dataset, train_folds, enough) == 3


def test_windows_are_stretches_of_train_songs_aligned_over_features(dataset, train_folds, windows):
    whole = [windows.normalise(song.features) for song in songs_of(dataset, train_folds)]
    features, _, _ = batches(dataset, train_folds, windows)[0]
    for mel, chroma in zip(features["log_mel"], features["chroma"], strict=True):
        places = [
            (song, first)
            for song in whole
            for first in range(len(song["log_mel"]) - 85)
            if np.allclose(song["log_mel"][first : first + 86], mel, atol=1e-5)
        ]
        assert len(places) == 1
        song, first = places[0]
        offsets = [
            o for o in range(len(song["chroma"]) - 42) if np.allclose(song["chroma"][o : o + 43], chroma, atol=1e-5)
        ]
        assert any(abs(offset - first / 2) <= 1 for offset in offsets)


def test_same_seed_same_batches_other_seed_others(dataset, train_folds, windows):
    first, again, other = (batches(dataset, train_folds, windows, seed=seed) for seed in (3, 3, 4))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[0]["log_mel"], two[0]["log_mel"])
    assert not np.array_equal(first[0][0]["log_mel"], other[0][0]["log_mel"])


def test_epochs_differ_and_a_resumed_one_is_what_it_would_have_been(dataset, train_folds, windows):
    steps = len(batches(dataset, train_folds, windows, epochs=1))
    both = batches(dataset, train_folds, windows, mixup=0.4)
    resumed = batches(dataset, train_folds, windows, first_epoch=1, mixup=0.4)
    assert not np.array_equal(both[0][0]["log_mel"], both[steps][0]["log_mel"])
    for expected, found in zip(both[steps:], resumed, strict=True):
        np.testing.assert_array_equal(expected[0]["log_mel"], found[0]["log_mel"])
        np.testing.assert_array_equal(expected[1], found[1])


def test_what_is_given_does_not_depend_on_the_cache(dataset, train_folds, windows):
    cached, streamed = (batches(dataset, train_folds, windows, mixup=0.4, cache_mb=mb) for mb in (1000, 0))
    for one, two in zip(cached, streamed, strict=True):
        np.testing.assert_array_equal(one[0]["log_mel"], two[0]["log_mel"])
        np.testing.assert_array_equal(one[1], two[1])


@pytest.mark.parametrize(("more_bytes", "fits"), [(0, True), (-1, False)])
def test_shards_that_fit_the_budget_are_read_once(dataset, train_folds, windows, tmp_path, more_bytes, fits):
    shutil.copytree(dataset.url, tmp_path / "d")
    copied = dataset.model_copy(update={"url": str(tmp_path / "d")})
    budget_mb = (sum(shard.bytes for shard in dataset.shards_of(train_folds)) + more_bytes) / 1e6
    training = Training(**PLAIN, epochs=200, windows_per_song=1, cache_mb=budget_mb)
    stream_of_epochs = iter(stream.training_batches(copied, train_folds, windows, training))
    for _ in range(stream.steps(dataset, train_folds, training)):
        next(stream_of_epochs)
    shutil.rmtree(tmp_path / "d")
    if fits:
        assert len(list(stream_of_epochs)) == 199 * stream.steps(dataset, train_folds, training)
    else:
        with pytest.raises(tf.errors.NotFoundError):
            list(stream_of_epochs)


def test_validation_tiles_every_song_and_weighs_songs_alike(dataset, windows):
    folds = dataset.splits()["validation"]
    found = list(stream.validation_batches(dataset, folds, windows, Training(**PLAIN)).as_numpy_iterator())
    songs = list(songs_of(dataset, folds))
    assert sum(weights.sum() for _, _, weights in found) == pytest.approx(len(songs) * 6.0 / 2.0)
    expected = np.concatenate([windows.tile(windows.normalise(song.features))["log_mel"] for song in songs])
    np.testing.assert_allclose(np.concatenate([f["log_mel"] for f, _, _ in found]), expected, atol=1e-6)
    labels = itertools.chain.from_iterable(labels.argmax(axis=1) for _, labels, _ in found)
    assert {dataset.genres[label] for label in labels} == {song.genre for song in songs}


def test_class_weights_make_genres_weigh_the_same():
    weights = stream.genre_weights({"rare": 1, "frequent": 3, "absent": 0}, Training(class_weights=True))
    assert weights == {"rare": 2.0, "frequent": pytest.approx(2 / 3), "absent": 0.0}
    assert set(stream.genre_weights({"a": 1, "b": 9}, Training()).values()) == {1.0}


def test_an_empty_split_is_named(dataset):
    with pytest.raises(UsageError, match="no songs in fold-77"):
        shards.Shards(dataset, ["fold-77"])


@pytest.mark.parametrize("window_s", [0.5, 1.7, 4.0, 60.0])
def test_validation_weights_are_1_in_the_mean_whatever_the_window(dataset, window_s):
    windows = Windows.of(dataset, ("log_mel",), window_s, ["fold-00"])
    found = stream.validation_batches(dataset, ["fold-01"], windows, Training(**PLAIN)).as_numpy_iterator()
    assert np.concatenate([weights for _, _, weights in found]).mean() == pytest.approx(1)


def flip_a_bit(path, other):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


DAMAGES = {
    "a flipped bit": (flip_a_bit, "is damaged, or of another build"),
    "cut short": (lambda path, other: path.write_bytes(path.read_bytes()[:-9]), "is damaged, or of another build"),
    "emptied": (lambda path, other: path.write_bytes(b""), "is damaged, or of another build"),
    "another fold's shard": (lambda path, other: shutil.copy(other, path), "is damaged, or of another build"),
    "missing": (lambda path, other: path.unlink(), "is missing"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_shards_that_are_not_what_the_dataset_says_are_refused(dataset, tmp_path, damage):
    shutil.copytree(dataset.url, tmp_path / "d")
    copied = dataset.model_copy(update={"url": str(tmp_path / "d")})
    ours, other = (tmp_path / "d" / dataset.shards_of([fold])[0].name for fold in ("fold-02", "fold-00"))
    assert shards.Shards(copied, ["fold-02"]).path(0) == str(ours)
    harm, message = DAMAGES[damage]
    harm(ours, other)
    with pytest.raises(SpectroshardError, match=rf"d@1: shards/000001/{ours.name}: {message}"):
        shards.Shards(copied, ["fold-02"])
    assert shards.Shards(copied, ["fold-00"]).path(0) == str(other)


def test_duplicates_weigh_nothing_in_validation(dataset, windows, tmp_path):
    shutil.copytree(dataset.url, tmp_path / "d")
    rows = dataset.ledger()
    long = [replace(row, path=f"{row.path} again", status="duplicate", duration_s=600.0) for row in rows]
    copied = made.with_table(dataset.model_copy(update={"url": str(tmp_path / "d")}), SONGS, [*rows, *long])
    weights = [
        [
            batch[2]
            for batch in stream.validation_batches(d, ["fold-01"], windows, Training(**PLAIN)).as_numpy_iterator()
        ]
        for d in (dataset, copied)
    ]
    np.testing.assert_array_equal(*map(np.concatenate, weights))


def test_middle_windows_are_of_each_song(dataset, train_folds, windows):
    given = np.concatenate([batch["chroma"] for batch in stream.middle_windows(dataset, train_folds, windows)])
    tiled = [song["windows"]["chroma"] for song in stream.whole_songs(dataset, train_folds, windows)]
    assert {len(song) for song in tiled} == {3}
    np.testing.assert_array_equal(given, np.stack([song[1] for song in tiled]))
