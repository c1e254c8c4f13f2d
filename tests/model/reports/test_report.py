"""The report: what its sections say, and that its page is whole, small, and needs nothing but itself."""

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.evaluation.evaluate import evaluate
from model.evaluation.metrics import measure
from model.inference.scores import FileScore
from model.reports import attributions, confusions, excerpts, report, report_charts
from pipelines.common.errors import SpectroshardError
from pipelines.common.output import svg
from pipelines.common.output.plots import bare, draw_features
from pipelines.common.output.svg import Axis, Line
from tests.model.reports.page_checks import Page

GENRES = ("blues", "rock")


def score(song_id, genre, *segments, song=None):
    """A file's score; each segment is the probability of the first of two genres, or those of all genres."""
    rows = [segment if isinstance(segment, tuple) else (segment, 1 - segment) for segment in segments]
    return FileScore(song_id, genre, song or song_id, song or song_id, np.array(rows, np.float32))


SCORES = [
    score("a1", "blues", 0.1, 0.3, song="a"),
    score("a2", "blues", 0.4, 0.02, 0.3, song="a"),
    score("b", "blues", 0.2),
    score("c", "blues", 0.9, 0.6),
    score("d", "rock", 0.3, 0.1),
    score("e", "rock", 0.2, 0.05, 0.5),
]


@pytest.fixture(scope="module")
def evaluated(bundle, dataset):
    return evaluate(bundle, dataset)


@pytest.fixture(scope="module")
def half_wrong(evaluated, dataset):
    """The scores with every second song's prediction put on the next genre, and their metrics."""
    scores = [
        type(each)(**{**vars(each), "window_probabilities": np.roll(each.window_probabilities, number % 2, axis=1)})
        for number, each in enumerate(evaluated[1])
    ]
    return evaluated[0] | measure(scores, dataset.genres), scores


@pytest.fixture(scope="module")
def page(half_wrong, bundle, dataset):
    return Path(report.write_report(bundle.url, "A <title>", *half_wrong, dataset, "a note")).read_text()


def test_the_page_is_whole_and_needs_nothing_else(page):
    assert Page(page).faults == []
    assert "http" not in page
    assert "A &lt;title&gt;" in page and "a note" in page


def test_every_section_is_there(page, half_wrong, dataset):
    metrics, _ = half_wrong
    assert f"{100 * metrics['song_accuracy']:.1f}&nbsp;%" in page
    assert set(re.findall(r'<section id="(\w+)"', page)) == {
        "genres",
        "confusions",
        "attributions",
        "calibration",
        "training",
        "songs",
    }
    parsed = Page(page)
    assert parsed.count("svg") >= 2 + 1 + 2  # learning curves, reliability, and a song right and one wrong
    assert parsed.count("img") >= 1
    assert page.count('class="sortable"') == 2
    assert "no validation split" not in page and "points</b>" in page


def test_the_reliability_picture_has_a_point_for_each_tenth_with_its_songs():
    bins = [
        {"songs": 3, "confidence": 0.5, "accuracy": 0.0},
        {"songs": 17, "confidence": 1.0, "accuracy": 1.0},
    ]
    picture = report_charts.draw_reliability(bins)
    assert picture.count("<circle") == 2 and ">3</text>" in picture and ">17</text>" in picture
    assert "17 songs of 100% confidence, 100% correct" in picture
    assert 'cx="249.0" cy="235.0"' in picture and 'cx="448.0" cy="45.0"' in picture


@pytest.mark.slow
def test_the_calibration_is_explained(page, half_wrong, bundle, dataset, tmp_path):
    assert f"fitted on {bundle.calibration.songs} validation songs" in page
    assert f"a probability under {100 * bundle.calibration.threshold:.0f}&nbsp;% says" in page
    shutil.copytree(bundle.url, tmp_path / "b")
    mute = bundle.calibration.model_copy(update={"threshold": 1.01})
    for calibration, said in ((mute, "At no threshold"), (None, "every prediction counts as\n        confident")):
        bundle.model_copy(update={"url": str(tmp_path / "b"), "calibration": calibration}).save()
        other = Path(report.write_report(str(tmp_path / "b"), "t", *half_wrong, dataset)).read_text()
        assert said in other and "validation songs above" not in other


