"""Means over the workers of a training on several machines: of gradients, of batch statistics, of metrics.

Keras 3.15 cannot `fit` under `tf.distribute.MultiWorkerMirroredStrategy`: it fails to build its metrics from values
that are distributed, and to reduce a scalar of two workers. So each worker trains a model of its own, all from the same
initial weights, and the strategy serves for what they do together, which is all-reduce. As all apply the same mean
gradients, their weights stay equal.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from model.data.workers import Workers
from pipelines.common.errors import SpectroshardError

_GONE = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class Averaging:
    """What workers have in common; to be made before TensorFlow does anything else.

    Parameters
    ----------
    workers : Workers
        Two or more. Each waits here for all others.
    """

    def __init__(self, workers: Workers):
        self.workers = workers
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        (self._device,) = self._strategy.extended.worker_devices
        self._mean = tf.function(self._reduced)

    def mean(self, values: Sequence[Any]) -> list[Any]:
        """The mean of each of several tensors over all workers, which all must ask for it.

        Raises
        ------
        SpectroshardError
            Another worker is gone.
        """
        if not tf.executing_eagerly():
            return self._reduced(list(values))
        with self.telling():
            return list(self._mean([tf.convert_to_tensor(value) for value in values]))

    def wait(self) -> None:
        """Waits until all workers have come here."""
        self.mean([0.0])

    def refuse_difference(self, what: str, value: int) -> None:
        """Refuses a number that is not the same for all workers."""
        if float(self.mean([float(value)])[0]) != value:
            raise SpectroshardError(
                f"{self.workers}: {what}: {value} here, and not so for the others; give all workers the same command,"
                " and an --output that all can read"
            )

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Says in a line where another worker is gone."""
        try:
            yield
        except _GONE as error:
            others = [address for n, address in enumerate(self.workers.addresses) if n != self.workers.index]
            raise SpectroshardError(
                f"{self.workers}: {' or '.join(others)} does not answer any more; run the same command on all workers"
                " again, and the training goes on from its last epoch"
            ) from error

    def _reduced(self, values: list[Any]) -> list[Any]:
        def reduced(own: list[Any]) -> Any:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, own)

        with tf.device(self._device):  # without one, TensorFlow does not know where the result is to be
            found = self._strategy.run(reduced, args=([tf.identity(value) for value in values],))
        return [self._strategy.experimental_local_results(value)[0] for value in found]


class AveragedAdamW(keras.optimizers.AdamW):  # type: ignore[misc]
    """AdamW with the mean of all workers' gradients."""

    def __init__(self, averaging: Averaging, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        self._averaging = averaging

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Updates the weights."""
        super().apply(self._averaging.mean(grads), trainable_variables)


class AverageStatistics(keras.callbacks.Callback):  # type: ignore[misc]
    """Gives all workers the same statistics of batch normalisation before each validation, and the same metrics."""

    def __init__(self, averaging: Averaging):
        super().__init__()
        self._averaging = averaging

    def on_test_begin(self, logs: Any = None) -> None:
        self._average_statistics()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._average_statistics()  # there need not be a validation
        assert logs is not None  # Keras gives one dictionary to all callbacks
        names = sorted(logs)
        means = self._averaging.mean([tf.constant(logs[name], tf.float64) for name in names])
        logs.update({name: float(mean) for name, mean in zip(names, means, strict=True)})

    def _average_statistics(self) -> None:
        statistics = self.model.non_trainable_weights
        means = self._averaging.mean([each.value for each in statistics]) if statistics else []
        for variable, mean in zip(statistics, means, strict=True):
            variable.assign(mean)
