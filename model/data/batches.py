"""Shards to batches: `tf.data` streams whose memory does not grow with the corpus."""

import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec

from model.config import Training
from model.data import augment
from model.networks.windows import FrameSlice, Windows
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import ledger, tensors
from pipelines.dataset.dataset import Dataset, Shard
from pipelines.dataset.records import GENRE, TEXT_KEYS

_SHUFFLED_SONGS = 256
_SHARDS_AT_ONCE = 4
_MIDDLE_SONGS, _MIDDLES_AT_ONCE = 500, 50
_BUFFER_BYTES = 1 << 20
_CACHE = Path("~/.cache/spectroshard").expanduser()


def local_paths(dataset: Dataset, folds: Sequence[str]) -> list[str]:
    """Paths of some folds' shards, each of them intact; those of a remote dataset are fetched once and kept.

    Raises
    ------
    UsageError
        The folds hold no song.
    SpectroshardError
        A shard is not what the dataset says.
    """
    shards = [shard for shard in dataset.shards_of(folds) if shard.songs]
    if not shards:
        raise UsageError(
            f"{dataset.url}: no songs in {', '.join(folds) or 'no fold'};"
            " folds.test and folds.validation say which folds a split has"
        )
    paths = [_local_path(storage.join(dataset.url, shard.name)) for shard in shards]
    for shard, path in zip(shards, paths, strict=True):
        _check(shard, path, storage.version(path))
    return paths


def _local_path(url: str) -> str:
    if storage.is_local(url):
        return str(storage.filesystem(url)[1])
    keep = {"cache_storage": str(_CACHE), "check_files": True}
    return str(fsspec.open_local(f"filecache::{url}", filecache=keep))


