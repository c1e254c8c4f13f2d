import itertools
import shutil
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from model.inference.batch import job as jobs
from model.inference.batch import part as parts_room
from model.inference.batch.job import FAILURES, SONGS, Failure, Job, Listed, Predictions, Request, part_of
from model.inference.batch.part import Stage, publish_part
from model.inference.batch.predict import first_predictions, predict_into, publish
from model.inference.bundle import Bundle
from model.inference.columns import table
from model.inference.predict import predict
from model.inference.predictor import Predictor
from model.inference.totals import Totals
from model.reports.prediction_page import write_page
from pipelines.common import lease, parquet, storage
from pipelines.common.errors import BusyError, SpectroshardError, UsageError
from tests.audio_files import BAD, tone, write
from tests.model.conftest import new_pipeline
from tests.model.reports.made_up_predictions import GENRES, song


@pytest.fixture
def music(tmp_path):
    """Seven songs, one of them short, and a file that is none."""
    folder = tmp_path / "music"
    for number in range(7):
        write(folder / f"{number}.wav", tone(1.0 + number, frequency_hz=200.0 + 60 * number))
    BAD["not_audio"](folder / "text.wav")
    return folder


@pytest.fixture
def asked(monkeypatch):
    """The names of the files that predictors were asked for."""
    asked, stream = [], Predictor.stream

    def noted(self, paths, tempo=1.0):
        paths = list(paths)
        asked.extend(Path(path).name for path in paths)
        return stream(self, paths, tempo)

    monkeypatch.setattr(Predictor, "stream", noted)
    return asked


def rows_of(folder, kind=SONGS):
    rows = ds.dataset(f"{folder}/{kind}").to_table().sort_by("path").to_pylist()
    return {Path(row["path"]).name: row for row in rows}


def test_a_folder_of_predictions_says_what_a_list_does(bundle, music, tmp_path):
    listed = predict(bundle, [str(music)], None, new_pipeline)
    predictions, is_new = predict_into(bundle, [str(music)], str(tmp_path / "p"), new_pipeline)
    assert is_new and predictions == Predictions.load(str(tmp_path / "p"))
    songs = [each for each in listed if not each.reason]
    told = ds.dataset(str(tmp_path / "p" / SONGS)).to_table().sort_by("path")
    assert told.drop_columns(["version"]).equals(table(songs, bundle.genres))
    assert [*rows_of(tmp_path / "p", FAILURES).values()] == [
        {"path": each.path, "reason": each.reason, "error": each.error} for each in listed if each.reason
    ]
    assert predictions.totals.rejected == {"not_audio": 1} and predictions.totals.songs == 7
    np.testing.assert_allclose(predictions.totals.mixture.sums, Totals.of(told, bundle.genres).mixture.sums)
    assert sorted(storage.names(str(tmp_path / "p"))) == [FAILURES, "predictions.json", SONGS]
    for number in range(predictions.parts):
        paths = pq.read_table(Job(str(tmp_path / "p")).part(SONGS, number))["path"].to_pylist()
        assert paths == sorted(paths) and {part_of(path, predictions.parts) for path in paths} <= {number}


def test_only_what_is_new_or_changed_is_predicted(bundle, music, tmp_path, asked):
    output = str(tmp_path / "p")
    predict_into(bundle, [str(music)], output, new_pipeline)
    before = rows_of(output)
    assert sorted(asked) == [*(f"{number}.wav" for number in range(7)), "text.wav"]
    asked.clear()
    (music / "text.wav").unlink()
    (music / "0.wav").unlink()
    write(music / "1.wav", tone(2.5, frequency_hz=900.0))
    write(music / "new.wav", tone(2.0))
    predictions, is_new = predict_into(bundle, [str(music)], output, new_pipeline)
    assert is_new and sorted(asked) == ["1.wav", "new.wav"]
    after = rows_of(output)
    assert sorted(after) == [*(f"{number}.wav" for number in range(1, 7)), "new.wav"]
    assert all(after[name] == before[name] for name in ("2.wav", "3.wav", "4.wav", "5.wav", "6.wav"))
    assert after["1.wav"]["duration_s"] == 2.5 and rows_of(output, FAILURES) == {}
    assert (predictions.totals.songs, predictions.totals.rejected) == (7, {})
    asked.clear()
    assert predict_into(bundle, [str(music)], output, new_pipeline) == (predictions, False) and asked == []


