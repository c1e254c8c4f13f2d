import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from model.config import Training
from model.evaluation import crossval
from model.evaluation.evaluate import evaluate
from model.evaluation.robustness import TEMPOS
from model.inference.calibration import reliability, selective_risk
from model.inference.classify import classify, score_files
from model.inference.scores import temper, with_temperature
from pipelines.common.errors import UsageError
from tests.model.conftest import new_pipeline


@pytest.fixture(scope="module")
def evaluated(bundle, dataset):
    return evaluate(bundle, dataset)


def test_all_test_songs_and_no_others_are_scored(evaluated, dataset):
    metrics, scores = evaluated
    ledger = {song.path: song for song in dataset.ledger()}
    assert {score.path for score in scores} == {name for name, song in ledger.items() if song.fold == "fold-00"}
    assert all(score.genre == ledger[score.path].genre for score in scores)
    assert metrics["songs"] == len(scores) and metrics["segments"] == 3 * len(scores)


def test_metrics_are_kept_in_the_bundle(evaluated, bundle):
    kept = json.loads(Path(bundle.url, "metrics.json").read_text())
    assert kept["song_accuracy"] == evaluated[0]["song_accuracy"]
    assert kept["dataset"] == bundle.dataset and kept["folds"] == ["fold-00"]


def test_scores_are_at_the_bundles_temperature(evaluated, bundle, dataset):
    metrics, scores = evaluated
    raw = list(score_files(bundle.network(), dataset, bundle.splits["test"], bundle.input_windows()))
    for score, own in zip(scores, with_temperature(raw, bundle.temperature), strict=True):
        np.testing.assert_allclose(score.probabilities, own.probabilities, atol=1e-6)
        np.testing.assert_allclose(
            score.probabilities, temper(score.window_probabilities.mean(axis=0), bundle.temperature)
        )
    assert bundle.temperature != 1
    assert metrics["calibration"] == reliability(scores, bundle.genres) | {"temperature": bundle.temperature}
    assert sum(each["songs"] for each in metrics["calibration"]["bins"]) == len(scores)
    assert metrics["selective"] == selective_risk(scores, bundle.genres, bundle.calibration.threshold)


def test_another_dataset_is_refused(bundle, dataset):
    with pytest.raises(UsageError, match="is not the dataset that"):
        evaluate(bundle, dataset.model_copy(update={"plan": "another"}))


def test_batches_over_songs_give_each_song_its_own(bundle, dataset):
    windows, model = bundle.input_windows(), bundle.network()
    together = {
        score.path: score.window_probabilities for score in score_files(model, dataset, list(dataset.folds), windows)
    }
    rng = np.random.default_rng(0)
    shape = windows.shapes["log_mel"]
    songs = [(n, {"log_mel": rng.normal(size=(n, *shape)).astype(np.float32)}) for n in (1, 70, 3)]
    for key, probabilities in classify(model, iter(songs)):
        alone = model.predict(dict(songs)[key], verbose=0)
        np.testing.assert_allclose(probabilities, alone, atol=1e-5)
    assert len(together) == dataset.songs


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


def test_crossval_scores_every_song_by_a_model_that_never_saw_it(config, dataset, tmp_path):
    quick = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 1})})
    metrics, scores = crossval.crossval(quick, dataset, str(tmp_path), new_pipeline=new_pipeline)
    assert sorted(score.path for score in scores) == sorted(song.path for song in dataset.ledger())
    assert metrics["songs"] == dataset.songs and len(metrics["rounds"]) == 4
    for fold in dataset.folds:
        splits = json.loads((tmp_path / fold / "bundle.json").read_text())["splits"]
        assert splits["test"] == [fold] and fold not in splits["train"] + splits["validation"]
    assert [row["tempo"] for row in metrics["tempo"]] == list(TEMPOS)
    assert metrics["tempo"][2] == {"tempo": 1.0, "song_accuracy": metrics["song_accuracy"], "changed": 0.0}
    before = (tmp_path / "fold-00" / "model.keras").stat().st_mtime_ns
    again, _ = crossval.crossval(quick, dataset, str(tmp_path))
    assert again == {name: figures for name, figures in metrics.items() if name != "tempo"}
    assert (tmp_path / "fold-00" / "model.keras").stat().st_mtime_ns == before


def test_crossval_overwrites_nothing_that_it_did_not_write(config, dataset, bundle, tmp_path):
    shutil.copytree(bundle.url, tmp_path / "b")
    with pytest.raises(UsageError, match=r"holds files that no crossval wrote \(bundle.json, ...\)"):
        crossval.crossval(config, dataset, str(tmp_path / "b"))
    assert not (tmp_path / "b" / "fold-00").exists()
