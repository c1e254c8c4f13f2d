"""Training: a dataset and a configuration to a bundle; what was killed goes on at its epoch."""

import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from model.config import Config, Training
from model.data import batches
from model.inference.bundle import MODEL_NAME, Bundle
from model.inference.calibration import Calibration
from model.inference.classify import score_files
from model.networks import blocks, registry
from model.networks.windows import Windows
from model.training import optimizer, out_of_distribution, rejection, transfer_head
from model.training.checkpoints import WORK_NAME, Epochs, are_over
from pipelines.audit import audit
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.section import digest
from pipelines.dataset.dataset import Dataset


@dataclass(frozen=True)
class Task:
    """What a training is.

    Attributes
    ----------
    training : Training
    dataset : Dataset
    splits : dict
        The folds of `train`, `validation` and `test`.
    """

    training: Training
    dataset: Dataset
    splits: Mapping[str, tuple[str, ...]]

    @functools.cached_property
    def windows(self) -> Windows:
        """What the network sees of a song."""
        return Windows.of(self.dataset, self.training.inputs, self.training.window_s, self.splits["train"])

    @property
    def learned(self) -> Windows:
        """What its towers learn from, epoch after epoch."""
        return self.windows.only(self.training.learned)

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return batches.steps(self.dataset, self.splits["train"], self.training)

    @property
    def validates(self) -> bool:
        """Whether there are validation songs."""
        return any(self.dataset.songs_of(self.splits["validation"]).values())

    @property
    def digest(self) -> str:
        """Another one where the configuration, the dataset or a split is another."""
        return digest([self.training.deciding(), self.dataset.digest, dict(self.splits)])


def train(config: Config, dataset: Dataset, output: str, splits: Mapping[str, Sequence[str]] | None = None) -> Bundle:
    """Trains a network.

    Parameters
    ----------
    config : Config
        Its `training`, and of its `folds` which are test and validation.
    dataset : Dataset
    output : str
        The bundle's folder, a local path: new, or left by this very training when it was stopped. Where it has
        finished before, its bundle is returned as it is.
    splits : dict
        The folds of `train`, `validation` and `test`. Default: the configuration's.

    Returns
    -------
    Bundle
        With the weights of `Epochs.kept`.

    Raises
    ------
    UsageError
        The dataset lacks a feature or the songs of a split, or the output holds something else.
    SpectroshardError
        The splits share songs, and `training.allow_leaks` is not set.
    """
    chosen = splits or dataset.splits(config.folds)
    task = Task(config.training, dataset, {name: tuple(folds) for name, folds in chosen.items()})
    if Bundle.json_name() in storage.names(output):
        return _finished(output, task)
    batches.local_paths(dataset, task.splits["train"])  # which are there
    _refuse_leaks(task)
    front = registry.front(task.training.network, dataset, task.windows)
    # Not 0: beside a global seed of 0, TensorFlow cannot shuffle by a seed that is a tensor.
    keras.utils.set_random_seed(task.training.seed + 1)
    learner = compiled(task)
    epochs = Epochs.begin(output, task.training, task.digest)
    if epochs.rows:
        epochs.restore(learner, epochs.rows[-1])
    if not are_over(epochs.rows, task.training):
        _fit(learner, task, epochs)
    epochs.restore(learner, epochs.kept)
    if task.training.average_momentum:
        learner.optimizer.finalize_variable_values(learner.trainable_variables)
    familiar = batches.familiar_batches(dataset, task.splits["train"], task.windows)
    model = rejection.verdict_of(
        _finder(learner, task, front), familiar, out_of_distribution.batches(dataset, task.windows)
    )
    bundle = _publish(model, task, epochs, output)
    storage.remove(str(epochs.folder))
    return bundle


def _refuse_leaks(task: Task) -> None:
    found = audit.of_dataset(task.dataset, task.splits)
    if found.fails and not task.training.allow_leaks:
        raise SpectroshardError(
            f"{task.dataset.url}: {found.conclusion}; spectroshard audit shows the pairs. Build it again,"
            " or train all the same with training.allow_leaks=true"
        )


def compiled(task: Task) -> Any:
    """A network ready to be trained, for all epochs of a task."""
    learner = registry.of_shapes(task.training.network, task.learned.shapes, len(task.dataset.genres))
    optimizer.compile_for(learner, task.training.epochs * task.steps, task.training.learning_rate, task.training)
    return learner


def _finder(learner: Any, task: Task, front: Any | None) -> Any:
    """What a trained network finds in a window and thinks of it, at any tempo; with its pretrained part, if any."""
    finder = blocks.finding(registry.of_any_length(learner))
    finder = blocks.at_tempos(finder, task.learned.shapes, task.training.tempo)
    if front is None:
        return finder
    heard = task.windows.only(front.input)
    head = transfer_head.trained(front, task.dataset, task.splits["train"], heard, task.training)
    return blocks.together(finder, blocks.finding(head))


def _finished(output: str, task: Task) -> Bundle:
    bundle = Bundle.load(output)
    found = (bundle.training.deciding(), bundle.dataset, bundle.splits)
    if found != (task.training.deciding(), task.dataset.digest, task.splits):
        raise UsageError(
            f"{output}: holds a bundle of another dataset or configuration; it stays as it is: give a new --output"
        )
    storage.remove(storage.join(output, WORK_NAME))  # where it was killed before it could itself
    return bundle


def _fit(model: Any, task: Task, epochs: Epochs) -> None:
    dataset, splits, training = task.dataset, task.splits, task.training
    if training.patience and not task.validates:
        print("training.patience: no validation songs, so all epochs are trained", file=sys.stderr)
    model.fit(
        batches.training_batches(dataset, splits["train"], task.learned, training, len(epochs.rows)),
        initial_epoch=len(epochs.rows),
        epochs=training.epochs,
        steps_per_epoch=task.steps,
        validation_data=batches.validation_batches(dataset, splits["validation"], task.learned, training)
        if task.validates
        else None,
        callbacks=[epochs, keras.callbacks.TensorBoard(str(epochs.folder.parent / "logs"), profile_batch=0)],
        shuffle=False,  # the stream does
        verbose=0,
    )


def _calibration(model: Any, task: Task) -> Calibration | None:
    if not task.validates:
        return None
    scores = list(score_files(model, task.dataset, task.splits["validation"], task.windows))
    return Calibration.of(scores, task.dataset.genres, task.training.risk)


def _publish(model: Any, task: Task, epochs: Epochs, output: str) -> Bundle:
    with storage.writing(storage.join(output, MODEL_NAME)) as path:
        model.save(path.with_suffix(".keras"))
        path.with_suffix(".keras").rename(path)
    figures = {key: epochs.kept.get(key) for key in ("epoch", "validation_loss", "validation_accuracy")}
    bundle = Bundle(
        url=output,
        training=task.training,
        audio=task.dataset.config.audio,
        features=task.dataset.config.features.only(task.training.inputs),
        genres=task.dataset.genres,
        windows=task.windows.to_json(),
        splits=dict(task.splits),
        dataset=task.dataset.digest,
        validation={key: value for key, value in figures.items() if value is not None},
        calibration=_calibration(model, task),
    )
    bundle.save()
    return bundle