@functools.cache
def _check(shard: Shard, path: str, version: str) -> None:
    """Refuses a file that is not the shard; each version of it is read for that once."""
    try:
        with Path(path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SpectroshardError(f"{path}: cannot be read ({error.strerror}); build the dataset again") from error
    if found != shard.sha256:
        raise SpectroshardError(
            f"{path}: is damaged, or of another build (SHA-256 {found[:12]}, dataset.json says {shard.sha256[:12]});"
            " build the dataset again, in a new folder"
        )


def steps(dataset: Dataset, folds: Sequence[str], training: Training) -> int:
    """How many batches an epoch has."""
    return math.ceil(_songs_in(dataset, folds) * passes(dataset, folds, training) / training.batch_size)


def passes(dataset: Dataset, folds: Sequence[str], training: Training) -> int:
    """How many windows an epoch draws from each song of some folds."""
    return max(training.windows_per_song, math.ceil(training.windows_per_epoch / _songs_in(dataset, folds)))


def _songs_in(dataset: Dataset, folds: Sequence[str]) -> int:
    return sum(shard.songs for shard in dataset.shards_of(folds))


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

    An epoch reads every song `passes` times, in another order each, and cuts one window each time. Where it
    is cut depends on the seed, the epoch and the place in the stream, so a resumed training is given what it would
    have been given, but for masks. Songs stay in memory, as they are stored, after the first pass where
    `training.cache_mb` holds them all; that changes nothing of what is given.

    Returns
    -------
    tf.data.Dataset
        Of (features, labels, weights); `steps` batches an epoch.
    """
    import tensorflow as tf

    shards, song_spec = _shards(dataset, folds, windows, _fits(dataset, folds, training))
    weight_of = genre_weights(dataset.songs_of(folds), training)
    weights = tf.constant([weight_of[genre] for genre in dataset.genres], tf.float32)
    each = passes(dataset, folds, training)
    cut = replace(
        windows, frames={name: augment.frames_to_cut(count, training) for name, count in windows.frames.items()}
    )

    def window(place: Any, song: Any, epoch: Any) -> tuple[Any, Any]:
        share = tf.random.stateless_uniform([], _seed(training, epoch, place))
        stretch = tensors.restore(song, tuple(cut.frames), cut.slices_at(share, training.held_out_share))
        return cut.normalise(cut.fill(stretch)), tensors.one_hot(song[GENRE], dataset.genres)

    def one_pass(number: Any) -> Any:
        songs = shards.shuffle(shards.cardinality(), seed=training.seed + number).interleave(
            lambda shard: tf.data.experimental.from_variant(shard, song_spec),
            cycle_length=_SHARDS_AT_ONCE,
        )
        return songs.shuffle(_SHUFFLED_SONGS, seed=training.seed + number)

    def one_epoch(epoch: Any) -> Any:
        numbers = tf.data.Dataset.range(epoch * each, (epoch + 1) * each)
        songs = numbers.flat_map(one_pass).enumerate()
        return songs.map(lambda place, song: window(place, song, epoch), tf.data.AUTOTUNE, deterministic=True)

    def finish(place: Any, batch: Any) -> Any:
        features, labels = batch
        weight = tf.linalg.matvec(labels, weights)
        features, labels = augment.augment(features, labels, windows, _seed(training, -1, place), training)
        return features, labels, weight

    epochs = tf.data.Dataset.range(first_epoch, training.epochs).flat_map(
        lambda epoch: one_epoch(epoch).batch(training.batch_size)
    )
    first = first_epoch * steps(dataset, folds, training)
    return epochs.enumerate(first).map(finish, tf.data.AUTOTUNE, deterministic=True).prefetch(tf.data.AUTOTUNE)


def whole_songs(dataset: Dataset, folds: Sequence[str], windows: Windows, frame_slice: FrameSlice | None = None) -> Any:
    """Songs tiled into windows, in the order of the shards.

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
        Of dicts: `song_id`, `genre`, `group`, string; `windows`, a dict of each feature, shape (windows, frames, bins).
    """
    import tensorflow as tf

    def tiled(song: Any) -> dict[str, Any]:
        features = tensors.restore(song, tuple(windows.frames), frame_slice)
        names = {key: song[key] for key in TEXT_KEYS}
        return names | {"windows": windows.tile(windows.normalise(features))}

    songs = _songs(local_paths(dataset, folds), dataset, windows)
    return songs.map(tiled, tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def middle_windows(dataset: Dataset, folds: Sequence[str], windows: Windows) -> Any:
    """Batches of arrays: the middle window of each of some folds' songs, of 500 at most."""
    import tensorflow as tf

    def middle(song: Any) -> dict[str, Any]:
        return {name: values[tf.shape(values)[0] // 2] for name, values in song["windows"].items()}

    songs = whole_songs(dataset, folds, windows).take(_MIDDLE_SONGS)
    return songs.map(middle).batch(_MIDDLES_AT_ONCE).as_numpy_iterator()


def validation_batches(dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> Any:
    """Batches of all windows of some folds' songs; each song weighs the same, whatever its length.

    Returns
    -------
    tf.data.Dataset
        Of (features, labels, weights).
    """
    import tensorflow as tf

    rate_hz = dataset.features[next(iter(windows.frames))].frame_rate_hz
    durations_s = [song.duration_s for song in ledger.written(dataset.ledger()) if song.fold in folds]
    counts = windows.count(tf.constant([1 + int(duration_s * rate_hz) for duration_s in durations_s]))
    mean_count = tf.reduce_mean(tf.cast(counts, tf.float32))

    def labelled(song: Any) -> Any:
        count = tf.shape(next(iter(song["windows"].values())))[0]
        labels = tf.repeat(tensors.one_hot(song[GENRE], dataset.genres)[None, :], count, axis=0)
        # 1 in the mean, so that the loss is comparable with that of training.
        weight = mean_count / tf.cast(count, tf.float32)
        return song["windows"], labels, tf.fill([count], weight)

    return whole_songs(dataset, folds, windows).map(labelled).unbatch().batch(training.batch_size).prefetch(2)


def _fits(dataset: Dataset, folds: Sequence[str], training: Training) -> bool:
    return sum(shard.bytes for shard in dataset.shards_of(folds)) <= training.cache_mb * 1e6


def _shards(dataset: Dataset, folds: Sequence[str], windows: Windows, cached: bool) -> tuple[Any, Any]:
    """Shards as elements, each a dataset of its own, so that a pass can take them in any order out of their caches.

    Also what an element of theirs, a parsed song, is.
    """
    import tensorflow as tf

    shards = [_songs(path, dataset, windows) for path in local_paths(dataset, folds)]
    shards = [shard.cache() if cached else shard for shard in shards]
    variants = tf.data.Dataset.from_tensor_slices([tf.data.experimental.to_variant(shard) for shard in shards])
    return variants, shards[0].element_spec


def _songs(paths: Any, dataset: Dataset, windows: Windows) -> Any:
    """Parsed songs, with their features as they are stored."""
    import tensorflow as tf

    def parse(serialized: Any) -> Any:
        return tensors.parse(serialized, tuple(windows.frames), dataset.config.shards.dtype)

    return tf.data.TFRecordDataset(paths, buffer_size=_BUFFER_BYTES).map(parse, tf.data.AUTOTUNE, deterministic=True)


def _seed(training: Training, epoch: Any, place: Any) -> Any:
    import tensorflow as tf

    epoch, place = tf.cast(epoch, tf.int64), tf.cast(place, tf.int64)
    return tf.stack([tf.constant(training.seed, tf.int64), epoch * (1 << 32) + place])
