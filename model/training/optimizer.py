"""How what learns is made ready for it: by what loss, and at what rate."""

import math
from collections.abc import Callable
from typing import Any

import keras

from model.config import Training

_WARM_UP_SHARE = 0.1


def compile_for(model: Any, steps: int, learning_rate: float, training: Training) -> None:
    """Readies a model of opinions, shape (towers, genres), to be trained, each opinion by its own loss.

    Parameters
    ----------
    model : keras.Model
    steps : int
        How many there will be in all. The rate rises for a tenth of them, then falls along a cosine to zero.
    learning_rate : float
        The highest.
    training : Training
        Its `weight_decay`, `label_smoothing` and `average_momentum`.
    """
    warm_up = math.ceil(steps * _WARM_UP_SHARE)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=learning_rate, warmup_steps=warm_up
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(
            rate,
            weight_decay=training.weight_decay,
            use_ema=training.average_momentum > 0,
            ema_momentum=training.average_momentum,
        ),
        loss=_each_loss(training.label_smoothing),
        weighted_metrics=[keras.metrics.MeanMetricWrapper(_accuracy, name="accuracy")],
        jit_compile=False,  # on a CPU many times slower
    )
    model.optimizer.build(model.trainable_variables)


def _each_loss(label_smoothing: float) -> Callable[[Any, Any], Any]:
    crossentropy = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing, reduction=None)

    def loss(labels: Any, opinions: Any) -> Any:
        alike = keras.ops.repeat(labels[:, None], opinions.shape[1], axis=1)
        return keras.ops.mean(crossentropy(alike, opinions), axis=1)

    return loss


def _accuracy(labels: Any, opinions: Any) -> Any:
    return keras.metrics.categorical_accuracy(labels, keras.ops.mean(opinions, axis=1))