@pytest.mark.slow
def test_tempos_are_told_where_they_were_scored(page, half_wrong, bundle, dataset):
    assert 'href="#tempo"' not in page
    metrics, scores = half_wrong
    rows = [
        {"tempo": 0.8, "song_accuracy": 0.512, "changed": 0.25},
        {"tempo": 1.0, "song_accuracy": 0.5, "changed": 0.0},
    ]
    told = Path(report.write_report(bundle.url, "t", metrics | {"tempo": rows}, scores, dataset)).read_text()
    section = told[told.index('<section id="tempo">') :].partition("</section>")[0]
    assert "51.2&nbsp;%" in section and "25.0&nbsp;%" in section and section.count("<tr>") == 3
    assert Page(told).faults == []


@pytest.mark.parametrize(
    "fault", ["<p>", "</p>", "<img src='data:image/png;base64,'>", "<svg></svg>", "<a href='x'></a>"]
)
def test_faults_of_a_page_are_found(fault):
    assert Page(f"<div>{fault}</div>").faults


def test_the_same_scores_give_the_same_bytes(page, half_wrong, bundle, dataset):
    assert Path(report.write_report(bundle.url, "A <title>", *half_wrong, dataset, "a note")).read_text() == page


def test_songs_that_are_all_right_have_no_mistakes_to_show(evaluated, bundle, dataset):
    genres = dataset.genres
    right = [
        type(each)(
            **{**vars(each), "window_probabilities": np.eye(3, dtype=np.float32)[[genres.index(each.genre)] * 3]}
        )
        for each in evaluated[1]
    ]
    metrics = evaluated[0] | measure(right, genres)
    page = Path(report.write_report(bundle.url, "t", metrics, right, dataset)).read_text()
    assert "None: every song is classified correctly." in page and 'id="attributions"' not in page
    assert Page(page).faults == []


@pytest.mark.parametrize("content", [None, "", "epoch,loss,accuracy\n0,1.5,0.2\n1,0.", "epoch,loss\n0,high"])
def test_a_damaged_history_is_named(evaluated, bundle, dataset, tmp_path, content):
    bundle.model_copy(update={"url": str(tmp_path)}).save()
    (tmp_path / "model.keras").write_bytes(Path(bundle.url, "model.keras").read_bytes())
    if content is not None:
        (tmp_path / "history.csv").write_text(content)
    with pytest.raises(SpectroshardError, match=f"^{tmp_path}/history.csv: "):
        report.write_report(str(tmp_path), "A title", *evaluated, dataset)


def test_what_a_genre_is_confused_with_is_shown_by_its_most_certain_window():
    (blues,) = confusions.find_confusions(SCORES, GENRES)
    assert (blues.genre, blues.predicted, blues.count, blues.songs) == ("blues", "rock", 2, 3)
    # Song b is surer on the whole than song a, whose second file has the surest window.
    assert (blues.wrong.path, blues.wrong.window, blues.wrong.windows) == ("b", 0, 1)
    assert blues.correct is not None
    assert (blues.correct.path, blues.correct.window, blues.correct.windows) == ("d", 1, 2)
    without_b = [each for each in SCORES if each.path != "b"]
    (blues,) = confusions.find_confusions(without_b, GENRES)
    assert (blues.wrong.path, blues.wrong.window, blues.wrong.windows) == ("a2", 1, 3)


def test_attributions_are_of_the_most_certain_correct_and_wrong_file_of_a_genre():
    ((right, wrong),) = attributions.choose(SCORES, GENRES)
    assert (right.path, wrong.path) == ("c", "b")


