import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from model.evaluate import score_files
from model.predict import Prediction, find_files, predict, show, write_predictions
from pipelines.errors import UsageError
from tests.audio_files import BAD, ffmpeg, tone, write
from tests.model.conftest import new_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Modern files of some length, and two that are none."""
    folder = tmp_path_factory.mktemp("music")
    wav = write(folder / "source.wav", tone(9.0, channels=2))
    ffmpeg(wav, folder / "b.m4a", "-c:a", "aac")
    ffmpeg(wav, folder / "a song.mp3")
    wav.unlink()
    (folder / "deeper").mkdir()
    write(folder / "deeper" / "short.wav", tone(1.2))
    BAD["not_audio"](folder / "text.wav")
    (folder / "._b.m4a").write_bytes(b"AppleDouble")
    return folder


@pytest.fixture(scope="module")
def predictions(bundle, folder):
    found = predict(bundle, [str(folder), str(folder / "gone.mp3")], None, new_pipeline)
    return {prediction.path.removeprefix(f"{folder}/"): prediction for prediction in found}


def test_every_file_is_told_of(predictions):
    assert list(predictions) == ["a song.mp3", "b.m4a", "deeper/short.wav", "gone.mp3", "text.wav"]
    statuses = [prediction.status for prediction in predictions.values()]
    assert statuses == ["predicted", "predicted", "predicted", "rejected", "rejected"]
    assert (predictions["gone.mp3"].reason, predictions["text.wav"].reason) == ("unreadable", "not_audio")


def test_a_prediction_is_a_distribution_with_a_course(predictions, bundle):
    song = predictions["a song.mp3"]
    assert set(song.probabilities) == set(bundle.genres)
    assert sum(song.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert song.probability == max(song.probabilities.values()) == song.probabilities[song.genre]
    starts = [moment.start_s for moment in song.course]
    assert starts[0] == 0 and starts == sorted(starts) and starts[-1] == pytest.approx(song.duration_s - 2, abs=0.01)
    mean = np.mean([[m.probabilities[genre] for genre in bundle.genres] for m in song.course], axis=0)
    np.testing.assert_allclose(mean, [song.probabilities[genre] for genre in bundle.genres], atol=1e-4)
    assert len(predictions["deeper/short.wav"].course) == 1


def test_prediction_from_audio_agrees_with_evaluation_from_shards(bundle, dataset):
    scores = {s.song_id: s for s in score_files(bundle.network(), dataset, bundle.splits["test"], bundle.cutting())}
    uri_of = {song.uri: song.song_id for song in dataset.ledger() if song.song_id in scores}
    for prediction in predict(bundle, list(uri_of), None, new_pipeline):
        expected = scores[uri_of[prediction.path]].probabilities
        np.testing.assert_allclose([prediction.probabilities[g] for g in bundle.genres], expected, atol=0.02)


def test_terminal(predictions):
    text = show(predictions["a song.mp3"])
    assert text.splitlines()[0].endswith("a song.mp3  0:09")
    assert "█" in text and "course: 0:00 " in text
    assert "rejected: not_audio" in show(predictions["text.wav"])


def test_json(predictions, bundle, tmp_path):
    write_predictions(str(tmp_path / "p.json"), list(predictions.values()), bundle.genres)
    rows = json.loads((tmp_path / "p.json").read_text())
    assert [Prediction.model_validate(row) for row in rows] == list(predictions.values())


def test_csv(predictions, bundle, tmp_path):
    write_predictions(str(tmp_path / "p.csv"), list(predictions.values()), bundle.genres)
    rows = list(csv.DictReader((tmp_path / "p.csv").open()))
    song = predictions["b.m4a"]
    assert float(rows[1]["p_metal"]) == song.probabilities["metal"]
    assert rows[1]["course"].startswith(f"0 {song.course[0].genre}; ")
    assert rows[4]["reason"] == "not_audio" and rows[4]["p_metal"] == ""


def test_parquet(predictions, bundle, tmp_path):
    write_predictions(str(tmp_path / "p.parquet"), list(predictions.values()), bundle.genres)
    rows = pq.read_table(tmp_path / "p.parquet").to_pylist()
    song = predictions["b.m4a"]
    assert rows[1]["p_techno"] == song.probabilities["techno"] and len(rows[1]["course"]) == len(song.course)
    assert rows[4]["p_techno"] is None and rows[4]["course"] == []


def test_other_suffixes_are_refused(predictions, bundle, tmp_path):
    with pytest.raises(UsageError, match=r"expected a file that ends in \.csv, \.json, \.parquet"):
        write_predictions(str(tmp_path / "p.xlsx"), list(predictions.values()), bundle.genres)


def test_globs_and_doubles(folder):
    found = find_files([str(folder / "*.m*"), str(folder / "b.m4a")])
    assert [path.rpartition("/")[2] for path in found] == ["a song.mp3", "b.m4a"]


def test_a_folder_without_audio_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no audio there"):
        find_files([str(tmp_path)])


def test_a_stopped_prediction_goes_on(bundle, folder, tmp_path):
    def no_pipeline():
        raise AssertionError("done before")

    work = str(tmp_path / "work")
    first = predict(bundle, [str(folder / "b.m4a")], work, new_pipeline)
    assert predict(bundle, [str(folder / "b.m4a")], work, no_pipeline) == first
