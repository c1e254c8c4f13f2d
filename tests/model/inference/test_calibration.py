import numpy as np
import pytest

from model.inference.calibration import (
    Calibration,
    fit_temperature,
    fit_threshold,
    reliability,
    reliability_of_rounds,
    selective_risk,
)
from model.inference.scores import FileScore, temper, with_temperature

GENRES = ("jazz", "rock")


def song(name, genre, jazz):
    return FileScore(name, genre, name, name, np.array([[jazz, 1 - jazz]], np.float32))


def calibrated(count=2_000):
    """Songs that are right as often as the model says."""
    rng = np.random.default_rng(0)
    chances = rng.uniform(0, 1, count)
    return [song(str(i), GENRES[int(rng.random() > jazz)], jazz) for i, jazz in enumerate(chances)]


def test_temper_of_one_changes_nothing_and_of_two_takes_roots():
    row = np.array([[0.2, 0.8]], np.float32)
    assert temper(row, 1) is row
    np.testing.assert_allclose(temper(row, 2), [[1 / 3, 2 / 3]], rtol=1e-6)
    np.testing.assert_allclose(temper(np.array([[0.0, 1.0]], np.float32), 2), [[0, 1]], atol=1e-6)


@pytest.mark.parametrize("distortion", [0.5, 1.0, 2.0])
def test_the_temperature_that_was_distorted_is_found(distortion):
    assert fit_temperature(with_temperature(calibrated(), distortion), GENRES) == pytest.approx(1 / distortion, rel=0.1)


def test_calibrated_songs_have_a_small_error_and_others_have_not():
    assert reliability(calibrated(), GENRES)["expected_calibration_error"] < 0.03
    assert reliability(with_temperature(calibrated(), 0.3), GENRES)["expected_calibration_error"] > 0.1


def test_reliability_counts_every_song_once():
    found = reliability([song("a", "jazz", 0.9), song("b", "rock", 0.92), song("c", "rock", 0.4)], GENRES)
    assert [row["songs"] for row in found["bins"]] == [1, 2]
    assert found["bins"][1] == {"songs": 2, "confidence": pytest.approx(0.91), "accuracy": 0.5}
    assert found["expected_calibration_error"] == pytest.approx((1 * 0.4 + 2 * 0.41) / 3)


def test_files_of_one_song_are_judged_together():
    files = [FileScore(str(i), "jazz", "g", "one", np.array([[p, 1 - p]], np.float32)) for i, p in enumerate((0.2, 1))]
    assert reliability(files, GENRES)["bins"] == [{"songs": 1, "confidence": pytest.approx(0.6), "accuracy": 1.0}]


def test_threshold_says_as_much_as_the_risk_allows():
    songs = [song("a", "jazz", 0.9), song("b", "jazz", 0.8), song("c", "rock", 0.7), song("d", "jazz", 0.6)]
    assert fit_threshold(songs, GENRES, 0.0) == pytest.approx(0.8)
    assert fit_threshold(songs, GENRES, 0.25) == pytest.approx(0.6)
    assert fit_threshold(songs, GENRES, 0.24) == pytest.approx(0.8)


def test_the_risk_taken_is_the_share_of_wrong_ones_among_those_said():
    songs = [song("a", "jazz", 0.9), song("b", "jazz", 0.8), song("c", "rock", 0.7), song("d", "jazz", 0.6)]
    assert selective_risk(songs, GENRES, 0.65) == {"coverage": 0.75, "risk": pytest.approx(1 / 3)}
    assert selective_risk(songs, GENRES, 1.01) == {"coverage": 0.0, "risk": 0.0}


def test_threshold_lets_nothing_through_where_the_surest_are_wrong():
    assert fit_threshold([song("a", "rock", 0.9), song("b", "rock", 0.8)], GENRES, 0.1) > 1
    assert fit_threshold([], GENRES, 0.1) > 1


def test_a_genre_hardly_likelier_than_chance_is_never_said():
    songs = [song("a", "jazz", 0.9), song("b", "jazz", 0.54)]
    assert fit_threshold(songs, GENRES, 0.5) == pytest.approx(0.9)
    assert fit_threshold(songs[1:], GENRES, 0.5) > 1


def test_songs_of_one_confidence_are_said_together():
    songs = [song("a", "jazz", 0.75), song("b", "rock", 0.75), song("c", "jazz", 0.9)]
    assert fit_threshold(songs, GENRES, 0.2) == pytest.approx(0.9)


def test_no_songs_leave_the_probabilities_as_they_are():
    assert fit_temperature([], GENRES) == 1.0


def test_a_few_songs_that_are_all_right_make_nothing_certain():
    few = [song(str(i), GENRES[i % 2], (0.6, 0.4)[i % 2]) for i in range(6)]
    tempered = with_temperature(few, fit_temperature(few, GENRES))
    assert all(0.6 < each.probabilities.max() < 0.9 for each in tempered)


def test_a_calibration_has_the_threshold_of_the_temperature_that_it_has():
    sharp = with_temperature(calibrated(), 0.5)
    calibration = Calibration.of(sharp, GENRES, risk=0.1)
    assert (calibration.risk, calibration.songs) == (0.1, 2_000)
    assert calibration.temperature == pytest.approx(2, rel=0.1)
    # Of songs whose confidence is spread evenly from a threshold to 1, all right as often as they say, half the
    # distance to 1 is wrong.
    assert calibration.threshold == pytest.approx(0.8, abs=0.03)


def test_a_rounds_temperature_is_that_of_the_other_rounds_songs():
    rounds = {"a": calibrated(), "b": with_temperature(calibrated(), 0.5)}
    found = reliability_of_rounds(rounds, GENRES)
    # Each is given what the other needs: b stays as sharp as it is, and a becomes as flat as a square root.
    wrongly = with_temperature(rounds["a"], fit_temperature(rounds["b"], GENRES))
    pooled = wrongly + with_temperature(rounds["b"], fit_temperature(rounds["a"], GENRES))
    assert found["bins"] == reliability(pooled, GENRES)["bins"]
    assert found["temperature"] == pytest.approx(1.5, rel=0.1)