def test_songs_are_listed_wrong_and_sure_ones_first(monkeypatch):
    listed = report._songs(SCORES, GENRES)
    assert [row["name"] for row in listed["rows"]] == ["b", "a", "d", "c", "e"]
    assert listed["rows"][0]["true_probability"] == pytest.approx(0.2)
    monkeypatch.setattr(report, "MOST_SONGS", 2)
    listed = report._songs(SCORES, GENRES)
    assert [row["name"] for row in listed["rows"]] == ["b", "a"] and listed["count"] == 5


def test_several_trainings_are_drawn_faintly_and_their_mean_strongly():
    history = [{"epoch": 0.0, "accuracy": 0.2}, {"epoch": 1.0, "accuracy": float("nan")}]
    chart = report_charts.draw_learning_curves([history, [*history, {"epoch": 2.0, "accuracy": 0.6}]], "accuracy")
    assert chart.count("opacity:0.35") == 2 and chart.count("mean of rounds") == 2
    assert "nan" not in chart and "validation" not in chart
    both = [row | {"validation_accuracy": 0.1} for row in history]
    assert report_charts.draw_learning_curves([both], "accuracy").count("opacity:.1") == 1  # the gap


def test_an_axis_maps_its_ends_and_has_round_ticks():
    axis = Axis.of(0.0, 30.0, 100.0, 400.0)
    assert (axis(0.0), axis(15.0), axis(30.0)) == (100.0, 250.0, 400.0)
    assert axis.ticks == (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
    assert Axis.of(1.0, 1.0, 0.0, 10.0)(1.0) == 0.0


def test_names_are_no_formulas_and_no_markup():
    values = {"log_mel": np.zeros((4, 3), np.float32)}
    assert draw_features(values, {"log_mel": 1.0}, "$\\b$/song.wav").startswith(b"\x89PNG")
    x, y = Axis.of(0, 1, 0, 10), Axis.of(0, 1, 10, 0)
    chart = svg.line_chart("<t>", "<d>", [Line([(0, 0), (1, 1)], "right", "<b>")], x, y, "<x>")
    assert not re.search("<[tdbx]>", chart)


def test_pictures_are_small_whatever_the_song():
    noise = np.random.default_rng(0).normal(size=(5000, 1025)).astype(np.float32)
    assert len(excerpts.picture(noise, light=np.abs(noise))) < 150_000  # ten of them in a page of 5 MB
    ramp = np.repeat(np.arange(1280.0, dtype=np.float32)[:, None], 2, axis=1)
    assert excerpts.columns(ramp).tolist() == [[2 * column + 0.5] * 2 for column in range(640)]


def test_the_page_is_small_with_very_many_songs(half_wrong, bundle, dataset):
    metrics, scores = half_wrong
    many = [
        type(each)(**{**vars(each), "song": f"{each.song}, the {number}th of that name that anyone ever sang"})
        for number in range(400)
        for each in scores
    ]
    page = Path(report.write_report(bundle.url, "t", metrics, many, dataset)).read_bytes()
    assert len(page) < 5_000_000 and page.count(b"of that name") >= report.MOST_SONGS
    assert b"The first 1000 of 2400 songs" in page


def test_a_picture_has_low_bins_at_the_bottom_and_colour_where_it_is_lit():
    values = np.zeros((3, 2), np.float32)
    values[2, 1] = 1.0
    light = np.array([[0, 0], [0, 0], [0, 1]], np.float32)
    image = Image.open(io.BytesIO(bare(values, light))).convert("RGB")
    assert image.size == (3, 2)
    pixels = np.asarray(image).astype(int)
    assert pixels.sum(axis=2).argmax() == 2  # above, to the right
    is_grey = np.ptp(pixels, axis=2) == 0
    assert is_grey.tolist() == [[True, True, False], [True, True, True]]
