"""Augmentation: random changes of training windows in tempo, pitch, level and timbre, masks, and mixup."""

import functools
import math
import warnings
from collections.abc import Mapping
from typing import Any

from model.config import Training
from model.networks.windows import Windows
from pipelines.features.schema import Features

Batch = dict[str, Any]
"""Normalised windows by feature: tensors of shape (windows, frames, bins)."""

_BANDS = 5
_STREAMS = {"tempo": 1, "pitch": 2, "tone": 3, "mix": 5}
"""4 was another's once. The others keep their numbers, so that a training that is repeated draws what it drew."""


def augment(batch: Batch, labels: Any, windows: Windows, seed: Any, training: Training) -> tuple[Batch, Any]:
    """Augments a batch in every way that a training asks for.

    Parameters
    ----------
    batch : dict
        By feature, shape (windows, `frames_to_cut`, bins).
    labels : tf.Tensor, shape (windows, genres)
        One-hot.
    windows : Windows
        Their shapes after augmentation, and their normalisation.
    seed : tf.Tensor, int, shape (2,)
        All changes but masks depend on it alone.
    training : Training

    Returns
    -------
    batch : dict
        By feature, shape (windows, frames, bins).
    labels : tf.Tensor, shape (windows, genres)
        Mixed where windows were.
    """
    batch = change_tempo(batch, windows.frames, seed, training)
    batch = change_pitch(batch, seed, training)
    batch = change_tone(batch, windows.deviation, seed, training)
    batch = mask(batch, training)
    return mix(batch, labels, seed, training)


def frames_to_cut(frames: int, training: Training) -> int:
    """How many frames must be cut so that `frames` are left when they are played at the highest tempo.

    Examples
    --------
    >>> frames_to_cut(101, Training(tempo=0.25)), frames_to_cut(101, Training(tempo=0))
    (126, 101)
    """
    return math.ceil((frames - 1) * (1 + training.tempo)) + 1


def change_tempo(batch: Batch, frames: Mapping[str, int], seed: Any, training: Training) -> Batch:
    """Plays each window faster or slower, at constant pitch, by linear interpolation along time.

    Parameters
    ----------
    batch : dict
        By feature, shape (windows, `frames_to_cut`, bins).
    frames : dict of int
        By feature, the frames of the result.
    seed : tf.Tensor, int, shape (2,)
        The tempos depend on it alone.
    training : Training
        Its `tempo` t draws rates log-uniformly between 1 / (1 + t) and 1 + t.
    """
    import tensorflow as tf

    if not training.tempo:
        return batch
    count = _count(batch)
    draws = tf.random.stateless_uniform([2, count, 1], _seed_of("tempo", seed))
    rates = tf.exp((2 * draws[0] - 1) * math.log1p(training.tempo))

    def played(values: Any, length: int) -> Any:
        last = values.shape[1] - 1
        places = tf.range(length, dtype=tf.float32) * rates
        places = tf.minimum(places + draws[1] * (last - places[:, -1:]), float(last))
        before = tf.cast(tf.floor(places), tf.int32)
        share = (places - tf.floor(places))[:, :, None]
        after = tf.minimum(before + 1, last)
        return tf.gather(values, before, batch_dims=1) * (1 - share) + tf.gather(values, after, batch_dims=1) * share

    return {name: played(values, frames[name]) for name, values in batch.items()}


def change_pitch(batch: Batch, seed: Any, training: Training) -> Batch:
    """Shifts mel spectrograms by up to `pitch_bins` bins, up or down; the outermost bin fills the gap.

    Other features stay as they are.
    """
    import tensorflow as tf

    if not training.pitch_bins:
        return batch
    count = _count(batch)
    most = training.pitch_bins
    shifts = tf.random.stateless_uniform([count, 1], _seed_of("pitch", seed), -most, most + 1, tf.int32)

    def shifted(values: Any) -> Any:
        bins = values.shape[2]
        from_bins = tf.clip_by_value(tf.range(bins) + shifts, 0, bins - 1)
        return tf.transpose(tf.gather(tf.transpose(values, (0, 2, 1)), from_bins, batch_dims=1), (0, 2, 1))

    return {
        name: shifted(values) if Features.class_of(name).is_mel_spectrogram else values
        for name, values in batch.items()
    }


