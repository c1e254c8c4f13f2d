"""What training does to windows so that a network cannot learn them by heart."""

import functools
import warnings
from typing import Any

from model.config import Training

Batch = dict[str, Any]


@functools.cache
def _audio_ops() -> Any:
    """TensorFlow I/O's audio operations. It warns of its native library, which they do not need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_io

    return tensorflow_io.audio


def mask(window: Batch, training: Training) -> Batch:
    """Hides a band of bins and a stretch of frames of each feature, at random: they become 0, the mean.

    The band is narrower than `mask_bins`, the stretch shorter than `mask_frames`, and either may be empty. They are
    drawn by TensorFlow's global seed: the same training draws the same, but one that is resumed draws others.
    Source: D. S. Park et al., "SpecAugment", Interspeech 2019, https://arxiv.org/abs/1904.08779.
    """
    masked = {}
    for name, values in window.items():
        frames, bins = values.shape
        if training.mask_bins and bins > 1:
            values = _audio_ops().freq_mask(values, min(training.mask_bins, bins))
        if training.mask_frames:
            values = _audio_ops().time_mask(values, min(training.mask_frames, frames))
        masked[name] = values
    return masked


def mix(batch: Batch, labels: Any, seed: Any, training: Training) -> tuple[Batch, Any]:
    """Mixes each window of a batch, and its label, with the next one's; its own share is a half at least.

    Parameters
    ----------
    batch : dict
        Each feature, shape (windows, frames, bins).
    labels : tf.Tensor, shape (windows, genres)
    seed : tf.Tensor, int, shape (2,)
        The proportion depends on it alone.
    training : Training
        Its `mixup` is both parameters of the beta distribution; 0 mixes nothing.

    Source: H. Zhang et al., "mixup", ICLR 2018, https://arxiv.org/abs/1710.09412.
    """
    import tensorflow as tf

    if not training.mixup:
        return batch, labels
    gammas = tf.random.stateless_gamma([2, tf.shape(labels)[0]], seed, alpha=training.mixup) + 1e-9
    share = tf.reduce_max(gammas, axis=0) / tf.reduce_sum(gammas, axis=0)

    def mixed(values: Any) -> Any:
        own = tf.reshape(share, [-1] + [1] * (len(values.shape) - 1))
        return values * own + tf.roll(values, 1, axis=0) * (1 - own)

    return {name: mixed(values) for name, values in batch.items()}, mixed(labels)