def test_a_failure_that_is_gone_is_told_of_no_more(bundle, tmp_path):
    music, output = tmp_path / "music", str(tmp_path / "p")
    music.mkdir()
    write(music / "song.wav", tone(2.0))
    (music / "text.wav").write_text("this is a text")
    predict_into(bundle, [str(music)], output, new_pipeline)
    assert rows_of(output, FAILURES).keys() == {"text.wav"}
    (music / "text.wav").unlink()
    predictions, _ = predict_into(bundle, [str(music)], output, new_pipeline)
    assert rows_of(output, FAILURES) == {} and predictions.totals.rejected == {}


def test_a_part_without_files_has_tables_too(bundle, tmp_path):
    music, output = tmp_path / "music", str(tmp_path / "p")
    music.mkdir()
    paths = (music / f"{number}.wav" for number in itertools.count())
    for path in itertools.islice((path for path in paths if part_of(str(path), 2) == 0), 4):
        write(path, tone(2.0))
    predictions, _ = predict_into(bundle, [str(music)], output, new_pipeline)
    assert predictions.parts == 2 and len(first_predictions(predictions, 9, 0, 9)) == 4


def test_a_killed_prediction_goes_on_at_its_file(bundle, music, tmp_path, asked, monkeypatch):
    output, add, added = str(tmp_path / "p"), Stage.add, itertools.count()

    def killed(self, prediction, version):
        # Not at a file: which part comes first depends on the paths.
        if next(added) == 4:
            raise RuntimeError("the power failed")
        add(self, prediction, version)

    with monkeypatch.context() as patch:
        patch.setattr(parts_room, "_MOST_ROWS", 1)
        patch.setattr(Stage, "add", killed)
        with pytest.raises(RuntimeError, match="the power failed"):
            predict_into(bundle, [str(music)], output, new_pipeline)
    staged = list((tmp_path / "p" / "_work" / "staged").rglob("*.parquet"))
    done = {Path(row).name for path in staged for row in pq.read_table(path)["path"].to_pylist()}
    assert 0 < len(done) < 7 and not (tmp_path / "p" / "predictions.json").exists()
    staged[0].write_bytes(staged[0].read_bytes()[:-4])  # what a disk has lost is predicted again
    lost = {name for name in done if name not in _names_in(staged[1:])}
    asked.clear()
    predict_into(bundle, [str(music)], output, new_pipeline)
    assert not (done - lost) & set(asked)
    assert len(rows_of(output)) == 7
    predict_into(bundle, [str(music)], str(tmp_path / "undisturbed"), new_pipeline)
    assert rows_of(output) == rows_of(tmp_path / "undisturbed")


def _names_in(paths):
    return {Path(row).name for path in paths for row in pq.read_table(path)["path"].to_pylist()}


def test_what_is_in_the_way_is_refused(bundle, music, tmp_path):
    output = str(tmp_path / "p")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.txt").touch()
    with pytest.raises(UsageError, match=r"no predict wrote \(thesis.txt"):
        predict_into(bundle, [str(music)], output, new_pipeline)
    (tmp_path / "p" / "thesis.txt").unlink()
    with lease.held(f"{output}/_work/lease.json", "prediction"), pytest.raises(BusyError, match="a prediction by"):
        predict_into(bundle, [str(music)], output, new_pipeline)
    predict_into(bundle, [str(music / "1.wav")], output, new_pipeline)
    other = bundle.model_copy(update={"calibration": None})
    with pytest.raises(UsageError, match="holds predictions of another bundle; give a new --output, or remove it"):
        predict_into(other, [str(music)], output, new_pipeline)


def test_a_bundle_that_is_exchanged_meanwhile_is_refused(bundle, music, tmp_path, monkeypatch):
    shutil.copytree(bundle.url, tmp_path / "b")
    own = Bundle.load(str(tmp_path / "b"))

    def exchanged(files):
        own.model_copy(update={"calibration": None}).save()
        return new_pipeline(files)

    with pytest.raises(Exception, match="another bundle than the one that the prediction began with"):
        predict_into(own, [str(music / "1.wav")], str(tmp_path / "p"), exchanged)


def test_the_workers_of_a_process_share_a_network(bundle, music, tmp_path, monkeypatch):
    loaded, network = [], Bundle.network
    monkeypatch.setattr(Bundle, "network", lambda self: loaded.append(1) or network(self))

    def threads(files):
        flags = ["--runner=FnApiRunner", "--direct_running_mode=multi_threading", "--direct_num_workers=2"]
        return beam.Pipeline(options=PipelineOptions(flags))

    predict_into(bundle, [str(music)], str(tmp_path / "p"), threads)
    assert len(loaded) == 1


