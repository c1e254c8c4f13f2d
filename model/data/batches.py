"""Batches of windows: `tf.data` streams of a dataset's songs, whose memory does not grow with the corpus."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from model.config import Training
from model.data import augment, shards
from model.data.workers import ALONE, Workers
from model.networks.windows import FrameSlice, Windows
from pipelines.dataset import ledger, tensors
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.records import GENRE, TEXT_KEYS

_SHUFFLED_SONGS = 256
_SHARDS_AT_ONCE = 4
_MIDDLE_SONGS, _MIDDLES_AT_ONCE = 500, 50


def steps(dataset: Dataset, folds: Sequence[str], training: Training) -> int:
    """How many training steps, of a batch each, an epoch has."""
    return math.ceil(_songs_in(dataset, folds) * passes_per_epoch(dataset, folds, training) / training.batch_size)


def passes_per_epoch(dataset: Dataset, folds: Sequence[str], training: Training) -> int:
    """How many times an epoch reads each song of some folds, and draws a window of it."""
    return max(training.windows_per_song, math.ceil(training.windows_per_epoch / _songs_in(dataset, folds)))


def _songs_in(dataset: Dataset, folds: Sequence[str]) -> int:
    return sum(shard.songs for shard in dataset.shards_of(folds))


def genre_weights(songs: Mapping[str, int], training: Training) -> dict[str, float]:
    """The weight of a song of each genre; with `training.class_weights` all genres have the same weight in total.

    Parameters
    ----------
    songs : dict of int
        How many songs each genre has.
    training : Training

    Returns
    -------
    dict of float
        By genre; the mean over songs is 1.

    Examples
    --------
    >>> genre_weights({"jazz": 1, "rock": 4}, Training(class_weights=True))
    {'jazz': 2.5, 'rock': 0.625}
    """
    present = [count for count in songs.values() if count]
    if not training.class_weights:
        return dict.fromkeys(songs, 1.0)
    return {genre: sum(present) / (len(present) * count) if count else 0.0 for genre, count in songs.items()}


def training_batches(
    dataset: Dataset,
    folds: Sequence[str],
    windows: Windows,
    training: Training,
    first_epoch: int = 0,
    workers: Workers = ALONE,
) -> Any:
    """Batches of augmented windows at random positions, epoch after epoch.

    An epoch reads every song `passes_per_epoch` times, each time in another order, and cuts one window of it. The
    window's position depends on the seed, the epoch and the place in the stream alone, so a resumed training gets the
    batches that it would have got undisturbed, but for masks.

    Of several workers each reads its own shards, and draws its part of each batch of them: some of its songs once
    more than others, where it has fewer or more than its share.

    Parameters
    ----------
    dataset : Dataset
    folds : sequence of str
    windows : Windows
    training : Training
    first_epoch : int
        The epoch to begin with, counted from 0.
    workers : Workers
        Of whom this process is one.

    Returns
    -------
    tf.data.Dataset
        Of (features, labels, weights); `steps` batches an epoch.
    """
    import tensorflow as tf

    weight_of = genre_weights(dataset.songs_of(folds), training)
    weights = tf.constant([weight_of[genre] for genre in dataset.genres], tf.float32)
    songs_of_epoch = _shuffled_songs(dataset, folds, windows, training, workers)
    batch_size, each = workers.own_batch_size(training.batch_size), steps(dataset, folds, training)
    to_cut = {name: augment.frames_to_cut(count, training) for name, count in windows.frames.items()}
    cut = replace(windows, frames=to_cut)

    def window(place: Any, song: Any, epoch: Any) -> tuple[Any, Any]:
        position = tf.random.stateless_uniform([], _seed(training, epoch, workers.own_place(place)))
        features = tensors.features_of(song, tuple(to_cut), cut.slices_at(position, training.held_out_share))
        return cut.normalise(cut.fill(features)), tensors.one_hot(song[GENRE], dataset.genres)

    def batches_of(epoch: Any) -> Any:
        songs = songs_of_epoch(epoch).enumerate()
        cut_of = songs.map(lambda place, song: window(place, song, epoch), tf.data.AUTOTUNE, deterministic=True)
        return cut_of.batch(batch_size).repeat().take(each)

    def augmented(place: Any, batch: Any) -> Any:
        features, labels = batch
        weight = tf.linalg.matvec(labels, weights)
        features, labels = augment.augment(
            features, labels, windows, _seed(training, -1, workers.own_place(place)), training
        )
        return features, labels, weight

    batches = tf.data.Dataset.range(first_epoch, training.epochs).flat_map(batches_of)
    return (
        batches.enumerate(first_epoch * each)
        .map(augmented, tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def _shuffled_songs(
    dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training, workers: Workers
) -> Callable[[Any], Any]:
    """A function from an epoch's number to its songs: all of them `passes_per_epoch` times, each time in another order.

    After the first pass songs stay in memory, as they are stored, where `training.cache_mb` holds them all; the order
    is the same either way. Each shard is a dataset of its own, so that a pass can take cached shards in any order.
    """
    import tensorflow as tf

    stored = shards.Shards(dataset, folds, workers)
    is_cached = sum(shard.bytes for shard in stored.shards) <= training.cache_mb * 1e6
    songs_of = (_kept_songs if is_cached else _read_songs)(stored, dataset, tuple(windows.frames))
    each, numbers = passes_per_epoch(dataset, folds, training), stored.numbers()

    def one_pass(number: Any) -> Any:
        songs = songs_of(numbers.shuffle(numbers.cardinality(), seed=training.seed + number))
        return songs.shuffle(_SHUFFLED_SONGS, seed=training.seed + number)

    return lambda epoch: tf.data.Dataset.range(epoch * each, (epoch + 1) * each).flat_map(one_pass)


def _kept_songs(stored: shards.Shards, dataset: Dataset, features: Sequence[str]) -> Callable[[Any], Any]:
    """A function from shards' numbers to their songs, a few shards at once, which stay in memory."""
    import tensorflow as tf

    numbers = stored.numbers()
    of_shard = [
        shards.parsed_records(stored.paths(numbers.skip(number).take(1)), dataset, features).cache()
        for number in range(len(stored.shards))
    ]
    variants = tf.stack([tf.data.experimental.to_variant(songs) for songs in of_shard])

    def of_number(number: Any) -> Any:
        return tf.data.experimental.from_variant(variants[number], of_shard[0].element_spec)

    return lambda order: order.interleave(of_number, cycle_length=_SHARDS_AT_ONCE)


