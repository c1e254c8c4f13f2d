import csv
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from model.evaluation.evaluate import score_bundle
from model.inference.input_files import input_files
from model.inference.predict import predict
from model.inference.prediction import Prediction
from model.inference.predictor import Predictor
from model.inference.scores import temper
from model.reports.prediction_tables import summarise_prediction, write_predictions
from model.training.train import train
from pipelines.common.errors import UsageError
from pipelines.corpus import root
from tests.audio_files import BAD, ffmpeg, tone, write
from tests.model.conftest import new_pipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Modern files of some length, and two that are none."""
    folder = tmp_path_factory.mktemp("music")
    wav = write(folder / "source.wav", tone(9.0, channels=2))
    ffmpeg(wav, folder / "b.m4a", "-c:a", "aac")
    ffmpeg(wav, folder / "a song.mp3", "-metadata", "date=1971-11-08")
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


def test_a_prediction_is_a_distribution_with_a_timeline(predictions, bundle):
    song = predictions["a song.mp3"]
    assert set(song.probabilities) == set(bundle.genres)
    assert sum(song.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert song.probability == max(song.probabilities.values()) == song.probabilities[song.genre]
    starts = [point.start_s for point in song.timeline]
    assert starts[0] == 0 and starts == sorted(starts) and starts[-1] == pytest.approx(song.duration_s - 2, abs=0.01)
    mean = np.mean([[m.probabilities[genre] for genre in bundle.genres] for m in song.timeline], axis=0)
    expected = temper(mean, bundle.temperature)
    np.testing.assert_allclose([song.probabilities[genre] for genre in bundle.genres], expected, atol=1e-4)
    assert len(predictions["deeper/short.wav"].timeline) == 1


def test_every_field_of_a_predicted_song_is_set(bundle, folder):
    """Completeness: a column that is declared and forgotten in the predictor would be its default throughout."""
    (song,) = Predictor(bundle).predict([str(folder / "b.m4a")])
    assert set(Prediction.model_fields) - song.model_fields_set == {"status", "reason", "error"}


@pytest.mark.slow
def test_prediction_from_audio_agrees_with_evaluation_from_shards(bundle, dataset):
    scores = {score.path: score for score in score_bundle(bundle, dataset, "test")}
    uri_of = {root.absolute(song.uri, dataset.root): song.path for song in dataset.ledger() if song.path in scores}
    for prediction in predict(bundle, list(uri_of), None, new_pipeline):
        expected = scores[uri_of[prediction.path]].probabilities
        np.testing.assert_allclose([prediction.probabilities[g] for g in bundle.genres], expected, atol=0.02)


@pytest.fixture(scope="module")
def unsure(bundle, tmp_path_factory):
    """The bundle, less sure than it is, and asked to be surer than it can be."""
    url = str(tmp_path_factory.mktemp("unsure") / "bundle")
    shutil.copytree(bundle.url, url)
    calibration = bundle.calibration.model_copy(update={"temperature": 4 * bundle.temperature, "threshold": 0.9})
    copy = bundle.model_copy(update={"url": url, "calibration": calibration})
    copy.save()
    return copy


@pytest.mark.slow
def test_an_unsure_bundle_says_no_genre_with_confidence(unsure, bundle, corpus, tmp_path):
    song = str(next((corpus / "techno").glob("*.wav")))
    (sharper,), (flatter,) = (predict(each, [song], None, new_pipeline) for each in (bundle, unsure))
    assert flatter.genre == sharper.genre and flatter.probability < sharper.probability - 0.01
    assert sum(flatter.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert not flatter.is_confident
    lines = summarise_prediction(flatter).splitlines()
    assert lines[1] == "  low confidence: no genre assigned" and "█" in lines[2]
    write_predictions(str(tmp_path / "p.csv"), [flatter], unsure.genres)
    write_predictions(str(tmp_path / "p.parquet"), [flatter], unsure.genres)
    assert next(csv.DictReader((tmp_path / "p.csv").open()))["is_confident"] == "False"
    assert pq.read_table(tmp_path / "p.parquet")["is_confident"].to_pylist() == [False]


def test_a_song_that_is_sure_enough_is_said(bundle, predictions):
    for prediction in list(predictions.values())[:3]:
        assert prediction.is_confident == (prediction.probability >= bundle.calibration.threshold)
        assert ("low confidence" in summarise_prediction(prediction)) != prediction.is_confident
    assert not predictions["text.wav"].is_confident


def test_years_are_those_of_manifest_or_tags(bundle, folder, predictions, tmp_path):
    assert [prediction.year for prediction in predictions.values()] == [1971, None, None, None, None]
    manifest = tmp_path / "m.csv"
    manifest.write_text(f"Path,year\n{folder}/a song.mp3,\n{folder}/b.m4a,2004\nshort.wav,1999\n")
    write(tmp_path / "short.wav", tone(1.2))
    found = predict(bundle, [str(manifest)], None, new_pipeline)
    assert {p.path.rpartition("/")[2]: p.year for p in found} == {"a song.mp3": 1971, "b.m4a": 2004, "short.wav": 1999}
    manifest.write_text(f"path,year\n{folder}/a song.mp3,1980\n")
    assert [p.year for p in predict(bundle, [str(manifest)], None, new_pipeline)] == [1980]


def test_globs_and_doubles(folder):
    found = input_files([str(folder / "*.m*"), str(folder / "b.m4a")]).years
    assert [path.rpartition("/")[2] for path in found] == ["a song.mp3", "b.m4a"]


def test_a_year_of_a_manifest_stays_with_its_file(tmp_path):
    (tmp_path / "m.csv").write_text("path,year\nb.wav,1990\na.wav,\n")
    expected = {str(tmp_path / "a.wav"): None, str(tmp_path / "b.wav"): 1990}
    assert input_files([str(tmp_path / "m.csv"), str(tmp_path / "b.wav")]).years == expected
    both = input_files([str(tmp_path / "b.wav"), str(tmp_path / "m.csv")])
    assert list(both.years.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("year", "read"), [("1994.0", 1994), ("0", None), ("-1", None), ("0.0", None), ("NaN", None), ("", None)]
)
def test_a_year_may_be_unknown(tmp_path, year, read):
    (tmp_path / "m.csv").write_text(f"path,year\n,\na.wav,{year}\n")
    assert input_files([str(tmp_path / "m.csv")]).years == {str(tmp_path / "a.wav"): read}


def test_a_manifest_names_files_of_its_own_kind_alone(bundle, tmp_path):
    write(tmp_path / "a.wav", tone(1.2))
    (tmp_path / "m.csv").write_text("path\nzip://a.wav::http://127.0.0.1:9/a.zip\na.wav\nnul\0.wav\n")
    found = predict(bundle, [str(tmp_path / "m.csv")], None, new_pipeline)
    assert {p.path.rpartition("/")[2]: p.reason for p in found} == {
        "a.wav": "", "a.zip": "outside_root", "nul\0.wav": "outside_root",
    }  # fmt: skip
    assert "http://127.0.0.1:9/a.zip" in next(p.error for p in found if p.path.endswith("a.zip"))


def test_a_glob_finds_nothing_that_is_hidden(tmp_path):
    for name in ("a/b.wav", ".a/c.wav", "a/.d.wav"):
        write(tmp_path / name, tone(0.1))
    for url in (f"{tmp_path}/**/*.wav", str(tmp_path)):
        assert list(input_files([url]).years) == [f"{tmp_path}/a/b.wav"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.wav\n", "expected rows with a path and optionally a year; found 1, of file"),
        ("path,year\n", "found 0, of path, year"),
        ("path,year\na.wav,sixties\n", "path 'a.wav', year 'sixties'; expected a path, and four digits or nothing"),
        ("path,year\n,1999\n", "path '', year '1999'; expected a path"),
    ],
)
def test_a_wrong_manifest_is_an_error(tmp_path, text, message):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        input_files([str(tmp_path / "m.csv")])


def test_a_folder_without_audio_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no audio there"):
        input_files([str(tmp_path)])


def test_a_stopped_prediction_goes_on(bundle, folder, tmp_path):
    def no_pipeline():
        raise AssertionError("done before")

    work = str(tmp_path / "work")
    first = predict(bundle, [str(folder / "b.m4a")], work, new_pipeline)
    assert predict(bundle, [str(folder / "b.m4a")], work, no_pipeline) == first


@pytest.mark.slow
def test_out_of_distribution_sounds_are_given_no_genre_with_confidence(config, dataset, corpus, tmp_path):
    longer = config.training.model_copy(update={"epochs": 20, "windows_per_song": 4})
    bundle = train(config.model_copy(update={"training": longer}), dataset, str(tmp_path / "bundle"))
    noise = np.random.default_rng(0).normal(0, 0.1, 6 * 22050).astype(np.float32)
    tone = 0.3 * np.sin(2 * np.pi * 440 / 22050 * np.arange(noise.size)).astype(np.float32)
    sounds = {"noise": noise, "silence": np.zeros_like(noise), "tone": tone}
    paths = [str(write(tmp_path / f"{name}.wav", samples)) for name, samples in sounds.items()]
    of_noise, of_silence, of_tone = predict(bundle, paths, None, new_pipeline)
    assert (of_silence.status, of_silence.reason, of_silence.is_confident) == ("rejected", "silent", False)
    for prediction in (of_noise, of_tone):
        assert (prediction.status, prediction.is_confident) == ("predicted", False)
        assert prediction.probability < 0.4  # of three genres
    songs = predict(bundle, [str(corpus / "metal")], None, new_pipeline)
    assert sum(song.is_confident and song.probability > 0.5 for song in songs) > len(songs) / 2
