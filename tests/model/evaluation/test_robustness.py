import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from model.evaluation.evaluate import evaluate, score_bundle, summarise_metrics
from model.evaluation.robustness import TEMPOS, WORK_NAME, measure_tempos, score_at_tempos
from model.inference.predict import predict_at_tempos
from model.inference.scores import FileScore
from pipelines.common.errors import SpectroshardError
from pipelines.corpus import root
from tests.model.conftest import new_pipeline

GENRES = ("jazz", "rock")


@pytest.fixture(scope="module")
def own(bundle, tmp_path_factory):
    """The bundle in a folder of its own."""
    url = str(tmp_path_factory.mktemp("tempos") / "bundle")
    shutil.copytree(bundle.url, url)
    return bundle.model_copy(update={"url": url})


@pytest.fixture(scope="module")
def tempo_scores(own, dataset):
    return score_at_tempos(own, dataset, in_test(own, dataset), new_pipeline)


def in_test(bundle, dataset):
    return [file for file in dataset.ledger() if file.fold in bundle.splits["test"]]


def test_the_test_songs_are_scored_at_every_tempo(tempo_scores, own, dataset):
    ids = sorted(score.path for score in score_bundle(own, dataset, "test"))
    assert tuple(tempo_scores) == TEMPOS
    assert all(sorted(score.path for score in scores) == ids for scores in tempo_scores.values())
    assert not Path(own.url, WORK_NAME).exists()


def test_at_tempo_1_songs_are_scored_as_from_the_shards(tempo_scores, own, dataset):
    expected = {score.path: score for score in score_bundle(own, dataset, "test")}
    for score in tempo_scores[1.0]:
        shard = expected[score.path]
        assert (score.genre, score.group, score.song) == (shard.genre, shard.group, shard.song)
        np.testing.assert_allclose(score.window_probabilities, shard.window_probabilities, atol=0.05)


def test_another_tempo_is_another_length_and_another_sound(tempo_scores, own, dataset):
    song = next(song for song in dataset.ledger() if song.path == tempo_scores[1.0][0].path)
    at = predict_at_tempos(own, [root.absolute(song.uri, dataset.root)], TEMPOS, f"{own.url}/work", new_pipeline)
    for tempo, (prediction,) in at.items():
        assert prediction.duration_s == pytest.approx(6.0 / tempo, abs=0.1)
    assert at[0.8][0].probabilities != at[1.0][0].probabilities != at[1.25][0].probabilities


def said(song_id, genre, jazz, song=None):
    return FileScore(song_id, genre, song_id, song or song_id, np.array([[jazz, 1 - jazz]], np.float32))


def test_songs_that_change_are_counted_whether_they_are_right_or_not():
    tempo_scores = {
        1.25: [said("a", "jazz", 0.4), said("b", "jazz", 0.9), said("c", "rock", 0.2), said("d", "rock", 0.9)],
        1.0: [said("a", "jazz", 0.9), said("b", "jazz", 0.2), said("c", "rock", 0.2), said("d", "rock", 0.9)],
    }
    assert measure_tempos(tempo_scores, GENRES) == [
        {"tempo": 1.0, "song_accuracy": 0.5, "changed": 0.0},
        {"tempo": 1.25, "song_accuracy": 0.5, "changed": 0.5},
    ]


def test_files_of_one_song_change_together():
    files = [said("a1", "jazz", 0.9, "a"), said("a2", "jazz", 0.4, "a")]
    slower = [said("a1", "jazz", 0.45, "a"), said("a2", "jazz", 0.7, "a")]
    assert measure_tempos({0.8: slower, 1.0: files}, GENRES)[0] == {"tempo": 0.8, "song_accuracy": 1.0, "changed": 0.0}


@pytest.mark.slow
def test_evaluate_keeps_the_tempos_where_they_are_asked_for(own, dataset, tempo_scores):
    metrics, _ = evaluate(own, dataset, new_pipeline)
    assert [row["tempo"] for row in metrics["tempo"]] == list(TEMPOS)
    assert metrics["tempo"] == measure_tempos(tempo_scores, own.genres)
    assert json.loads(Path(own.url, "metrics.json").read_text())["tempo"] == metrics["tempo"]
    assert summarise_metrics(metrics).splitlines()[2].split() == ["tempo", "song", "accuracy", "changed", "predictions"]
    assert len(summarise_metrics(metrics).splitlines()) == 3 + len(TEMPOS)
    assert "tempo" not in evaluate(own, dataset)[0]


@pytest.mark.slow
def test_audio_that_is_gone_is_counted_and_the_first_is_named(own, dataset):
    moved = in_test(own, dataset)
    places = [root.absolute(song.uri, dataset.root) for song in moved[1:3]]
    for place in places:
        Path(place).rename(f"{place}.away")
    try:
        with pytest.raises(SpectroshardError, match=rf"2 of 6 test songs cannot be read .* the first {places[0]}"):
            score_at_tempos(own, dataset, moved, new_pipeline)
    finally:
        for place in places:
            Path(f"{place}.away").rename(place)
    assert set(score_at_tempos(own, dataset, moved, new_pipeline)) == set(TEMPOS)
