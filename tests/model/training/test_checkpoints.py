import json
import resource
from contextlib import contextmanager

import keras
import numpy as np
import pytest

from model.config import Training
from model.training import weights
from model.training.checkpoints import Epochs
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError

TRAINING = Training(epochs=9)


def network(units=4):
    """A network with weights, statistics, a seed and an optimizer's state."""
    inputs = keras.Input((3,))
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(units)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.BatchNormalization()(x)))
    model.compile(keras.optimizers.AdamW(0.1), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def model():
    model = network()
    model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    return model


def values(model):
    return [keras.ops.convert_to_numpy(each) for each in (*model.variables, *model.optimizer.variables)]


def epochs_at(folder, model, training=TRAINING):
    epochs = Epochs.begin(str(folder), training, "digest")
    epochs.set_model(model)
    return epochs


def run(epochs, *losses):
    """Runs epochs with these validation losses; the model's first weight tells afterwards which it was."""
    for loss in losses:
        number = len(epochs.rows)
        epochs.on_epoch_begin(number)
        epochs.model.variables[0].assign(np.full(epochs.model.variables[0].shape, number, np.float32))
        epochs.on_epoch_end(number, {"loss": 1.0, "val_loss": loss})


def names(folder):
    return [name for name in storage.names(f"{folder}/_training") if name.startswith("epoch-")]


def test_what_was_learned_comes_back(model):
    other = network()
    weights.unpack(weights.pack(model), other)
    for one, two in zip(values(model), values(other), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_checkpoint_of_another_network_is_refused_in_a_line(model, tmp_path):
    run(epochs_at(tmp_path, model), 1.0)
    epochs = epochs_at(tmp_path, network(units=5))
    with pytest.raises(
        SpectroshardError, match=r"_training/epoch-0000-\w+\.npz: is of a network of other layers; remove"
    ):
        epochs.restore(epochs.model, epochs.rows[-1])


@pytest.mark.parametrize("patience", [None, 5])
def test_whenever_the_power_fails_there_is_a_state_whose_checkpoints_are_whole(model, tmp_path, monkeypatch, patience):
    """Before and after each single change of the disk."""
    training, seen = TRAINING.model_copy(update={"patience": patience}), []

    def watched(change):
        def looks(*arguments):
            look()
            change(*arguments)
            look()

        return looks

    def look():
        state = tmp_path / "_training" / "state.json"
        if state.exists():
            told = Epochs.begin(str(tmp_path), training, "digest")
            assert len(told.rows) == len(json.loads(state.read_text())["rows"])
            seen.append(len(told.rows))

    epochs = epochs_at(tmp_path, model, training)
    monkeypatch.setattr(storage, "write_bytes", watched(storage.write_bytes))
    monkeypatch.setattr(storage, "remove", watched(storage.remove))
    run(epochs, 3.0, 1.0, 2.0, 2.5)
    assert sorted(set(seen)) == [1, 2, 3, 4]
    assert len(names(tmp_path)) == (3 if patience else 2)


@pytest.mark.parametrize(
    ("losses", "damaged", "left"),
    [
        ([3.0, 2.0, 1.0], [], 3),
        ([3.0, 2.0, 1.0], [2], 2),  # the last and the best: the one before is the best then
        ([1.0, 2.0, 3.0], [2], 2),
        ([1.0, 2.0, 3.0], [0], 0),  # without the best nothing can be finished
        ([3.0, 2.0, 1.0], [1, 2], 0),
    ],
)
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_checkpoint_sends_the_training_back(model, tmp_path, capsys, losses, damaged, left, how):
    training = TRAINING.model_copy(update={"patience": 5})
    run(epochs_at(tmp_path, model, training), *losses)
    for number in damaged:
        (path,) = (tmp_path / "_training").glob(f"epoch-{number:04d}-*")
        path.write_bytes(path.read_bytes()[:-10]) if how == "cut" else path.unlink()
    epochs = epochs_at(tmp_path, model, training)
    assert len(epochs.rows) == left
    told = capsys.readouterr().err.splitlines()
    end = f"that of epoch {left}" if left else "its beginning"
    line = f"{tmp_path}/_training: the checkpoint of epoch 3 is missing or damaged; the training goes on from {end}"
    assert told[3:] == ([line] if damaged else [])
    if left:
        epochs.restore(model, epochs.rows[-1])
        assert values(model)[0].max() == left - 1
    run(epochs, 0.5)
    assert len(epochs_at(tmp_path, model, training).rows) == left + 1


def test_a_state_that_cannot_be_read_is_none(model, tmp_path, capsys):
    run(epochs_at(tmp_path, model), 1.0)
    state = tmp_path / "_training" / "state.json"
    state.write_bytes(state.read_bytes()[:-9])
    (tmp_path / "_training" / "epoch-0004.weights.h5").touch()  # an earlier version's
    epochs = epochs_at(tmp_path, model)
    assert epochs.rows == [] and "state.json: is damaged, or an earlier version's" in capsys.readouterr().err
    run(epochs, 1.0)
    assert len(names(tmp_path)) == 1


def test_what_killed_runs_left_unfinished_is_removed(model, tmp_path):
    left = [tmp_path / f".model.keras.{32 * 'a'}", tmp_path / "_training" / f".state.json.{32 * 'b'}"]
    left[1].parent.mkdir()
    for path in left:
        path.touch()
    epochs_at(tmp_path, model)
    assert not any(path.exists() for path in left)


@contextmanager
def no_file_above(size):
    """A disk that takes no more: what a file has beyond these bytes cannot be written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_ends_the_training_in_a_line_and_costs_no_epoch(model, tmp_path):
    epochs = epochs_at(tmp_path, model)
    run(epochs, 1.0)
    with no_file_above(500), pytest.raises(OSError) as caught:
        run(epochs, 1.0)
    assert str(caught.value.filename).startswith(f"{tmp_path}/_training/epoch-0001-")
    assert len(epochs_at(tmp_path, model).rows) == 1
    assert len(names(tmp_path)) == 1


def test_a_stopped_training_of_another_run_stays(model, tmp_path):
    run(epochs_at(tmp_path, model), 1.0)
    with pytest.raises(UsageError, match="holds a stopped training of another dataset or configuration; give"):
        Epochs.begin(str(tmp_path), TRAINING, "another")
    with pytest.raises(UsageError, match=r"\(training.epochs was 9, is 8\); give"):
        Epochs.begin(str(tmp_path), Training(epochs=8), "digest")
    assert len(names(tmp_path)) == 1
