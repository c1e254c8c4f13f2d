"""Checkpoints: each epoch of a training is saved, so that one that was killed resumes at its epoch."""

import csv
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import keras

from model.config import Training
from model.inference.bundle import HISTORY_NAME
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError

WORK_NAME = "_training"
"""The folder of the checkpoints, in the bundle's folder, until the training is finished."""

_STATE_NAME = "state.json"

Row = dict[str, float]


def kept_row(rows: Sequence[Row], training: Training) -> Row:
    """The epoch whose weights are kept: that of the lowest validation loss where there is a patience, else the last."""
    stops_early = training.patience is not None and "validation_loss" in rows[0]
    return min(rows, key=lambda row: row["validation_loss"]) if stops_early else rows[-1]


def is_finished(rows: Sequence[Row], training: Training) -> bool:
    """Whether the last of these epochs ends the training."""
    if not rows:
        return False
    if len(rows) == training.epochs:
        return True
    return training.patience is not None and rows[-1]["epoch"] - kept_row(rows, training)["epoch"] >= training.patience


class Epochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the weights and the optimizer's state after each epoch, writes the history, and stops early.

    Parameters
    ----------
    folder : Path
        The folder of the checkpoints; the history goes beside it.
    training : Training
    digest : str
        Of the training run, by which its checkpoints are recognised.
    rows : list of Row
        The epochs that are done.
    """

    def __init__(self, folder: Path, training: Training, digest: str, rows: list[Row]):
        super().__init__()
        self.folder, self.training, self.digest, self.rows = folder, training, digest, rows

    @classmethod
    def begin(cls, output: str, training: Training, digest: str) -> Self:
        """Begins or resumes a training in a bundle's folder.

        Raises
        ------
        UsageError
            The folder is not on this machine, or another training was stopped there.
        """
        if not storage.is_local(output):
            raise UsageError(f"{output}: a bundle is written to a local folder; copy it where you like afterwards")
        folder = Path(storage.filesystem(output)[1]) / WORK_NAME
        path = folder / _STATE_NAME
        state: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"digest": digest, "rows": []}
        differences = training.differences(state.get("training", {}))
        if differences or state.get("digest") != digest:
            raise UsageError(
                f"{output}: holds a stopped training of another dataset or configuration"
                f"{differences and f' ({differences})'}; give a new --output, or remove it to start afresh"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, training, digest, state["rows"])

    @property
    def kept(self) -> Row:
        """The epoch whose weights are kept."""
        return kept_row(self.rows, self.training)

    def restore(self, model: Any, row: Row) -> None:
        """Loads the weights and the optimizer's state of an epoch: the last, or the kept one."""
        model.load_weights(self._weights(row))

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.started_s = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        values = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        elapsed_s = time.monotonic() - self.started_s
        if not all(map(math.isfinite, values.values())):
            raise SpectroshardError(
                f"{self.folder.parent}: the loss of epoch {epoch + 1} is not a number; set a lower"
                f" training.learning_rate (it is {self.training.learning_rate:g}) or weight_decay"
                f" ({self.training.weight_decay:g}), or a longer window_s ({self.training.window_s:g})"
            )
        self.rows.append({"epoch": epoch, **values, "elapsed_s": round(elapsed_s, 3)})
        self.model.save_weights(self._weights(self.rows[-1]))
        self._write_history()
        # After the weights that the state needs are saved, and before those that it needs no more are removed.
        state = {"digest": self.digest, "training": self.training.decisive_values(), "rows": self.rows}
        storage.write_bytes(str(self.folder / _STATE_NAME), json.dumps(state).encode())
        needed = {self._weights(row) for row in (self.rows[-1], self.kept)}
        for path in self.folder.glob("*.weights.h5"):
            if path not in needed:
                path.unlink()
        shown = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items())
        print(f"epoch {epoch + 1} of {self.training.epochs}: {shown} ({elapsed_s:.0f} s)", file=sys.stderr, flush=True)
        self.model.stop_training = is_finished(self.rows, self.training)

    def _weights(self, row: Row) -> Path:
        return self.folder / f"epoch-{int(row['epoch']):04d}.weights.h5"

    def _write_history(self) -> None:
        with storage.writing(str(self.folder.parent / HISTORY_NAME)) as path, path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
