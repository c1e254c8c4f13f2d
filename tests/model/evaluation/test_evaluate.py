import json
from pathlib import Path

import numpy as np
import pytest

from model.evaluation.evaluate import evaluate
from model.inference.calibration import reliability, selective_risk
from model.inference.classify import classify, score_files
from model.inference.scores import temper, with_temperature
from pipelines.common.errors import UsageError


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
