import itertools
import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.audio.quality import SILENT
from pipelines.config import FoldsConfig
from pipelines.dataset.ledger import File
from pipelines.split.balance import Oversized, lone_genres, oversized
from tests.pipelines.split.dealing import with_folds


def genre(name, *sizes):
    """Songs of a genre, in groups of these sizes."""
    return [
        File(f"{name}/{group}.{number}", "", name, group=f"{name} {group}")
        for group, size in enumerate(sizes)
        for number in range(size)
    ]


def at_fault(files, folds):
    return [(one.group, one.files) for one in oversized(files, folds)]


def test_ten_blues_of_one_artist():
    files = [File(f"{n}", "", "blues", group="artist:john lee hooker") for n in range(10)]
    (found,) = oversized(files, 10)
    assert found == Oversized("artist:john lee hooker", "blues", files=10, genre_files=10, even_files=1)
    assert str(found) == (
        "group 'artist:john lee hooker' holds 10 of the 10 songs of 'blues'; even folds have at most 1"
    )


def test_a_genre_of_one_group_is_told_as_such_and_is_none_that_is_too_large():
    blues = [replace(file, artist="Bob" if number % 3 else "Ann") for number, file in enumerate(genre("blues", 9))]
    songs = [replace(file, song="One") for file in genre("ska", 2)]
    files = [*genre("polka", 1), *songs, *blues, *genre("dub", 3), *genre("jazz", *[1] * 20)]
    judged = with_folds([replace(file, artist="Che") if file.genre == "dub" else file for file in files], FoldsConfig())
    assert list(map(str, lone_genres(judged))) == [
        "all 9 files of 'blues' are of one group, 'blues 0' (by Bob, Ann)",
        "all 3 files of 'dub' are by Che",
        "'polka' has a single song",
        "'ska' has a single song",
    ]
    assert at_fault(judged, 10) == []


def test_an_artist_of_a_third_of_a_genre():
    assert at_fault(genre("reggae", 35, 9, 7, 5, *[1] * 44), 10) == [("reggae 0", 35)]
    assert at_fault(genre("reggae", 35, 9, 7, 5, *[1] * 44), 5) == []


def test_artists_who_leave_folds_without_a_genre():
    # GTZAN's blues: nine artists, and two of ten folds would have one song each.
    blues = genre("blues", 17, 13, 12, 12, 12, 11, 11, 10, 2)
    assert [files for _, files in at_fault(blues, 10)] == [17, 13, 12, 12, 12, 11, 11]
    assert at_fault(blues, 5) == []
    assert [files for _, files in at_fault(genre("blues", *[20] * 5), 10)] == [20] * 5


@pytest.mark.parametrize(
    ("sizes", "folds"),
    [
        ([3, *[1] * 17], 5),
        ([3] * 7, 5),
        ([1] * 3, 10),
        ([2, 1], 10),
        ([2, *[1] * 8], 10),
        ([2] * 6, 10),
        ([20, 19, 18, 7, 4, 4, 3, *[1] * 25], 10),
    ],
)
def test_small_corpora_and_groups_that_fit_are_passed_over(sizes, folds):
    assert oversized(genre("jazz", *sizes), folds) == []


def test_the_worst_come_first_whatever_the_order():
    files = [*genre("metal", 9, 1, 1, 1), *genre("blues", 9, 1, 1, 1), *genre("jazz", 13, 1, 1, 1)]
    expected = [("jazz 0", 13), ("blues 0", 9), ("metal 0", 9)]
    assert at_fault(files, 4) == at_fault(files[::-1], 4) == expected


def test_a_group_is_judged_in_each_of_its_genres():
    files = [replace(file, group="one") if file.group.endswith(" 0") else file for file in genre("blues", 9, 1, 1, 1)]
    files += [replace(file, group="one") if file.group.endswith(" 0") else file for file in genre("jazz", 2, *[1] * 10)]
    assert [(one.group, one.genre, one.files) for one in oversized(files, 4)] == [("one", "blues", 9)]


def test_rejected_songs_do_not_count():
    files = genre("blues", 9, 1, 1, 1)
    assert oversized([*files[:2], *(file.rejected(SILENT, "") for file in files[2:9]), *files[9:]], 4) == []


def test_a_corpus_with_its_own_splits_is_not_judged():
    files = genre("blues", 9, 1, 1, 1)
    assert oversized([replace(files[0], fold="test"), *files[1:]], 4) == []
    assert oversized([replace(files[0], fold="fold-00"), *files[1:]], 4) != []


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(2, 4))
def test_groups_are_at_fault_exactly_where_no_dealing_is_balanced(sizes, folds):
    total = sum(sizes)
    least, most = total // folds / 2, 2 * math.ceil(total / folds)
    dealings = []
    for places in itertools.product(range(folds), repeat=len(sizes)):
        held = Counter(dict.fromkeys(range(folds), 0))
        for place, size in zip(places, sizes, strict=True):
            held[place] += size
        dealings.append((min(held.values()), max(held.values())))
    if oversized(genre("blues", *sizes), folds):
        assert not any(least <= low and high <= most for low, high in dealings)
    else:
        assert any(high <= most for _, high in dealings)
