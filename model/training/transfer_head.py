"""A head: what a small network learns of what a pretrained one finds, once the towers have learned."""

import itertools
import math
import sys
import time
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from model.config import Training
from model.data import batches as stream
from model.networks import blocks
from model.networks.windows import Windows
from model.training import optimizer
from pipelines.dataset.dataset import Dataset

Array = NDArray[np.float32]

_WINDOWS_PER_SONG, _MOST_WINDOWS, _WINDOWS_AT_ONCE = 10, 20_000, 64
_UNITS, _DROPOUT = 200, 0.3
_STEPS, _BATCH_SIZE, _LEARNING_RATE = 1000, 32, 3e-3


def trained(front: Any, dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> Any:
    """A learner of one opinion: a head's, trained here on windows of some folds' songs.

    The pretrained network hears each window once, as it is, and its head then learns from what it found, many times
    over: to hear is what takes the time. Of windows at other tempos, as towers learn from, its head learned less: on
    the corpus set aside for choices it was right about 66 to 68 % of songs, in place of 70 to 72.

    Parameters
    ----------
    front : keras.Model
        Gives what the pretrained network finds in a window, shape (units,).
    dataset : Dataset
    folds : sequence of str
        The train folds.
    windows : Windows
        Of the feature that it knows.
    training : Training
        Its seed, and what `learning.compile_for` takes of it.
    """
    started_s = time.monotonic()
    found, labels, weights = _heard(front, dataset, folds, windows, training)
    keras.utils.set_random_seed(training.seed + 1)  # whatever came before
    head = _head(front, found, labels.shape[1])
    fitted = keras.Model(front.output, head.output)
    optimizer.compile_for(fitted, _STEPS, _LEARNING_RATE, training)
    fitted.fit(_steps(found, labels, weights, training.seed), shuffle=False, verbose=0)
    elapsed_s = time.monotonic() - started_s
    print(f"head of the pretrained network: trained on {len(found)} windows ({elapsed_s:.0f} s)", file=sys.stderr)
    return head


def _heard(
    front: Any, dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training
) -> tuple[Array, ...]:
    """What is found in windows at random places, shape (windows, units); their labels and weights."""
    plain = training.unaltered(windows_per_song=_WINDOWS_PER_SONG, epochs=1, batch_size=_WINDOWS_AT_ONCE)
    batches = stream.training_batches(dataset, folds, windows, plain).as_numpy_iterator()
    heard = [
        (front.predict_on_batch(features), labels, weights)
        for features, labels, weights in itertools.islice(batches, math.ceil(_MOST_WINDOWS / _WINDOWS_AT_ONCE))
    ]
    found, labels, weights = (np.concatenate(parts) for parts in zip(*heard, strict=True))
    return found, labels, weights


def _steps(found: Array, labels: Array, weights: Array, seed: int) -> Any:
    """Batches of what was found, all of it again and again, each time in another order."""
    import tensorflow as tf

    each = [tf.constant(values) for values in (found, labels, weights)]
    order = tf.data.Dataset.range(len(found)).shuffle(len(found), seed=seed).repeat()
    batches = order.batch(_BATCH_SIZE).take(_STEPS)
    return batches.map(lambda rows: tuple(tf.gather(values, rows) for values in each))


def _head(front: Any, found: Array, genres: int) -> Any:
    alike = layers.Normalization(name="found_alike")
    alike.adapt(found)
    x = layers.Dropout(_DROPOUT)(alike(front.output))
    x = layers.Dropout(_DROPOUT)(layers.Dense(_UNITS, activation="relu")(x))
    return blocks.deciding("head", front.input, [x], genres)
