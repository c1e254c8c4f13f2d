"""How a network is compiled for training: its loss, optimizer and learning rate schedule."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras

from model.config import Training
from model.training.averaging import AveragedAdamW, Averaging

_WARM_UP_SHARE = 0.1


def learning_rate_schedule(steps: int, peak: float) -> Any:
    """Warms up linearly for a tenth of the steps, then decays to zero along a cosine.

    Parameters
    ----------
    steps : int
        How many there are in all.
    peak : float
        The highest learning rate.

    Returns
    -------
    keras.optimizers.schedules.LearningRateSchedule

    Examples
    --------
    >>> rate = learning_rate_schedule(steps=100, peak=0.002)
    >>> [round(float(rate(step)), 4) for step in (0, 5, 10, 55, 100)]
    [0.0, 0.001, 0.002, 0.001, 0.0]
    """
    warm_up = math.ceil(steps * _WARM_UP_SHARE)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm_up), warmup_target=peak, warmup_steps=warm_up
    )


def compile_for(
    model: Any,
    steps: int,
    learning_rate: float,
    training: Training,
    *,
    jit_compile: bool = False,
    averaging: Averaging | None = None,
) -> None:
    """Compiles a model of branch outputs, shape (branches, genres), so that each branch is trained with its own loss.

    Parameters
    ----------
    model : keras.Model
    steps : int
        How many training steps there will be in all.
    learning_rate : float
        The peak of the schedule.
    training : Training
        What it says of the optimizer and the loss.
    jit_compile : bool
        Whether XLA compiles the training step.
    averaging : Averaging, optional
        Takes the mean of the gradients of several workers.
    """
    adam_w = functools.partial(AveragedAdamW, averaging) if averaging else keras.optimizers.AdamW
    model.compile(
        optimizer=adam_w(
            learning_rate_schedule(steps, learning_rate),
            weight_decay=training.weight_decay,
            use_ema=training.average_momentum > 0,
            ema_momentum=training.average_momentum,
        ),
        loss=_mean_over_branches(training.label_smoothing),
        weighted_metrics=[keras.metrics.MeanMetricWrapper(_accuracy, name="accuracy")],
        jit_compile=jit_compile,
    )
    model.optimizer.build(model.trainable_variables)


def _mean_over_branches(label_smoothing: float) -> Callable[[Any, Any], Any]:
    crossentropy = keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing, reduction=None)

    def loss(labels: Any, outputs: Any) -> Any:
        of_each = keras.ops.repeat(labels[:, None], outputs.shape[1], axis=1)
        return keras.ops.mean(crossentropy(of_each, outputs), axis=1)

    return loss


def _accuracy(labels: Any, outputs: Any) -> Any:
    return keras.metrics.categorical_accuracy(labels, keras.ops.mean(outputs, axis=1))
