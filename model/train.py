"""Training: a dataset and a configuration to a bundle; what was killed goes on at its epoch."""

import csv
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from model import networks, stream
from model.bundle import HISTORY_NAME, MODEL_NAME, Bundle
from model.config import Config, Training
from model.windows import Windows
from pipelines import storage
from pipelines.config import digest
from pipelines.dataset import Dataset
from pipelines.errors import UsageError

WORK_NAME = "_training"
"""The folder, in the bundle's, of a training that is not finished."""

_STATE_NAME = "state.json"
_WARM_UP_SHARE = 0.1

Row = dict[str, float]


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
        With the weights of `kept_row`.

    Raises
    ------
    UsageError
        The dataset lacks a feature or the songs of a split, or the output holds something else.
    """
    splits = {name: tuple(folds) for name, folds in (splits or dataset.splits(config.folds)).items()}
    if Bundle.json_name() in storage.names(output):
        bundle = _finished(output, config.training, dataset, splits)
        storage.remove(storage.join(output, WORK_NAME))  # where it was killed before it could itself
        return bundle
    stream.local_paths(dataset, splits["train"])  # which are there
    windows = Windows.of(dataset, config.training.inputs, config.training.window_s, splits["train"])
    # Not 0: beside a global seed of 0, TensorFlow cannot shuffle by a seed that is a tensor.
    keras.utils.set_random_seed(config.training.seed + 1)
    model = compiled(
        config.training, windows, len(dataset.genres), stream.steps(dataset, splits["train"], config.training)
    )
    folder = _begin(output, task := _task(config.training, dataset, splits))
    rows = _resume(model, folder)
    if not _is_over(rows, config.training):
        _fit(model, rows, dataset, splits, windows, config.training, folder, task)
    kept = kept_row(rows, config.training)
    model.load_weights(folder / _weights_name(kept))
    with storage.writing(storage.join(output, MODEL_NAME)) as path:
        model.save(path.with_suffix(".keras"))
        path.with_suffix(".keras").rename(path)
    bundle = Bundle(
        url=output,
        training=config.training,
        audio=dataset.config.audio,
        features=dataset.config.features.only(config.training.inputs),
        genres=dataset.genres,
        windows=windows.to_json(),
        splits=splits,
        dataset=dataset.fingerprint,
        validation={key: kept[key] for key in ("epoch", "validation_loss", "validation_accuracy") if key in kept},
    )
    bundle.save()
    storage.remove(str(folder))
    return bundle


def compiled(training: Training, windows: Windows, genres: int, steps: int) -> Any:
    """A network ready to be trained for `training.epochs` of so many steps."""
    model = networks.NETWORKS[training.network].build(windows.shapes, genres)
    total = training.epochs * steps
    warm_up = math.ceil(total * _WARM_UP_SHARE)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, total - warm_up), warmup_target=training.learning_rate, warmup_steps=warm_up
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=training.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=training.label_smoothing),
        weighted_metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # on a CPU many times slower
    )
    model.optimizer.build(model.trainable_variables)
    return model


def kept_row(rows: Sequence[Row], training: Training) -> Row:
    """The epoch whose weights are kept: that of lowest validation loss where it decides, or else the last."""
    decides = training.patience is not None and "validation_loss" in rows[0]
    return min(rows, key=lambda row: row["validation_loss"]) if decides else rows[-1]


def _is_over(rows: Sequence[Row], training: Training) -> bool:
    if not rows:
        return False
    if len(rows) == training.epochs:
        return True
    return training.patience is not None and rows[-1]["epoch"] - kept_row(rows, training)["epoch"] >= training.patience


def _task(training: Training, dataset: Dataset, splits: Mapping[str, Sequence[str]]) -> str:
    return digest(
        [training.model_dump(mode="json"), dataset.fingerprint, {name: list(f) for name, f in splits.items()}]
    )


def _finished(output: str, training: Training, dataset: Dataset, splits: Mapping[str, Sequence[str]]) -> Bundle:
    bundle = Bundle.load(output)
    if (bundle.training, bundle.dataset, bundle.splits) != (training, dataset.fingerprint, splits):
        raise UsageError(
            f"{output}: holds a bundle of another dataset or configuration; it stays as it is: give a new --output"
        )
    return bundle


def _begin(output: str, task: str) -> Path:
    """The work folder of this training; refuses an output that holds something else."""
    if not storage.is_local(output):
        raise UsageError(f"{output}: a bundle is written to a local folder; copy it where you like afterwards")
    names = storage.names(output)
    folder = Path(storage.filesystem(output)[1]) / WORK_NAME
    state = folder / _STATE_NAME
    if names and WORK_NAME not in names:
        raise UsageError(f"{output}: holds files that no training wrote ({names[0]}, ...); give a folder of its own")
    if state.exists() and json.loads(state.read_text())["task"] != task:
        raise UsageError(
            f"{output}: holds a stopped training of another dataset or configuration;"
            " give a new --output, or remove it to start afresh"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _resume(model: Any, folder: Path) -> list[Row]:
    """Loads the weights and the optimizer's state of the last finished epoch; gives the rows of all of them."""
    if not (folder / _STATE_NAME).exists():
        return []
    rows: list[Row] = json.loads((folder / _STATE_NAME).read_text())["rows"]
    model.load_weights(folder / _weights_name(rows[-1]))
    return rows