def _read_songs(stored: shards.Shards, dataset: Dataset, features: Sequence[str]) -> Callable[[Any], Any]:
    """A function from shards' numbers to their songs, in the order of `_kept_songs`; they are read each time."""

    def of_path(path: Any) -> Any:
        return shards.parsed_records(path, dataset, features)

    return lambda order: stored.paths(order).interleave(of_path, cycle_length=_SHARDS_AT_ONCE)


def whole_songs(dataset: Dataset, folds: Sequence[str], windows: Windows, frame_slice: FrameSlice | None = None) -> Any:
    """Whole songs, each tiled into windows, in the order of the shards.

    Parameters
    ----------
    dataset : Dataset
    folds : sequence of str
    windows : Windows
    frame_slice : callable
        Which part of each song is tiled. Default: all of it.

    Returns
    -------
    tf.data.Dataset
        Of dicts: `id` (the record's) and `genre`, string; `windows`, by feature, shape (windows, frames, bins).
    """
    import tensorflow as tf

    def tiled(song: Any) -> dict[str, Any]:
        features = tensors.features_of(song, tuple(windows.frames), frame_slice)
        names = {key: song[key] for key in TEXT_KEYS}
        return names | {"windows": windows.tile(windows.normalise(features))}

    stored = shards.Shards(dataset, folds)
    songs = shards.parsed_records(stored.paths(stored.numbers()), dataset, tuple(windows.frames))
    return songs.map(tiled, tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def middle_windows(dataset: Dataset, folds: Sequence[str], windows: Windows) -> Any:
    """Batches of the middle windows of songs, one of each of the first 500 at most.

    Returns
    -------
    iterator of dict
        By feature, an array of shape (windows, frames, bins).
    """
    import tensorflow as tf

    def middle(song: Any) -> dict[str, Any]:
        return {name: values[tf.shape(values)[0] // 2] for name, values in song["windows"].items()}

    songs = whole_songs(dataset, folds, windows).take(_MIDDLE_SONGS)
    return songs.map(middle).batch(_MIDDLES_AT_ONCE).as_numpy_iterator()


def validation_batches(dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> Any:
    """Batches of all windows of some folds' songs, in which each song has the same weight, whatever its length.

    Returns
    -------
    tf.data.Dataset
        Of (features, labels, weights).
    """
    import tensorflow as tf

    feature = dataset.config.features.chosen[next(iter(windows.frames))]
    rate_hz = dataset.config.audio.sample_rate_hz
    durations_s = [file.duration_s for file in ledger.written(dataset.ledger()) if file.fold in folds]
    counts = windows.count(tf.constant([feature.frames(round(duration_s * rate_hz)) for duration_s in durations_s]))
    mean_count = tf.reduce_mean(tf.cast(counts, tf.float32))

    def labelled(song: Any) -> Any:
        count = tf.shape(next(iter(song["windows"].values())))[0]
        labels = tf.repeat(tensors.one_hot(song[GENRE], dataset.genres)[None, :], count, axis=0)
        # The mean weight is 1, so that the loss is comparable with that of training.
        weight = mean_count / tf.cast(count, tf.float32)
        return song["windows"], labels, tf.fill([count], weight)

    return whole_songs(dataset, folds, windows).map(labelled).unbatch().batch(training.batch_size).prefetch(2)


def _seed(training: Training, epoch: Any, place: Any) -> Any:
    import tensorflow as tf

    epoch, place = tf.cast(epoch, tf.int64), tf.cast(place, tf.int64)
    return tf.stack([tf.constant(training.seed, tf.int64), epoch * (1 << 32) + place])
