"""Shards to batches: `tf.data` streams whose memory does not grow with the corpus."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fsspec

from model import augment
from model.config import Training
from model.windows import Windows
from pipelines import records, storage
from pipelines.dataset import Dataset
from pipelines.errors import UsageError

_SHUFFLED_SONGS = 256
_SHARDS_AT_ONCE = 4
_BUFFER_BYTES = 1 << 20
_CACHE = Path("~/.cache/spectroshard").expanduser()


def local_paths(dataset: Dataset, folds: Sequence[str]) -> list[str]:
    """Paths of some folds' shards; those of a remote dataset are fetched once and kept.

    Raises
    ------
    UsageError
        The folds hold no song.
    """
    urls = [storage.join(dataset.url, shard.name) for shard in dataset.shards_of(folds) if shard.songs]
    if not urls:
        raise UsageError(
            f"{dataset.url}: no songs in {', '.join(folds) or 'no fold'}; choose other folds for the split"
        )
    if storage.is_local(dataset.url):
        return [storage.filesystem(url)[1] for url in urls]
    keep = {"cache_storage": str(_CACHE), "check_files": True}
    return [fsspec.open_local(f"filecache::{url}", filecache=keep) for url in urls]


def steps(dataset: Dataset, folds: Sequence[str], training: Training) -> int:
    """How many batches an epoch has."""
    songs = sum(shard.songs for shard in dataset.shards_of(folds))
    return math.ceil(songs * training.windows_per_song / training.batch_size)


def genre_weights(songs: Mapping[str, int], training: Training) -> dict[str, float]:
    """What a song of each genre weighs, so that all genres weigh the same together and the mean is 1."""
    present = [count for count in songs.values() if count]
    if not training.class_weights:
        return dict.fromkeys(songs, 1.0)
    return {genre: sum(present) / (len(present) * count) if count else 0.0 for genre, count in songs.items()}


def training_batches(
    dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training, first_epoch: int = 0
) -> Any:
    """Batches of random windows, epoch after epoch.

    An epoch reads every song `windows_per_song` times, in another order each, and cuts one window each time. Where it
    is cut depends on the seed, the epoch and the place in the stream, so a resumed training is given what it would
    have been given.

    Returns
    -------
    tf.data.Dataset
        Of (features, labels, weights); `steps` batches an epoch.
    """
    import tensorflow as tf

    paths = local_paths(dataset, folds)
    weights = tf.constant(list(genre_weights(dataset.songs_of(folds), training).values()), tf.float32)
    dtype = dataset.config.shards.dtype

    def window(place: Any, serialized: Any, epoch: Any) -> tuple[Any, Any]:
        share = tf.random.stateless_uniform([], _seed(training, epoch, place))
        song = records.parse_tensors(serialized, tuple(windows.frames), dtype, windows.at(share))
        features = windows.normalise(windows.fill(song))
        return features, _label(song["genre"], dataset)

    def one_pass(number: Any) -> Any:
        files = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths), seed=training.seed + number)
        songs = files.interleave(_records, cycle_length=_SHARDS_AT_ONCE)
        return songs.shuffle(_SHUFFLED_SONGS, seed=training.seed + number)

    def one_epoch(epoch: Any) -> Any:
        passes = tf.data.Dataset.range(epoch * training.windows_per_song, (epoch + 1) * training.windows_per_song)
        cut = passes.flat_map(one_pass).enumerate()
        cut = cut.map(lambda place, song: window(place, song, epoch), tf.data.AUTOTUNE, deterministic=True)
        return cut.map(lambda features, label: (augment.mask(features, training), label))

    def finish(place: Any, batch: Any) -> Any:
        features, labels = batch
        weight = tf.linalg.matvec(labels, weights)
        features, labels = augment.mix(features, labels, _seed(training, -1, place), training)
        return features, labels, weight

    epochs = tf.data.Dataset.range(first_epoch, training.epochs).flat_map(
        lambda epoch: one_epoch(epoch).batch(training.batch_size)
    )
    first = first_epoch * steps(dataset, folds, training)
    return epochs.enumerate(first).map(finish, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def whole_songs(dataset: Dataset, folds: Sequence[str], windows: Windows) -> Any:
    """Songs tiled into windows, in the order of the shards.

    Returns
    -------
    tf.data.Dataset
        Of dicts: `song_id`, `genre`, `group`, string; `windows`, a dict of each feature, shape (windows, frames, bins).
    """
    import tensorflow as tf

    def tiled(serialized: Any) -> dict[str, Any]:
        song = records.parse_tensors(serialized, tuple(windows.frames), dataset.config.shards.dtype)
        names = {key: song[key] for key in ("song_id", "genre", "group")}
        return names | {"windows": windows.tile(windows.normalise(song))}

    return _records(local_paths(dataset, folds)).map(tiled, tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def validation_batches(dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> Any:
    """Batches of all windows of some folds' songs; each song weighs the same, whatever its length.

    Returns
    -------
    tf.data.Dataset
        Of (features, labels, weights).
    """
    import tensorflow as tf

    duration_s = sum(dataset.folds[fold].duration_s for fold in folds)
    mean_count = duration_s / sum(dataset.songs_of(folds).values()) / windows.window_s

    def labelled(song: Any) -> Any:
        count = tf.shape(next(iter(song["windows"].values())))[0]
        labels = tf.repeat(_label(song["genre"], dataset)[None, :], count, axis=0)
        # About 1, so that the loss is comparable with that of training.
        weight = tf.cast(mean_count, tf.float32) / tf.cast(count, tf.float32)
        return song["windows"], labels, tf.fill([count], weight)

    return whole_songs(dataset, folds, windows).map(labelled).unbatch().batch(training.batch_size).prefetch(2)


def _records(paths: Any) -> Any:
    import tensorflow as tf

    return tf.data.TFRecordDataset(paths, buffer_size=_BUFFER_BYTES)


def _label(genre: Any, dataset: Dataset) -> Any:
    import tensorflow as tf

    return tf.cast(tf.equal(tf.constant(dataset.genres), genre), tf.float32)


def _seed(training: Training, epoch: Any, place: Any) -> Any:
    import tensorflow as tf

    epoch, place = tf.cast(epoch, tf.int64), tf.cast(place, tf.int64)
    return tf.stack([tf.constant(training.seed, tf.int64), epoch * (1 << 32) + place])
