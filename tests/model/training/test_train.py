import csv
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from model.config import Training
from model.inference.bundle import Bundle
from model.inference.calibration import Calibration
from model.inference.classify import score_files
from model.networks import registry
from model.training import train as training_room
from model.training.checkpoints import Epochs, is_finished, kept_row
from model.training.numerics import Numerics
from model.training.run import Run
from model.training.train import compiled, train
from pipelines.common import lease, storage
from pipelines.common.errors import BusyError, SpectroshardError, UsageError
from pipelines.common.manifest_file import sealed
from pipelines.dataset.dataset import SONGS, Dataset
from pipelines.dataset.ledger import record_id
from tests.pipelines.dataset import made


def weights_of(bundle):
    return bundle.network().get_weights()


def state_of(folder):
    return json.loads((folder / "_training" / "state.json").read_text())


def leave_state(folder, **state):
    """What a stopped training leaves."""
    (folder / "_training").mkdir()
    (folder / "_training" / "state.json").write_bytes(sealed(json.dumps(state, indent=1).encode()))


def history(bundle):
    with Path(bundle.url, "history.csv").open() as file:
        return list(csv.DictReader(file))


def changed(config, **settings):
    return config.model_copy(update={"training": config.training.model_copy(update=settings)})


def test_a_bundle_has_what_its_user_needs(bundle, dataset):
    names = {path.name for path in Path(bundle.url).iterdir()}
    trained = {file.name for file in bundle.trained}
    assert names - trained - {"metrics.json", "report.html"} == {"bundle.json", "history.csv", "logs", "model.keras"}
    again = Bundle.load(bundle.url)
    assert again == bundle
    assert (again.genres, again.dataset) == (dataset.genres, dataset.digest)
    assert list(again.features.chosen) == ["log_mel"]  # the network sees no other
    assert again.splits == {"train": ("fold-02", "fold-03"), "validation": ("fold-01",), "test": ("fold-00",)}
    assert again.network().output_shape == (None, 3)
    assert again.calibration.songs == 6 and again.calibration.risk == 0.2


def test_each_branch_has_a_loss_of_its_own(dataset):
    run = Run(Training(window_s=1.0, label_smoothing=0.3), dataset, dataset.splits())
    trainable = compiled(run)
    shape = run.windows.shapes["log_mel"]
    windows = {"log_mel": np.random.default_rng(0).normal(size=(6, *shape)).astype(np.float32)}
    labels = np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 1, 1]]
    weights = np.array([1, 2, 3, 4, 5, 6], np.float32)
    outputs = trainable.predict(windows, verbose=0)
    losses = -(np.log(outputs) * (0.7 * labels + 0.1)[:, None]).sum(axis=2)  # one a window and a branch
    right = outputs.mean(axis=1).argmax(axis=1) == labels.argmax(axis=1)
    logs = trainable.test_on_batch(windows, labels, weights, return_dict=True)
    assert logs["loss"] == pytest.approx((losses.mean(axis=1) * weights).mean(), rel=1e-4)
    assert logs["accuracy"] == pytest.approx((right * weights).sum() / weights.sum())


def test_a_bundle_is_calibrated_on_its_validation_songs(bundle, dataset):
    raw = list(score_files(bundle.network(), dataset, bundle.splits["validation"], bundle.input_windows()))
    assert bundle.calibration == Calibration.of(raw, bundle.genres, 0.2)
    assert bundle.is_confident(bundle.calibration.threshold) and not bundle.is_confident(
        bundle.calibration.threshold - 1e-6
    )


def test_history_has_a_row_for_each_epoch(bundle, config):
    rows = history(bundle)
    assert [int(row["epoch"]) for row in rows] == list(range(config.training.epochs))
    assert {"loss", "accuracy", "validation_loss", "validation_accuracy"} <= set(rows[0])
    assert bundle.validation["epoch"] == float(rows[-1]["epoch"])


def test_tensorboard_has_its_logs(bundle):
    assert list(Path(bundle.url, "logs").rglob("events.out.tfevents*"))


def test_nothing_is_pickled(bundle):
    names = zipfile.ZipFile(Path(bundle.url, "model.keras")).namelist()
    assert sorted(names) == ["config.json", "metadata.json", "model.weights.h5"]


@pytest.mark.slow
def test_the_same_training_gives_the_same_weights(config, dataset, bundle, tmp_path):
    for one, two in zip(weights_of(bundle), weights_of(train(config, dataset, str(tmp_path / "b"))), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)


