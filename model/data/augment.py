"""What training does to windows so that a network cannot learn them by heart."""

import functools
import math
import warnings
from collections.abc import Mapping
from typing import Any

from model.config import Training
from model.networks.windows import Windows

Batch = dict[str, Any]
"""Features by name, shape (windows, frames, bins), normalised."""

_OVER_MEL_BINS = ("log_mel", "musicnn_mel", "harmonic_mel", "percussive_mel")
_IN_DB = ("stft_db", *_OVER_MEL_BINS)
_KNOTS = 5
_STREAMS = {"tempo": 1, "pitch": 2, "tone": 3, "mix": 5}


def augment(batch: Batch, labels: Any, windows: Windows, seed: Any, training: Training) -> tuple[Batch, Any]:
    """A batch with all changes that a training asks for.

    Parameters
    ----------
    batch : dict
        Of `longest` frames each.
    labels : tf.Tensor, shape (windows, genres)
    windows : Windows
        The shapes and the normalisation of the result.
    seed : tf.Tensor, int, shape (2,)
        All but masks depend on it alone.
    training : Training
    """
    batch = change_tempo(batch, windows.frames, seed, training)
    batch = change_pitch(batch, seed, training)
    batch = change_tone(batch, windows.deviation, seed, training)
    batch = mask(batch, training)
    return mix(batch, labels, seed, training)


def longest(frames: int, training: Training) -> int:
    """How many frames are to be cut for a window of `frames`, so that it can be played at any tempo drawn."""
    return math.ceil((frames - 1) * (1 + training.tempo)) + 1


def change_tempo(batch: Batch, frames: Mapping[str, int], seed: Any, training: Training) -> Batch:
    """Plays each window faster or slower: interpolates along time, at constant pitch.

    Parameters
    ----------
    batch : dict
        Of `longest` frames each.
    frames : dict
        Those of the result.
    seed : tf.Tensor, int, shape (2,)
        The tempi depend on it alone.
    training : Training
        Its `tempo` t draws rates between 1 / (1 + t) and 1 + t, their logarithms being equally likely.
    """
    import tensorflow as tf

    if not training.tempo:
        return batch
    count = tf.shape(next(iter(batch.values())))[0]
    draws = tf.random.stateless_uniform([2, count, 1], _of("tempo", seed))
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
    """Shifts what lies over mel bins by up to `pitch_bins` of them, up or down; the outermost bin fills the gap."""
    import tensorflow as tf

    if not training.pitch_bins:
        return batch
    count = tf.shape(next(iter(batch.values())))[0]
    most = training.pitch_bins
    shifts = tf.random.stateless_uniform([count, 1], _of("pitch", seed), -most, most + 1, tf.int32)

    def shifted(values: Any) -> Any:
        bins = values.shape[2]
        from_bins = tf.clip_by_value(tf.range(bins) + shifts, 0, bins - 1)
        return tf.transpose(tf.gather(tf.transpose(values, (0, 2, 1)), from_bins, batch_dims=1), (0, 2, 1))

    return {name: shifted(values) if name in _OVER_MEL_BINS else values for name, values in batch.items()}


def change_tone(batch: Batch, deviation: Mapping[str, Any], seed: Any, training: Training) -> Batch:
    """Makes windows of what is in dB louder or softer, and equalises them.

    Parameters
    ----------
    batch : dict
    deviation : dict
        Each feature's normalisation, in dB, shape (bins,).
    seed : tf.Tensor, int, shape (2,)
    training : Training
        Its `gain_db` is the greatest gain, its `equalise_db` the standard deviation of the gains of five bands, between
        whose centres they are interpolated.
    """
    import tensorflow as tf

    if not (training.gain_db or training.equalise_db):
        return batch
    count = tf.shape(next(iter(batch.values())))[0]
    own = _of("tone", seed)
    gains_db = training.gain_db * tf.random.stateless_uniform([count, 1], own, -1, 1)
    bands_db = gains_db + training.equalise_db * tf.random.stateless_normal([count, _KNOTS], own + 1)

    def equalised(values: Any, scale: Any) -> Any:
        return values + (_curves(bands_db, values.shape[2]) / scale)[:, None, :]

    return {n: equalised(values, deviation[n]) if n in _IN_DB else values for n, values in batch.items()}


def _curves(knots: Any, bins: int) -> Any:
    """Knots, shape (windows, knots), evenly spread over bins and interpolated between, shape (windows, bins)."""
    import numpy as np
    import tensorflow as tf

    places = np.linspace(0, _KNOTS - 1, bins)
    hats = np.maximum(0, 1 - np.abs(places[None, :] - np.arange(_KNOTS)[:, None]))
    return tf.matmul(knots, tf.constant(hats, tf.float32))


def _of(change: str, seed: Any) -> Any:
    """A change's own seed, so that what one draws tells nothing of what another does."""
    import tensorflow as tf

    return tf.cast(seed, tf.int64) + tf.constant([_STREAMS[change] << 56, 0], tf.int64)


@functools.cache
def _audio_ops() -> Any:
    """TensorFlow I/O's audio operations. It warns of its native library, which they do not need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_io

    return tensorflow_io.audio


def mask(batch: Batch, training: Training) -> Batch:
    """Hides a band of bins and a stretch of frames of each window, at random: they become 0, the mean.

    The band is narrower than `mask_bins`, the stretch shorter than `mask_frames`, and either may be empty. They are
    drawn by TensorFlow's global seed: the same training draws the same, but one that is resumed draws others.
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
    gammas = tf.random.stateless_gamma([2, tf.shape(labels)[0]], _of("mix", seed), alpha=training.mixup) + 1e-9
    share = tf.reduce_max(gammas, axis=0) / tf.reduce_sum(gammas, axis=0)

    def mixed(values: Any) -> Any:
        own = tf.reshape(share, [-1] + [1] * (len(values.shape) - 1))
        return values * own + tf.roll(values, 1, axis=0) * (1 - own)

    return {name: mixed(values) for name, values in batch.items()}, mixed(labels)
