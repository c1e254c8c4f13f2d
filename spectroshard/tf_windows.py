"""Batches of windows in a `tf.data` stream: the trainer's own, without augmentation, and with numbers for labels."""

from collections.abc import Sequence
from typing import Any

from model.config import Training
from model.data import batches
from model.networks.windows import Windows
from pipelines.config import check
from pipelines.dataset.dataset import Dataset

_ENDLESS = 2**62


def training(window_s: float, batch_size: int, seed: int) -> Training:
    """The trainer's configuration that draws one window of each song an epoch, for as many epochs as are asked for."""
    given = {"window_s": window_s, "batch_size": batch_size, "seed": seed}
    one_window = {"windows_per_song": 1, "windows_per_epoch": 1, "cache_mb": 0}
    return check(given | one_window, Training, "to_tf").without_augmentation(epochs=_ENDLESS)


def in_order(dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> Any:
    """Batches of every window of every song, in the order of the shards."""
    return batches.validation_batches(dataset, folds, windows, training).map(_numbered)


def shuffled(dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> Any:
    """Batches of one window of each song: another epoch of the trainer's each time that the stream is begun."""
    import tensorflow as tf

    steps = batches.steps(dataset, folds, training)

    def epoch(number: Any) -> Any:
        return batches.training_batches(dataset, folds, windows, training, number).take(steps)

    number = tf.data.Dataset.random(seed=training.seed, rerandomize_each_iteration=True).take(1)
    return number.flat_map(epoch).map(_numbered).apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)


def _numbered(features: Any, labels: Any, _: Any) -> tuple[Any, Any]:
    import tensorflow as tf

    return features, tf.argmax(labels, axis=-1)