def change_tone(batch: Batch, deviation: Mapping[str, Any], seed: Any, training: Training) -> Batch:
    """Changes level and timbre: adds a random gain, and a random equaliser's gains, to features in dB.

    Other features stay as they are.

    Parameters
    ----------
    batch : dict
        By feature, shape (windows, frames, bins).
    deviation : dict
        By feature in dB, the standard deviations by which it was normalised, shape (bins,).
    seed : tf.Tensor, int, shape (2,)
    training : Training
        Its `gain_db` is the largest gain; its `equalise_db` the standard deviation of the gains in five bands, between
        whose centres they are interpolated.
    """
    import tensorflow as tf

    if not (training.gain_db or training.equalise_db):
        return batch
    count = _count(batch)
    own = _seed_of("tone", seed)
    gains_db = training.gain_db * tf.random.stateless_uniform([count, 1], own, -1, 1)
    bands_db = gains_db + training.equalise_db * tf.random.stateless_normal([count, _BANDS], own + 1)

    def equalised(values: Any, scale: Any) -> Any:
        return values + (_interpolated(bands_db, values.shape[2]) / scale)[:, None, :]

    return {
        name: equalised(values, deviation[name]) if Features.class_of(name).is_level_db else values
        for name, values in batch.items()
    }


def _interpolated(bands: Any, bins: int) -> Any:
    """Gains of bands, spread evenly from the first bin to the last, at each bin: shape (windows, bins)."""
    import numpy as np
    import tensorflow as tf

    places = np.linspace(0, _BANDS - 1, bins)
    hats = np.maximum(0, 1 - np.abs(places[None, :] - np.arange(_BANDS)[:, None]))
    return tf.matmul(bands, tf.constant(hats, tf.float32))


def _count(batch: Batch) -> Any:
    """How many windows a batch holds, which its graph learns only as it runs."""
    import tensorflow as tf

    return tf.shape(next(iter(batch.values())))[0]


def _seed_of(change: str, seed: Any) -> Any:
    """A seed for each change, so that their draws are independent."""
    import tensorflow as tf

    return tf.cast(seed, tf.int64) + tf.constant([_STREAMS[change] << 56, 0], tf.int64)


@functools.cache
def _audio_ops() -> Any:
    """TensorFlow I/O's audio operations. Its import warns of a native library that they do not need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_io

    return tensorflow_io.audio


def mask(batch: Batch, training: Training) -> Batch:
    """Masks a band of bins and a stretch of frames of each window with 0, which is the mean.

    The band is narrower than `mask_bins`, the stretch shorter than `mask_frames`, and either may be empty. They are
    drawn from TensorFlow's global seed: a training that is repeated draws the same masks, one that is resumed others.
    Source: D. S. Park et al., "SpecAugment", Interspeech 2019, https://arxiv.org/abs/1904.08779.
    """
    import tensorflow as tf

    if not (training.mask_bins or training.mask_frames):
        return batch

    def masked(values: Any) -> Any:
        frames, bins = values.shape
        if training.mask_bins and bins > 1:
            values = _audio_ops().freq_mask(values, min(training.mask_bins, bins))
        if training.mask_frames:
            values = _audio_ops().time_mask(values, min(training.mask_frames, frames))
        return values

    return {name: tf.ensure_shape(tf.map_fn(masked, values), values.shape) for name, values in batch.items()}


def mix(batch: Batch, labels: Any, seed: Any, training: Training) -> tuple[Batch, Any]:
    """Mixup: mixes each window of a batch, and its label, with the next; at least half is the window itself.

    Parameters
    ----------
    batch : dict
        By feature, shape (windows, frames, bins).
    labels : tf.Tensor, shape (windows, genres)
    seed : tf.Tensor, int, shape (2,)
        The proportions depend on it alone.
    training : Training
        Its `mixup` is both parameters of the beta distribution that they are drawn from; 0 mixes nothing.

    Source: H. Zhang et al., "mixup", ICLR 2018, https://arxiv.org/abs/1710.09412.
    """
    import tensorflow as tf

    if not training.mixup:
        return batch, labels
    alpha = tf.constant(training.mixup)
    gammas = tf.random.stateless_gamma([2, tf.shape(labels)[0]], _seed_of("mix", seed), alpha) + 1e-9
    share = tf.reduce_max(gammas, axis=0) / tf.reduce_sum(gammas, axis=0)

    def mixed(values: Any) -> Any:
        own = tf.reshape(share, [-1] + [1] * (len(values.shape) - 1))
        return values * own + tf.roll(values, 1, axis=0) * (1 - own)

    return {name: mixed(values) for name, values in batch.items()}, mixed(labels)
