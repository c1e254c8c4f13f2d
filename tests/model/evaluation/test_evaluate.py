import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.evaluation.evaluate import evaluate, summarise_metrics
from model.evaluation.unseen import find_unseen
from model.inference.bundle import Bundle
from model.inference.calibration import reliability, selective_risk
from model.inference.classify import classify, score_files
from model.inference.scores import temper, with_temperature
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset.reading import read_record
from tests.pipelines.dataset import made


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
    with pytest.raises(UsageError, match=r"is neither the dataset that .* nor a later version of it"):
        evaluate(bundle, dataset.model_copy(update={"shown": 99}))


def test_a_bundle_says_what_it_was_trained_on(bundle, dataset):
    (file,) = bundle.trained
    split_of = {song.content_hash: song.split for song in file.read(bundle.url)}
    splits = {"fold-01": "validation", "fold-02": "train", "fold-03": "train"}
    assert split_of == {row.content_hash: splits[row.fold] for row in dataset.ledger() if row.fold != "fold-00"}
    assert file.songs == len(split_of) == 18 and bundle.trained_contents() == set(split_of)


@pytest.mark.parametrize(
    ("harm", "message"), [(Path.unlink, "is missing"), (lambda p: p.write_bytes(b""), "is damaged")]
)
def test_a_bundle_that_does_not_know_what_it_was_trained_on_is_not_judged(bundle, dataset, tmp_path, harm, message):
    shutil.copytree(bundle.url, tmp_path / "b")
    harm(tmp_path / "b" / bundle.trained[0].name)
    with pytest.raises(
        SpectroshardError, match=f"^{tmp_path}/b/trained-.*: {message}.*; copy the bundle again, whole, or remove"
    ):
        evaluate(Bundle.load(str(tmp_path / "b")), dataset)


def later(dataset, folder, rows, history=(), config=None):
    """A later version with other rows and the same songs' features."""
    features = {row.path: read_record(dataset, row).features for row in dataset.ledger()}
    return made.dataset(
        folder, rows, lambda row: features[row.path], config=config or dataset.config, earlier=dataset, history=history
    )


def test_a_later_version_s_test_songs_are_left_out_where_they_belong_to_what_was_trained_on(bundle, dataset, tmp_path):
    rows = dataset.ledger()
    test = [row for row in rows if row.fold == "fold-00"]
    trained, validated = (next(row for row in rows if row.fold == fold) for fold in ("fold-02", "fold-01"))
    grouped, came_over, by_history, polka = test[:4]
    change = {
        grouped.path: replace(grouped, group=trained.group),
        came_over.path: replace(came_over, content_hash=validated.content_hash),
        by_history.path: replace(by_history, group="an artist"),
        polka.path: replace(polka, genre="polka"),
    }
    history = [replace(trained, group="an artist", fold="fold-02")]
    rows = [change.get(row.path, row) for row in rows if row.path != trained.path]
    rows.append(replace(trained, status="rejected", fold="", shard=""))
    metrics, scores = evaluate(bundle, later(dataset, tmp_path / "d", rows, history))
    assert {score.path for score in scores} == {row.path for row in test[4:]}
    assert metrics["test_songs"] == {"count": 6, "seen": 3, "unknown_genre": 1} and metrics["version"] == 2
    assert metrics["songs"] == 2 and metrics["dataset"] != bundle.dataset
    assert summarise_metrics(metrics).endswith(
        "; 3 of 6 test songs left out, as they share samples or a group with what it was trained on;"
        " 1 of 6 test songs left out, as they are of genres that it does not know;"
        " artists of 23 of 23 files are not known, and were not compared"
    )


def test_a_version_without_anything_unseen_is_refused_in_a_line(bundle, dataset, tmp_path):
    group = next(row.group for row in dataset.ledger() if row.fold == "fold-03")
    rows = [replace(row, group=group) for row in dataset.ledger()]
    with pytest.raises(UsageError, match=r"no test song is left to judge .*: of 6 in fold-00, 6 belong to") as refused:
        evaluate(bundle, later(dataset, tmp_path / "d", rows))
    assert "\n" not in str(refused.value)


def test_where_folds_were_dealt_anew_the_dataset_says_which_are_test(bundle, dataset, tmp_path):
    rows = [replace(row, fold={"fold-00": "fold-04"}.get(row.fold, row.fold)) for row in dataset.ledger()]
    folds = dataset.config.folds.model_copy(update={"count": 5, "test": (4,)})
    config = dataset.config.model_copy(update={"folds": folds})
    assert find_unseen(bundle, later(dataset, tmp_path / "d", rows, config=config)).folds == ("fold-04",)


@pytest.mark.slow
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