def made_up(folder, count):
    """A published prediction of songs that nobody heard."""
    job = Job(str(folder))
    songs = [
        song(f"/music/{n:04d}.mp3", [0.5, 0.3, 0.2] if n % 2 else [0.1, 0.1, 0.8], 1970 + n % 3) for n in range(count)
    ]
    request = Request(bundle_url="b", bundle="b", genres=GENRES, parts=4, listing="l", files=count + 2)
    storage.write_bytes(job._request, request.model_dump_json().encode())
    told = []
    for part in range(4):
        own = [each for each in songs if part_of(each.path, 4) == part]
        rows = table(own, GENRES)
        failures = [Failure(f"/music/bad{part}.mp3", "not_audio", "text")] if part < 2 else []
        publish_part(job, part, rows, failures)
        totals = Totals.of(rows, GENRES).model_copy(update={"rejected": {"not_audio": 1} if failures else {}})
        told.append((part, totals.model_dump_json()))
    return songs, told


def test_a_page_of_totals_and_the_first_songs_is_that_of_all(tmp_path):
    songs, told = made_up(tmp_path / "p", 60)
    publish(told[::-1], str(tmp_path / "p"))  # in whichever order they come
    predictions = Predictions.load(str(tmp_path / "p"))
    assert (predictions.totals.songs, predictions.totals.failures) == (60, 2)
    first = first_predictions(predictions, 10, 3, 5)
    assert first[:3] == songs[:3] and [each.path for each in first[:10]] == [each.path for each in songs[:10]]
    assert all(not each.timeline for each in first[3:10])
    assert [each.path for each in first[10:]] == ["/music/bad0.mp3", "/music/bad1.mp3"]
    everything = [*songs, *first[10:]]
    pages = [
        Path(write_page(str(tmp_path / "one.html"), everything, GENRES)).read_text(),
        Path(
            write_page(
                str(tmp_path / "two.html"), first_predictions(predictions, 60, 60, 5), GENRES, predictions.totals
            )
        ).read_text(),
    ]
    assert pages[0] == pages[1]


def test_totals_that_miss_a_part_are_not_published(tmp_path):
    _, told = made_up(tmp_path / "p", 20)
    with pytest.raises(SpectroshardError, match=r"files were told of, expected 22; run the same command again"):
        publish(told[1:], str(tmp_path / "p"))
    assert not (tmp_path / "p" / "predictions.json").exists()


def test_a_manifest_s_years_count_and_change(bundle, music, tmp_path, asked):
    manifest, output = tmp_path / "m.csv", str(tmp_path / "p")
    manifest.write_text(f"path,year\n{music}/1.wav,1990\n{music}/2.wav,\nhttp://x/a.wav,\n")
    predictions, _ = predict_into(bundle, [str(manifest)], output, new_pipeline)
    assert {name: row["year"] for name, row in rows_of(output).items()} == {"1.wav": 1990, "2.wav": None}
    assert predictions.totals.rejected == {"outside_root": 1}
    asked.clear()
    manifest.write_text(f"path,year\n{music}/1.wav,1991\n{music}/2.wav,\n")
    predict_into(bundle, [str(manifest)], output, new_pipeline)
    assert rows_of(output)["1.wav"]["year"] == 1991 and asked == ["1.wav"]


def test_names_that_are_no_text_are_predicted(bundle, tmp_path):
    name = b"caf\xe9.wav"
    path = write(tmp_path / "music" / "a.wav", tone(1.2))
    path.rename(path.with_name(name.decode("utf-8", "surrogateescape")))
    predict_into(bundle, [str(tmp_path / "music")], str(tmp_path / "p"), new_pipeline)
    assert list(rows_of(tmp_path / "p")) == ["caf\\xe9.wav"]


def test_a_listing_has_a_group_for_each_part(tmp_path, bundle, monkeypatch):
    files = [Listed(f"/music/{number}.mp3", "1") for number in range(5)]
    monkeypatch.setattr(jobs, "list_files", lambda urls: files)
    job = Job(str(tmp_path))
    assert job.begin(bundle, [])
    groups = [parquet.read_group(job.listing, Listed, part) for part in range(job.request().parts)]
    assert sorted((file for group in groups for file in group), key=lambda file: file.path) == files
