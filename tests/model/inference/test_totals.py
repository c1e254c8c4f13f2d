import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.inference.columns import predictions_of, table
from model.inference.totals import Totals
from tests.model.reports.made_up_predictions import GENRES, rejected, song

SONGS = [
    song("a.mp3", [0.7, 0.2, 0.1], year=1970),
    song("b.mp3", [0.1, 0.4, 0.5], year=1970),
    song("c.mp3", [0.0, 1.0, 0.0], year=1973, is_confident=False).model_copy(update={"unread_s": 5.5}),
    song("d.mp3", [0.2, 0.2, 0.6]),
    rejected("e.mp3"),
]


def totals_of(predictions):
    return Totals.of(table(predictions, GENRES), GENRES)


def test_totals_are_of_songs_and_of_years():
    totals = totals_of(SONGS)
    assert (totals.songs, totals.failures, totals.unsure, totals.rejected) == (4, 1, 1, {"not_audio": 1})
    np.testing.assert_allclose(totals.mixture.mean, [0.25, 0.45, 0.3])
    assert {year: mixture.songs for year, mixture in totals.years.items()} == {1970: 2, 1973: 1}
    np.testing.assert_allclose(totals.years[1970].mean, [0.4, 0.3, 0.3])
    assert totals.unread_in_words == "5.5 s of 1 file were not read"
    assert totals_of([]).mixture.mean.tolist() == [0, 0, 0]


@given(st.lists(st.integers(0, len(SONGS) - 1), max_size=12), st.integers(0, 12))
def test_totals_add_up(numbers, cut):
    chosen = [SONGS[number] for number in numbers]
    whole = totals_of(chosen).model_dump()
    parts = Totals.sum([totals_of(chosen[:cut]), totals_of(chosen[cut:])], GENRES).model_dump()
    for one, two in ((whole, parts), *((whole["years"][y], parts["years"][y]) for y in whole["years"])):
        mixtures = [each.pop("mixture", each) for each in (one, two)]
        np.testing.assert_allclose(mixtures[0].pop("sums"), mixtures[1].pop("sums"))
        assert mixtures[0] == mixtures[1]
    assert whole == parts


def test_what_a_table_tells_is_what_it_was_made_of():
    assert predictions_of(table(SONGS, GENRES), GENRES) == SONGS
