"""Batches of a split's windows in a `tf.data` stream: the trainer's own, without what it alters."""

from typing import TYPE_CHECKING, Any

from model.config import Training
from model.data import batches as streams

if TYPE_CHECKING:
    from spectroshard.dataset import Split

_ENDLESS = 2**62


def batches(split: "Split", window_s: float, batch_size: int, *, shuffle: bool, seed: int) -> Any:
    """As `spectroshard.dataset.Split.to_tf` says."""
    import tensorflow as tf

    manifest, windows = split.dataset.manifest, split.windows(window_s)
    training = Training(
        window_s=window_s, batch_size=batch_size, seed=seed, windows_per_song=1, windows_per_epoch=1, cache_mb=0
    ).unaltered(epochs=_ENDLESS)

    def numbered(features: Any, labels: Any, _: Any) -> Any:
        return features, tf.argmax(labels, axis=-1)

    if not shuffle:
        return streams.validation_batches(manifest, split.folds, windows, training).map(numbered)
    steps = streams.steps(manifest, split.folds, training)

    def epoch(number: Any) -> Any:
        return streams.training_batches(manifest, split.folds, windows, training, number).take(steps)

    # An epoch is known by its number; another one is drawn each time that the stream is begun.
    number = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).take(1)
    return number.flat_map(epoch).map(numbered).apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)
