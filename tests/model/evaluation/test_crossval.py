"""Cross-validation: its rounds, and one run of them with everything that it can do."""

import json
import re
import shutil
from pathlib import Path

import pytest

from model.config import Config, Training
from model.evaluation import crossval, leak_gap
from model.evaluation.robustness import TEMPOS
from model.inference.bundle import Bundle
from model.inference.calibration import reliability_of_rounds
from model.reports.report import write_report
from pipelines.common.errors import UsageError
from tests.model.conftest import new_pipeline

FOLDS = ["fold-00", "fold-01", "fold-02", "fold-03"]


@pytest.mark.parametrize("patience", [None, 5])
def test_rounds_test_each_fold_once_and_never_train_on_it(patience):
    rounds = list(crossval.rounds(FOLDS, Training(patience=patience)))
    assert [splits["test"] for splits in rounds] == [(fold,) for fold in FOLDS]
    for splits in rounds:
        assert sorted(sum(splits.values(), ())) == FOLDS
        assert len(splits["validation"]) == (1 if patience else 0)


def test_rounds_need_numbered_folds_and_three_of_them():
    with pytest.raises(UsageError, match="corpus's own split"):
        list(crossval.rounds(["test", "train", "validation"], Training()))
    with pytest.raises(UsageError, match="at least 3 folds"):
        list(crossval.rounds(FOLDS[:2], Training()))


@pytest.fixture(scope="module")
def quick(config):
    """A training of one epoch on one feature."""
    training = {"window_s": 2.0, "epochs": 1, "windows_per_epoch": 1, "features": ["chroma"]}
    return Config.model_validate(config.model_dump() | {"training": training})


@pytest.fixture(scope="module")
def run(quick, dataset, tmp_path_factory):
    """A cross-validation with the leak gap and at other tempos: its folder, metrics and scores."""
    output = tmp_path_factory.mktemp("crossval") / "out"
    return output, *crossval.crossval(quick, dataset, str(output), with_leak_gap=True, new_pipeline=new_pipeline)


@pytest.mark.slow
def test_every_song_is_scored_by_a_model_that_never_saw_it(run, dataset):
    output, metrics, scores = run
    assert sorted(score.path for score in scores) == sorted(file.path for file in dataset.ledger())
    assert metrics["songs"] == dataset.songs and len(metrics["rounds"]) == 4
    for fold in dataset.folds:
        splits = json.loads((output / fold / "bundle.json").read_text())["splits"]
        assert splits["test"] == [fold] and fold not in splits["train"] + splits["validation"]
    assert [row["tempo"] for row in metrics["tempo"]] == list(TEMPOS)
    assert metrics["tempo"][2] == {"tempo": 1.0, "song_accuracy": metrics["song_accuracy"], "changed": 0.0}


@pytest.mark.slow
def test_rounds_that_are_done_are_not_done_again(run, quick, dataset):
    output, metrics, _ = run
    before = (output / "fold-00" / "model.keras").stat().st_mtime_ns
    again, _ = crossval.crossval(quick, dataset, str(output), with_leak_gap=True)
    assert again == {name: figures for name, figures in metrics.items() if name != "tempo"}
    assert (output / "fold-00" / "model.keras").stat().st_mtime_ns == before


@pytest.mark.slow
def test_the_leak_gap_is_measured_and_drawn(run, dataset):
    output, metrics, scores = run
    saved = json.loads((output / "metrics.json").read_text())
    assert saved["leak_gap"] == json.loads(json.dumps(metrics["leak_gap"]))
    trained, unseen = (metrics["leak_gap"][side] for side in ("trained_songs", "unseen_songs"))
    assert (trained["songs"], trained["predictions"], unseen["songs"]) == (24, 3 * 24, 24)
    assert unseen["song_accuracy"] == metrics["song_accuracy"]
    assert (output / leak_gap.PICTURE_NAME).read_bytes().startswith(b"<?xml")
    page = write_report(str(output), "t", metrics, scores, dataset)
    assert page.endswith("report.html") and len(re.findall("data:image/svg", Path(page).read_text())) == 1


@pytest.mark.slow
def test_a_plain_cross_validation_is_another(run, quick, dataset):
    # It trains on all of each song.
    with pytest.raises(UsageError, match="holds a bundle of another dataset or configuration"):
        crossval.crossval(quick, dataset, str(run[0]))


def test_crossval_overwrites_nothing_that_it_did_not_write(config, dataset, bundle, tmp_path):
    shutil.copytree(bundle.url, tmp_path / "b")
    with pytest.raises(UsageError, match=r"holds files that no crossval wrote \(bundle.json, ...\)"):
        crossval.crossval(config, dataset, str(tmp_path / "b"))
    assert not (tmp_path / "b" / "fold-00").exists()


@pytest.mark.slow
def test_rounds_with_validation_songs_are_pooled_uncalibrated(quick, dataset, tmp_path):
    """Each round's bundle has a temperature then, fitted on another fold."""
    patient = quick.model_copy(update={"training": quick.training.model_copy(update={"patience": 1})})
    metrics, scores = crossval.crossval(patient, dataset, str(tmp_path / "out"), with_leak_gap=True)
    assert any(Bundle.load(str(tmp_path / "out" / fold)).temperature != 1 for fold in dataset.folds)
    assert {score.temperature for score in scores} == {1.0}
    fold_of = {file.path: file.fold for file in dataset.ledger()}
    unseen = {fold: [score for score in scores if fold_of[score.path] == fold] for fold in dataset.folds}
    assert metrics["calibration"] == reliability_of_rounds(unseen, dataset.genres)
    assert metrics["leak_gap"]["unseen_songs"]["song_accuracy"] == metrics["song_accuracy"]
