import csv
import json
import re

import pyarrow.parquet as pq
import pytest

from model.inference.columns import columns
from model.inference.prediction import Prediction
from model.reports.prediction_page import page_columns
from model.reports.prediction_tables import check_output, summarise_prediction, write_predictions
from pipelines.common.errors import UsageError
from tests.model.reports.made_up_predictions import GENRES, rejected, song

PREDICTIONS = [
    song("/music/a.mp3", [0.7, 0.2, 0.1], year=1971),
    song("/music/b.m4a", [0.1, 0.3, 0.6]),
    rejected("/music/text.wav"),
]


@pytest.fixture
def written(tmp_path):
    def write(suffix):
        write_predictions(str(tmp_path / f"p{suffix}"), PREDICTIONS, GENRES)
        return tmp_path / f"p{suffix}"

    return write


def test_terminal():
    text = summarise_prediction(PREDICTIONS[0])
    assert text.splitlines()[0] == "/music/a.mp3  1971  1:05"
    assert "█" in text and text.endswith("timeline: 0:00 techno, 0:30 metal, 0:45 techno")
    assert summarise_prediction(PREDICTIONS[2]) == "/music/text.wav\n  rejected: not_audio (a text)"


def test_json(written):
    assert [Prediction.model_validate(row) for row in json.loads(written(".json").read_text())] == PREDICTIONS


def test_csv(written):
    rows = list(csv.DictReader(written(".csv").open()))
    assert (rows[0]["year"], rows[1]["year"], float(rows[1]["p_metal"])) == ("1971", "", 0.3)
    assert rows[0]["timeline"] == "0 techno; 15 techno; 30 metal; 45 techno"
    assert rows[2]["reason"] == "not_audio" and rows[2]["p_metal"] == ""


def test_a_csv_holds_no_formulas(tmp_path):
    predictions = [rejected("=HYPERLINK(1).wav"), rejected("-1.wav"), rejected("a=b.wav")]
    write_predictions(str(tmp_path / "p.csv"), predictions, GENRES)
    paths = [row["path"] for row in csv.DictReader((tmp_path / "p.csv").open())]
    assert paths == ["'=HYPERLINK(1).wav", "'-1.wav", "a=b.wav"]


def test_parquet(written):
    rows = pq.read_table(written(".parquet")).to_pylist()
    assert set(rows[0]) == set(Prediction.model_fields) - {"probabilities"} | {f"p_{genre}" for genre in GENRES}
    assert rows[1]["p_techno"] == 0.1 and len(rows[1]["timeline"]) == 4
    assert [row["year"] for row in rows] == [1971, None, None]
    assert rows[2]["p_techno"] is None and rows[2]["timeline"] == []


def test_every_field_is_a_column_of_every_table_and_is_described(written):
    names = {*Prediction.model_fields} - {"probabilities"} | {f"p_{genre}" for genre in GENRES}
    assert set(columns(GENRES)) == names
    assert all(field.description for field in Prediction.model_fields.values())
    assert columns(GENRES) == csv.DictReader(written(".csv").open()).fieldnames
    assert columns(GENRES) == pq.read_schema(written(".parquet")).names
    assert all(list(row) == list(Prediction.model_fields) for row in json.loads(written(".json").read_text()))


def test_the_pages_table_has_the_columns_that_are_marked_for_it(written):
    page = written(".html").read_text()
    assert page.startswith("<!doctype html>")
    header = re.search(r'id="all-songs">\s*<thead>(.*?)</thead>', page, re.DOTALL)[1]
    headings = re.findall(r"<th[^>]*>(.*?)</th>", header)
    assert headings == [column.heading for column in page_columns()] and {"song", "genre", "mixture"} <= {*headings}


def test_other_suffixes_are_refused():
    with pytest.raises(UsageError, match=r"expected a folder, or a file that ends in \.csv, \.json, \.parquet, \.html"):
        check_output("songs.xlsx", [])


def test_a_rejected_window_has_no_genre_in_the_timeline():
    rejected_window = [(1 - 0.001) / 3 + 0.001 * share for share in (1.0, 0.0, 0.0)]
    assert summarise_prediction(song("a.mp3", rejected_window)).endswith("timeline: 0:00 none")


def test_what_is_to_be_read_is_never_replaced(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_output("out.csv", ["songs.csv", str(tmp_path)])
    with pytest.raises(UsageError, match=r"--output \./songs\.csv: is one of the inputs"):
        check_output("./songs.csv", [str(tmp_path / "songs.csv")])


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet", ".html"])
def test_a_name_that_is_no_utf_8_is_written_legibly(suffix, tmp_path):
    odd = [song("/music/caf\udce9.mp3", [0.7, 0.2, 0.1]), rejected("/music/\udcff.wav")]
    write_predictions(str(tmp_path / f"p{suffix}"), odd, GENRES)
    content = (tmp_path / f"p{suffix}").read_bytes()
    assert rb"caf\xe9.mp3" in content.replace(rb"\\", b"\\")