KILLED = """
import os, sys
from model.training import checkpoints as epochs, train
from model.config import Config
from pipelines.dataset.dataset import Dataset
note = epochs.Epochs.on_epoch_end
def killed_in_the_third_epoch(self, epoch, logs=None):
    if epoch == 2:
        os._exit(9)
    note(self, epoch, logs)
epochs.Epochs.on_epoch_end = killed_in_the_third_epoch
config = Config.model_validate_json(open(sys.argv[1]).read())
train.train(config, Dataset.load(sys.argv[2]), sys.argv[3])
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_at_its_epoch_and_ends_where_it_would_have(config, dataset, bundle, tmp_path):
    (tmp_path / "config.json").write_text(config.model_dump_json())
    arguments = [str(tmp_path / "config.json"), dataset.url, str(tmp_path / "killed")]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, capture_output=True)
    assert killed.returncode == 9, killed.stderr.decode()[-2000:]
    assert not (tmp_path / "killed" / "bundle.json").exists()
    assert len(state_of(tmp_path / "killed")["rows"]) == 2
    (tmp_path / "killed" / f".model.keras.{32 * 'a'}").touch()
    resumed = train(config, dataset, str(tmp_path / "killed"))
    for one, two in zip(weights_of(bundle), weights_of(resumed), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {
        *("bundle.json", "history.csv", "logs", "model.keras", resumed.trained[0].name)
    }
    before, after = history(bundle), history(resumed)
    assert [row["epoch"] for row in before] == [row["epoch"] for row in after]
    for row, other in zip(before, after, strict=True):
        assert float(row["validation_loss"]) == pytest.approx(float(other["validation_loss"]), abs=1e-4)


@pytest.mark.parametrize("settings", [{}, {"cache_mb": 0}])
def test_a_finished_training_is_not_done_again(config, dataset, bundle, monkeypatch, settings):
    monkeypatch.setattr(training_room, "_fit", lambda *_: pytest.fail("trained again"))
    assert train(changed(config, **settings), dataset, bundle.url) == bundle


def test_a_stopped_training_is_the_same_with_another_cache(config, dataset):
    splits = dataset.splits()
    digests = {Run(changed(config, cache_mb=mb).training, dataset, splits).digest for mb in (0, 7)}
    assert len(digests) == 1 and Run(changed(config, seed=7).training, dataset, splits).digest not in digests


def test_a_bundle_of_another_configuration_stays(config, dataset, bundle):
    with pytest.raises(UsageError, match=r"another dataset or configuration \(training.seed was 0, is 7\)"):
        train(changed(config, seed=7), dataset, bundle.url)
    assert Bundle.load(bundle.url) == bundle


def test_a_stopped_training_of_another_configuration_stays(config, dataset, tmp_path):
    leave_state(tmp_path, digest="another", rows=[])
    with pytest.raises(UsageError, match="stopped training of another dataset or configuration; give"):
        train(config, dataset, str(tmp_path))


def test_what_differs_from_a_stopped_training_is_named(config, dataset, tmp_path):
    digest = Run(config.training, dataset, dataset.splits(config.folds)).digest  # a default may have become another
    leave_state(tmp_path, digest=digest, training={"seed": 7, "of_an_earlier_version": 1}, rows=[])
    with pytest.raises(UsageError, match=r"stopped training of .* \(training.seed was 7, is 0\); give a new --output"):
        train(config, dataset, str(tmp_path))


def test_files_of_the_user_stay(config, dataset, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"no training wrote \(thesis.txt"):
        train(config, dataset, str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_early_stopping():
    rows = [{"epoch": n, "validation_loss": loss} for n, loss in enumerate([3.0, 1.0, 2.0, 1.0, 1.5])]
    assert is_finished(rows, Training(patience=3))
    assert not is_finished(rows, Training(patience=4))
    assert is_finished(rows, Training(patience=4, epochs=5))
    assert not is_finished(rows, Training())
    assert kept_row(rows, Training(patience=3))["epoch"] == 1
    assert kept_row(rows, Training())["epoch"] == 4
    assert kept_row([{"epoch": 0, "loss": 1.0}, {"epoch": 1, "loss": 2.0}], Training(patience=3))["epoch"] == 1


@pytest.mark.slow
def test_a_training_that_gets_no_better_stops_with_its_best_weights(config, dataset, tmp_path):
    bundle = train(changed(config, epochs=30, patience=1, learning_rate=0.5), dataset, str(tmp_path / "b"))
    rows = history(bundle)
    assert len(rows) < 30
    best = min(rows, key=lambda row: float(row["validation_loss"]))
    assert bundle.validation["epoch"] == float(best["epoch"]) == float(rows[-2]["epoch"])


@pytest.mark.parametrize("patience", [None, pytest.param(1, marks=pytest.mark.slow)])
def test_without_validation_songs_the_last_weights_are_kept(config, dataset, tmp_path, capsys, patience):
    splits = {"train": ["fold-01", "fold-02", "fold-03"], "validation": [], "test": ["fold-00"]}
    bundle = train(changed(config, epochs=3, patience=patience), dataset, str(tmp_path / "b"), splits)
    assert bundle.validation == {"epoch": 2}
    assert bundle.calibration is None and bundle.temperature == 1 and bundle.is_confident(0.0)
    assert ("no validation songs" in capsys.readouterr().err) == (patience is not None)


def test_what_a_kill_left_beside_a_finished_bundle_is_removed(config, dataset, bundle, tmp_path):
    shutil.copytree(bundle.url, tmp_path / "b")
    (tmp_path / "b" / "_training").mkdir()
    assert train(config, dataset, str(tmp_path / "b")) == Bundle.load(str(tmp_path / "b"))
    assert not (tmp_path / "b" / "_training").exists()


@pytest.mark.slow
def test_it_learns(config, dataset, tmp_path):
    """Windows of three very different styles: if this is not learned, nothing is."""
    bundle = train(changed(config, epochs=15, windows_per_song=8, mixup=0, patience=15), dataset, str(tmp_path / "b"))
    assert bundle.validation["validation_accuracy"] > 0.6


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_training_at_once(config, dataset, tmp_path):
    wild = changed(config, learning_rate=1e30, epochs=3)
    for _ in range(2):  # nothing of it is kept to go on from
        with pytest.raises(SpectroshardError, match=r"b: the loss of epoch 1 is not a number; set a lower .*1e\+30"):
            train(wild, dataset, str(tmp_path / "b"))


@pytest.mark.parametrize(("key", "value"), [("seed", -1), ("seed", 2**32 - 1), ("learning_rate", float("inf"))])
def test_numbers_that_no_training_can_have_are_named(key, value):
    with pytest.raises(ValueError, match=key):
        Training.model_validate({key: value})


def test_unknown_network_and_feature_are_named(config, dataset, tmp_path):
    with pytest.raises(ValueError, match=r"unknown network 'resnet'; allowed: cnn, .*seed_cnn"):
        Training(network="resnet")
    with pytest.raises(UsageError, match="has no feature stft_db"):
        train(changed(config, features=("stft_db",)), dataset, str(tmp_path / "b"))
    with pytest.raises(UsageError, match="log_mel, chroma differ in hop_length"):
        train(changed(config, features=("log_mel", "chroma")), dataset, str(tmp_path / "b"))
    with pytest.raises(UsageError, match="no songs in no fold"):
        train(config, dataset, str(tmp_path / "b"), {"train": [], "validation": [], "test": ["fold-00"]})
    assert not (tmp_path / "b").exists()


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def exchange(path):
    """Another network of the same shape: one that loads."""
    model = keras.models.load_model(path, compile=False)
    model.set_weights([value + 1 for value in model.get_weights()])
    model.save(path)


DAMAGES = {
    "another": (exchange, "is damaged, or another's: its SHA-256 is not the bundle's"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-99]), "is damaged, or another's"),
    "flipped": (flip_a_bit, "is damaged, or another's"),
    "gone": (Path.unlink, "is missing"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_network_that_is_not_the_bundle_s_is_refused(config, dataset, bundle, tmp_path, damage):
    shutil.copytree(bundle.url, tmp_path / "b")
    change, told = DAMAGES[damage]
    change(tmp_path / "b" / "model.keras")
    line = f"^{tmp_path}/b/model.keras: {told}.*; copy the bundle again, whole, or remove its folder and train again$"
    with pytest.raises(SpectroshardError, match=line):
        Bundle.load(str(tmp_path / "b")).network()
    with pytest.raises(SpectroshardError, match=line):  # it does not pass for a finished training
        train(config, dataset, str(tmp_path / "b"))


def test_a_history_that_is_not_the_bundle_s_is_no_finished_training(config, dataset, bundle, tmp_path):
    shutil.copytree(bundle.url, tmp_path / "b")
    flip_a_bit(tmp_path / "b" / "history.csv")
    with pytest.raises(SpectroshardError, match=r"history\.csv: is damaged, or another's"):
        train(config, dataset, str(tmp_path / "b"))


def test_a_bundle_of_the_format_before_is_read(config, dataset, bundle, tmp_path):
    shutil.copytree(bundle.url, tmp_path / "b")
    former = bundle.model_copy(update={"url": str(tmp_path / "b"), "format": 6, "files": {}})
    former.save()
    assert Bundle.load(former.url) == former == train(config, dataset, former.url)
    assert former.network().output_shape == (None, 3)
    flip_a_bit(tmp_path / "b" / "model.keras")
    with pytest.raises(SpectroshardError, match=r"model\.keras: cannot be loaded"):
        former.network()


def test_who_comes_second_to_a_training_is_told_who_is_at_work(config, dataset, tmp_path):
    told = rf"^{tmp_path}/b: a training by .* \(process \d+\) has been at work here"
    with lease.held(f"{tmp_path}/b/_training/lease.json", "training"), pytest.raises(BusyError, match=told):
        train(config, dataset, str(tmp_path / "b"))
    assert not (tmp_path / "b" / "bundle.json").exists()


@pytest.mark.slow
def test_a_bundle_on_a_store_is_that_of_a_disk(config, dataset, bundle):
    """Stopped while it trained, and gone on with."""
    url, tells = "memory://trained/bundle", Epochs.on_epoch_end

    def stopped(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        tells(self, epoch, logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Epochs, "on_epoch_end", stopped)
        with pytest.raises(KeyboardInterrupt):
            train(config, dataset, url)
    assert set(storage.names(url)) == {"_training"}
    trained = train(config, dataset, url)
    assert {*storage.names(url)} == {"bundle.json", "history.csv", "logs", "model.keras", trained.trained[0].name}
    for one, two in zip(weights_of(bundle), weights_of(Bundle.load(url)), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)
    assert train(config, dataset, url) == trained


def test_the_bundle_loads_in_safe_mode_only(bundle, monkeypatch):
    asked = {}
    load = keras.models.load_model
    monkeypatch.setattr(
        keras.models, "load_model", lambda path, **options: asked.update(options) or load(path, **options)
    )
    bundle.network()
    assert asked["safe_mode"] is True


def test_a_network_of_one_length_alone_fails_before_the_first_epoch(config, dataset, tmp_path, monkeypatch):
    def flattened(inputs):
        return [keras.layers.Flatten()(inputs["log_mel"])]

    monkeypatch.setitem(registry.NETWORKS, "flattened", registry.Network(flattened, ("log_mel",)))
    with pytest.raises(SpectroshardError, match=r"^network flattened: cannot take windows of any length"):
        train(changed(config, network="flattened"), dataset, str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("allow_leaks", [False, True])
def test_a_forged_dataset_is_refused_in_a_line_that_names_the_record(config, dataset, tmp_path, allow_leaks):
    shutil.copytree(dataset.url, tmp_path / "forged")
    rows = dataset.ledger()
    first = rows[0]
    genre = next(row.genre for row in rows if row.genre != first.genre)
    other = replace(first, genre=genre, record=record_id(first.content_hash, genre))
    forged = made.with_table(Dataset.load(str(tmp_path / "forged")), SONGS, [other, *rows[1:]])
    with pytest.raises(
        SpectroshardError, match=f"forged@1: {first.shard}: {first.path}: is another recording's"
    ) as told:
        train(changed(config, allow_leaks=allow_leaks), forged, str(tmp_path / "b"))
    assert "\n" not in str(told.value) and not (tmp_path / "b").exists()


@pytest.mark.slow
def test_a_dataset_that_leaks_is_refused_unless_told_otherwise(config, dataset, tmp_path):
    folder = tmp_path / "leaky"
    shutil.copytree(dataset.url, folder)
    rows = dataset.ledger()
    fold = next(row.fold for row in rows if row.fold != rows[0].fold)
    other = next(row for row in rows if row.fold == fold)
    copied = Dataset.load(str(folder))
    leaky = made.with_table(copied, SONGS, [replace(rows[0], group=other.group), *rows[1:]])
    splits = {"train": (rows[0].fold,), "validation": (), "test": (fold,)}
    with pytest.raises(SpectroshardError, match=r"leaky@1: 1 pair of files leaks .*training\.allow_leaks=true"):
        train(config, leaky, str(tmp_path / "b"), splits)
    assert not (tmp_path / "b").exists()
    assert train(changed(config, epochs=1, allow_leaks=True), leaky, str(tmp_path / "b"), splits)


def test_what_was_trained_in_half_precision_is_a_bundle_in_single_precision(dataset, config, tmp_path, monkeypatch):
    monkeypatch.setattr(Numerics, "of_this_machine", lambda: Numerics("mixed_bfloat16"))
    half = train(changed(config, epochs=1), dataset, str(tmp_path / "half"))
    policies = {layer.dtype_policy.name for layer in half.network()._flatten_layers()}
    assert policies == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert 0 < half.validation["validation_loss"] < 2
