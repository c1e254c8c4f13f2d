"""Checkpoints: each epoch of a training is saved, so that one that was killed resumes at its epoch.

<bundle>/_training/
  lease.json                 who is at work
  epoch-0003-5f0c9e....npz   weights and optimizer's state after an epoch, named by their content
  state.json                 names the checkpoints: written after them, and before older ones are removed
"""

import csv
import hashlib
import io
import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras

from model.config import Training
from model.training import weights
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.manifest_file import sealed, unsealed

WORK_NAME = "_training"
"""The folder of the checkpoints, in the bundle's folder, until the training is finished."""

LEASE_NAME = f"{WORK_NAME}/lease.json"

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
    """Saves the weights and the optimizer's state after each epoch, and stops early.

    Parameters
    ----------
    output : str
        The bundle's folder.
    training : Training
    digest : str
        Of the training run, by which its checkpoints are recognised.
    rows : list of Row
        The epochs that are done.
    checkpoints : dict of str
        By epoch, the SHA-256 of its checkpoint.
    saves : bool
        Whether this process is the one that writes, of all workers that train together.
    """

    def __init__(
        self,
        output: str,
        training: Training,
        digest: str,
        rows: list[Row],
        checkpoints: Mapping[int, str],
        *,
        saves: bool = True,
    ):
        super().__init__()
        self.saves = saves
        self.output, self.folder = output, storage.join(output, WORK_NAME)
        self.training, self.digest, self.rows = training, digest, rows
        self._checkpoints = dict(checkpoints)

    @classmethod
    def begin(cls, output: str, training: Training, digest: str, *, saves: bool = True) -> Self:
        """Begins or resumes a training in a bundle's folder, and removes what a killed one left unfinished.

        Where the last checkpoint is damaged, the training goes on from the one before.

        Raises
        ------
        UsageError
            Another training was stopped there.
        """
        state = _read_state(storage.join(output, f"{WORK_NAME}/{_STATE_NAME}"))
        differences = training.differences(state.get("training", {}))
        if differences or state.get("digest", digest) != digest:
            raise UsageError(
                f"{output}: holds a stopped training of another dataset or configuration"
                f"{differences and f' ({differences})'}; give a new --output, or remove it to start afresh"
            )
        checkpoints = {int(epoch): sha256 for epoch, sha256 in state.get("checkpoints", {}).items()}
        epochs = cls(output, training, digest, state.get("rows", []), checkpoints, saves=saves)
        epochs._go_back_to_what_is_whole()
        for folder in (output, epochs.folder) if saves else ():
            for name in filter(storage.is_unfinished, storage.names(folder)):
                storage.remove(storage.join(folder, name))
        return epochs

    @property
    def kept(self) -> Row:
        """The epoch whose weights are kept."""
        return kept_row(self.rows, self.training)

    def restore(self, model: Any, row: Row) -> None:
        """Loads the weights and the optimizer's state of an epoch: the last, or the kept one.

        Raises
        ------
        SpectroshardError
            The checkpoint is missing or damaged, or of another network.
        """
        url = self._url(row)
        content = self._intact(row)
        try:
            if content is None:
                raise ValueError("missing or damaged")
            weights.unpack(content, model)
        except ValueError as error:
            raise SpectroshardError(f"{url}: is {error}; remove {self.folder} to train afresh") from error

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.started_s = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        values = {name.replace("val_", "validation_"): float(value) for name, value in (logs or {}).items()}
        elapsed_s = time.monotonic() - self.started_s
        if not all(map(math.isfinite, values.values())):
            raise SpectroshardError(
                f"{self.output}: the loss of epoch {epoch + 1} is not a number; set a lower"
                f" training.learning_rate (it is {self.training.learning_rate:g}) or weight_decay"
                f" ({self.training.weight_decay:g}), or a longer window_s ({self.training.window_s:g})"
            )
        self.rows.append({"epoch": epoch, **values, "elapsed_s": round(elapsed_s, 3)})
        if self.saves:
            self._save()
            shown = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items())
            line = f"epoch {epoch + 1} of {self.training.epochs}: {shown} ({elapsed_s:.0f} s)"
            print(line, file=sys.stderr, flush=True)
        self.model.stop_training = is_finished(self.rows, self.training)

    def history(self) -> bytes:
        """The epochs as a CSV file, a row for each."""
        sink = io.StringIO(newline="")
        writer = csv.DictWriter(sink, list(self.rows[0]))
        writer.writeheader()
        writer.writerows(self.rows)
        return sink.getvalue().encode()

    def _save(self) -> None:
        """Writes the last epoch's checkpoint, then the state that names it, then removes what is no longer needed."""
        content = weights.pack(self.model)
        self._checkpoints[int(self.rows[-1]["epoch"])] = hashlib.sha256(content).hexdigest()
        storage.write_bytes(self._url(self.rows[-1]), content)
        # What the epoch before needs, too: a disk may lose what it was given last.
        ends = [done for done in (self.rows, self.rows[:-1]) if done]
        rows = [row for done in ends for row in (done[-1], kept_row(done, self.training))]
        needed = {int(row["epoch"]): self._url(row) for row in rows}
        self._checkpoints = {epoch: self._checkpoints[epoch] for epoch in sorted(needed)}
        state = {
            "digest": self.digest,
            "training": self.training.decisive_values(),
            "rows": self.rows,
            "checkpoints": self._checkpoints,
        }
        storage.write_bytes(storage.join(self.folder, _STATE_NAME), sealed(json.dumps(state, indent=1).encode()))
        for name in storage.names(self.folder):
            if name.startswith("epoch-") and storage.join(self.folder, name) not in needed.values():
                storage.remove(storage.join(self.folder, name))

    def _go_back_to_what_is_whole(self) -> None:
        """Forgets the epochs after the last one from which the training can go on."""
        count = len(self.rows)
        while self.rows and any(self._intact(row) is None for row in (self.rows[-1], self.kept)):
            self.rows.pop()
        if len(self.rows) < count:
            print(
                f"{self.folder}: the checkpoint of epoch {count} is missing or damaged; the training goes on from "
                + (f"that of epoch {len(self.rows)}" if self.rows else "its beginning"),
                file=sys.stderr,
            )

    def _intact(self, row: Row) -> bytes | None:
        """The checkpoint of an epoch; None where it is missing or not what it was."""
        sha256 = self._checkpoints.get(int(row["epoch"]))
        try:
            content = storage.read_bytes(self._url(row)) if sha256 else b""
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None

    def _url(self, row: Row) -> str:
        epoch = int(row["epoch"])
        return storage.join(self.folder, f"epoch-{epoch:04d}-{self._checkpoints.get(epoch, '')[:16]}.npz")


def _read_state(url: str) -> dict[str, Any]:
    """What a stopped training wrote down last; nothing where there is none, or none that can be read."""
    try:
        content = storage.read_bytes(url)
    except FileNotFoundError:
        return {}
    body = unsealed(content)
    if body is None:
        print(f"{url}: is damaged, or an earlier version's; the training begins afresh", file=sys.stderr)
        return {}
    state: dict[str, Any] = json.loads(body)
    return state
