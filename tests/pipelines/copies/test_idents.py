"""Idents: found among pairs, and among songs that have one in front or at the end, where they hide no copy."""

import numpy as np
import pytest

from pipelines.copies.idents import LEAST_GROUPS, find_idents
from pipelines.copies.search import find_copies
from pipelines.dataset.ledger import Copy
from tests.pipelines.conftest import in_process
from tests.pipelines.copies.test_alignment import damaged, music

IDENT, SONG, CROP = 30, 180, 62
"""Values: of 6 s at the least, 25 s and 10 s."""


def chain(contents, duration_s=7.0, begin_s=0.0):
    return [Copy(a, b, begin_s, begin_s, duration_s, 1.0, 0.0, True) for a, b in zip(contents, contents[1:])]  # noqa: B905, RUF007


def having(idents):
    return ["".join(sorted(ident.begins_s)) for ident in idents]


def test_as_many_groups_as_it_takes_have_an_ident():
    assert having(find_idents(chain("abcde"), {})) == ["abcde"]
    assert having(find_idents(chain("abcd"), {})) == []
    assert len("abcde") == LEAST_GROUPS


def test_songs_that_are_tied_for_other_reasons_count_once():
    assert having(find_idents(chain("abcde"), {"a": "artist:ann", "d": "artist:ann"})) == []
    assert having(find_idents(chain("abcdef"), {"a": "artist:ann", "d": "artist:ann"})) == ["abcdef"]


def test_two_stretches_of_a_song_are_two():
    assert having(find_idents(chain("abcde") + chain("cdefg", begin_s=20.0), {})) == ["abcde", "cdefg"]
    assert having(find_idents(chain("abc") + chain("cde", begin_s=20.0), {})) == []


def test_a_pair_that_shares_more_than_the_others_is_none_of_an_ident():
    (ident,) = find_idents([*chain("abcdefgh"), *chain("bd", 9.5)], {})
    assert set(ident.copies) == set(chain("abcdefgh"))
    assert ident.duration_s == 7.0


def test_the_ident_of_a_series_may_follow_that_of_its_station():
    found = find_idents(chain("abcdefgh") + chain("bdhijk", 13.0), {})
    assert [(ident.duration_s, "".join(sorted(ident.begins_s))) for ident in found] == [
        (7.0, "abcdefgh"), (13.0, "bdhijk"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def planted():
    """Songs behind one ident, each its own but for those that are planted; and which of these share what."""
    ident, songs = music(IDENT, 999), [music(SONG, number) for number in range(60)]
    copies = {
        "whole": songs[0],
        "softer": damaged(songs[1], 0.02),
        "cropped": songs[2][50 : 50 + CROP],
        "later": np.concatenate([music(40, 900), songs[3]]),
        "earlier": songs[4][25:],
        "quoted": np.concatenate([music(70, 901), songs[5][90 : 90 + CROP], music(60, 902)]),
        "briefly": np.concatenate([music(100, 903), songs[6][30:55], music(60, 904)]),
        "begun alike": np.concatenate([songs[7][:40], music(140, 905)]),
    }
    names = [f"{index * 7 % 97:02d} song {index}" for index in range(60)]
    behind = dict(zip(names, songs, strict=True)) | {
        f"{11 * n:02d} {kind}": v for n, (kind, v) in enumerate(copies.items())
    }
    pairs = {tuple(sorted((names[n], f"{11 * n:02d} {kind}"))): kind for n, kind in enumerate(copies)}
    return ident, behind, pairs


@pytest.mark.parametrize("place", ["in front", "at the end"])
def test_an_ident_hides_no_copy(place, planted, tmp_path):
    ident, songs, pairs = planted
    both = {name: [ident, values] if place == "in front" else [values, ident] for name, values in songs.items()}
    found = find_copies({n: np.concatenate(v).tobytes() for n, v in both.items()}, str(tmp_path / "w"), in_process())
    (one,) = find_idents([copy for copy in found if copy.may_be_ident], {})
    assert set(one.begins_s) >= set(songs) - {name for pair in pairs for name in pair}
    others = [copy for copy in found if copy not in one.copies]
    assert {(copy.first, copy.second) for copy in others} == set(pairs)


def test_pairs_that_share_an_ident_grow_with_the_songs_and_not_with_their_pairs(tmp_path):
    def pairs(count):
        songs = {f"{n:03d}": np.concatenate([music(IDENT, 999), music(SONG, n)]).tobytes() for n in range(count)}
        return len(find_copies(songs, str(tmp_path / "w"), in_process()))

    assert 80 <= pairs(80) < pairs(160) <= 2.2 * pairs(80)