def _fit(
    model: Any,
    rows: list[Row],
    dataset: Dataset,
    splits: Mapping[str, Sequence[str]],
    windows: Windows,
    training: Training,
    folder: Path,
    task: str,
) -> None:
    held_out = any(dataset.songs_of(splits["validation"]).values())
    if training.patience and not held_out:
        print("training.patience: no validation songs, so all epochs are trained", file=sys.stderr)
    model.fit(
        stream.training_batches(dataset, splits["train"], windows, training, len(rows)),
        initial_epoch=len(rows),
        epochs=training.epochs,
        steps_per_epoch=stream.steps(dataset, splits["train"], training),
        validation_data=stream.validation_batches(dataset, splits["validation"], windows, training)
        if held_out
        else None,
        callbacks=[
            _Note(rows, training, folder, task),
            keras.callbacks.TensorBoard(str(folder.parent / "logs"), profile_batch=0),
        ],
        shuffle=False,  # the stream does
        verbose=0,
    )


def _weights_name(row: Row) -> str:
    return f"epoch-{int(row['epoch']):04d}.weights.h5"


class _Note(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes each epoch and saves its weights, and the optimizer's state; stops when the weights do not get better."""

    def __init__(self, rows: list[Row], training: Training, folder: Path, task: str):
        super().__init__()
        self.rows, self.training, self.folder, self.task = rows, training, folder, task

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.started_s = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        values = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        elapsed_s = time.monotonic() - self.started_s
        self.rows.append({"epoch": epoch, **values, "elapsed_s": round(elapsed_s, 3)})
        self.model.save_weights(self.folder / _weights_name(self.rows[-1]))
        self._write_history()
        # After the weights that it tells of, before those are removed of which it tells no more.
        state = {"task": self.task, "rows": self.rows}
        storage.write_bytes(str(self.folder / _STATE_NAME), json.dumps(state).encode())
        needed = {_weights_name(row) for row in (self.rows[-1], kept_row(self.rows, self.training))}
        for path in self.folder.glob("*.weights.h5"):
            if path.name not in needed:
                path.unlink()
        shown = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items())
        print(f"epoch {epoch + 1} of {self.training.epochs}: {shown} ({elapsed_s:.0f} s)", file=sys.stderr, flush=True)
        self.model.stop_training = _is_over(self.rows, self.training)

    def _write_history(self) -> None:
        with storage.writing(str(self.folder.parent / HISTORY_NAME)) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
