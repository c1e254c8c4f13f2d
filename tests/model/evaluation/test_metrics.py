import tracemalloc

import numpy as np
import pytest

from model.evaluation.metrics import accuracy_interval, measure
from model.inference.scores import FileScore, with_temperature

GENRES = ("blues", "jazz", "rock")


def score(name, genre, *segments, group=None, song=None):
    return FileScore(name, genre, group or name, song or name, np.array(segments, np.float32))


SURE_BLUES, SURE_JAZZ, SLIGHTLY_ROCK = (0.9, 0.1, 0.0), (0.1, 0.9, 0.0), (0.3, 0.3, 0.4)


@pytest.fixture
def metrics():
    return measure(
        [
            score("a", "blues", SURE_BLUES, SURE_BLUES, SLIGHTLY_ROCK),
            score("b", "blues", SURE_JAZZ, SURE_JAZZ),
            score("c", "jazz", SURE_JAZZ),
            score("d", "rock", SLIGHTLY_ROCK, SURE_BLUES),
        ],
        GENRES,
    )


def test_a_song_is_the_mean_of_its_windows(metrics):
    assert metrics["song_accuracy"] == 0.5
    assert metrics["segment_accuracy"] == 4 / 8
    assert metrics["confusion"] == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]


def test_figures_of_each_genre(metrics):
    blues, jazz, rock = metrics["per_genre"]
    assert (blues["precision"], blues["recall"], blues["f1"]) == (0.5, 0.5, 0.5)
    assert (jazz["precision"], jazz["recall"], jazz["f1"]) == (0.5, 1.0, pytest.approx(2 / 3))
    assert (rock["precision"], rock["recall"], rock["f1"], rock["songs"]) == (0.0, 0.0, 0.0, 1)
    assert metrics["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)


def test_interval_of_independent_songs_is_the_binomial_one():
    songs = [score(str(n), "blues", SURE_BLUES if n % 2 else SURE_JAZZ) for n in range(400)]
    low, high = measure(songs, GENRES)["song_accuracy_interval"]
    assert low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.01) and high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.01)


def test_interval_knows_that_files_of_a_group_are_no_independent_songs():
    def width(groups):
        songs = [
            score(str(n), "blues", SURE_BLUES if n < 50 else SURE_JAZZ, group=str(n % groups + (n >= 50) * 100))
            for n in range(100)
        ]
        low, high = measure(songs, GENRES)["song_accuracy_interval"]
        return high - low

    assert width(5) > 2 * width(50)


def test_a_genre_without_songs_does_not_lower_macro_f1():
    assert measure([score("a", "blues", SURE_BLUES)], GENRES)["macro_f1"] == 1.0


def test_files_of_a_song_are_judged_together():
    files = [score("a1", "blues", SURE_BLUES, song="a"), score("a2", "blues", SLIGHTLY_ROCK, song="a")]
    metrics = measure(files, GENRES)
    assert (metrics["songs"], metrics["files"], metrics["segments"]) == (1, 2, 2)
    assert (metrics["song_accuracy"], metrics["file_accuracy"], metrics["segment_accuracy"]) == (1.0, 0.5, 0.5)
    assert metrics["confusion"][0] == [1, 0, 0]


def test_a_temperature_makes_a_song_surer_than_its_windows_and_changes_no_genre():
    own = score("a", "blues", (0.5, 0.3, 0.2), (0.4, 0.5, 0.1), (0.6, 0.2, 0.2))
    (sharper,) = with_temperature([own], 0.5)
    np.testing.assert_allclose(sharper.probabilities, np.array([9, 4, 1]) / 14, rtol=1e-5)
    assert sharper.probabilities.max() > own.probabilities.max()
    assert (np.argsort(sharper.probabilities) == np.argsort(own.probabilities)).all()
    assert sharper.window_probabilities is own.window_probabilities


def test_memory_of_an_interval_does_not_grow_with_its_resamples():
    groups, correct = np.arange(10_000), np.arange(10_000) % 3 > 0
    tracemalloc.start()
    low, high = accuracy_interval(correct, groups)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6  # all resamples at once have 160 MB of numbers
    drawn = np.random.default_rng(0).integers(10_000, size=(2000, 10_000))
    assert (low, high) == tuple(np.percentile(correct[drawn].mean(axis=1), [2.5, 97.5]))
