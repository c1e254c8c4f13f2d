"""The transfer head: a small network that is trained on a pretrained network's embeddings."""

import itertools
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from model.config import Training
from model.data import batches
from model.networks import assembly
from model.networks.windows import Windows
from model.training import optimizer
from pipelines.dataset.dataset import Dataset

_WINDOWS_PER_SONG, _MOST_WINDOWS, _WINDOWS_AT_ONCE = 10, 20_000, 64
_UNITS, _DROPOUT = 200, 0.3
_STEPS, _BATCH_SIZE, _LEARNING_RATE = 1000, 32, 3e-3


@dataclass(frozen=True)
class _Examples:
    """What the head is trained on: embeddings, shape (windows, units), one-hot labels, and weights."""

    embeddings: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32]


def train_head(front_end: Any, dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> Any:
    """Trains a head on the embeddings of windows of some folds' songs.

    Each window is embedded once, without augmentation, as embedding takes the time; the head is then trained on the
    embeddings for many epochs. On windows at other tempos, such as the other branches are trained on, the head did
    worse: 66 to 68 % of songs right on the corpus set aside for choices, and 70 to 72 % without.

    Parameters
    ----------
    front_end : keras.Model
        From windows to embeddings, shape (units,).
    dataset : Dataset
    folds : sequence of str
        The train folds.
    windows : Windows
        Of the feature that the front end takes.
    training : Training
        Its seed, and what `optimizer.compile_for` uses of it.

    Returns
    -------
    keras.Model
        From windows to the head's softmax output, shape (1, genres).
    """
    started_s = time.monotonic()
    examples = _embed(front_end, dataset, folds, windows, training)
    keras.utils.set_random_seed(training.seed + 1)  # whatever came before
    head = _head(front_end, examples)
    trainable = keras.Model(front_end.output, head.output)
    optimizer.compile_for(trainable, _STEPS, _LEARNING_RATE, training)
    trainable.fit(_batches(examples, training.seed), shuffle=False, verbose=0)
    elapsed_s = time.monotonic() - started_s
    count = len(examples.embeddings)
    print(f"transfer head: trained on the embeddings of {count} windows ({elapsed_s:.0f} s)", file=sys.stderr)
    return head


def _embed(front_end: Any, dataset: Dataset, folds: Sequence[str], windows: Windows, training: Training) -> _Examples:
    """The embeddings of windows at random positions: ten of each song, or more, as `passes_per_epoch` says."""
    plain = training.without_augmentation(windows_per_song=_WINDOWS_PER_SONG, epochs=1, batch_size=_WINDOWS_AT_ONCE)
    drawn = batches.training_batches(dataset, folds, windows, plain).as_numpy_iterator()
    embedded = [
        (front_end.predict_on_batch(features), labels, weights)
        for features, labels, weights in itertools.islice(drawn, math.ceil(_MOST_WINDOWS / _WINDOWS_AT_ONCE))
    ]
    return _Examples(*(np.concatenate(parts) for parts in zip(*embedded, strict=True)))


def _batches(examples: _Examples, seed: int) -> Any:
    """All examples over and over, each time in another order."""
    import tensorflow as tf

    columns = [tf.constant(values) for values in (examples.embeddings, examples.labels, examples.weights)]
    count = len(examples.embeddings)
    order = tf.data.Dataset.range(count).shuffle(count, seed=seed).repeat()
    return order.batch(_BATCH_SIZE).take(_STEPS).map(lambda rows: tuple(tf.gather(values, rows) for values in columns))


def _head(front_end: Any, examples: _Examples) -> Any:
    normalised = layers.Normalization(name="normalised_embedding")
    normalised.adapt(examples.embeddings)
    x = layers.Dropout(_DROPOUT)(normalised(front_end.output))
    x = layers.Dropout(_DROPOUT)(layers.Dense(_UNITS, activation="relu")(x))
    return assembly.with_softmax_outputs("head", front_end.input, [x], examples.labels.shape[1])
