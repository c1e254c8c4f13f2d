import pytest

from pipelines.copies.best_copy import genre_conflicts, mark_duplicates
from pipelines.dataset.ledger import Copy, File
from pipelines.split.folds import WITHDRAWN


def file(name, content, **facts):
    values = {
        "genre": "g",
        "group": "one",
        "fold": "fold-00",
        "duration_s": 30.0,
        "sample_rate_hz": 44_100,
        "channels": 2,
    }
    return File(name, "", content_hash=content, **values | facts)


def near(first, second, duration_s=29.0, tempo=1.0):
    return Copy(first, second, 0.0, 0.0, duration_s, tempo, 0.02)


def outcome(files, copies=(), drop=True):
    return {s.path: (s.status, s.copy_of) for s in mark_duplicates(files, copies, drop)}


KEPT = ("written", "")


def test_the_same_samples_are_a_copy():
    assert outcome([file("b", "x"), file("a", "x"), file("c", "y")]) == {
        "a": KEPT, "b": ("duplicate", "a"), "c": KEPT,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"duration_s": 31.2}, {"sample_rate_hz": 96_000}),
        ({}, {"duration_s": 30.4, "sample_rate_hz": 22_050}),
        ({}, {"sample_rate_hz": 22_050, "channels": 6}),
        ({}, {"channels": 1}),
    ],
)
def test_the_best_one_is_kept(better, worse):
    files = [file("a.wav", "x", **worse), file("b.mp3", "y", **better)]
    assert outcome(files, [near("x", "y")]) == {"a.wav": ("duplicate", "b.mp3"), "b.mp3": KEPT}


def test_lossless_is_better_than_lossy_and_then_the_name_decides():
    files = [file("a.mp3", "x"), file("b.flac", "y"), file("c.wav", "z")]
    found = outcome(files, [near("x", "y"), near("y", "z"), near("x", "z")])
    assert found == {"a.mp3": ("duplicate", "b.flac"), "b.flac": KEPT, "c.wav": ("duplicate", "b.flac")}


def test_what_shares_less_than_half_is_tied_but_no_duplicate():
    files = [file("a", "x"), file("b", "y")]
    assert set(outcome(files, [near("x", "y", 14.0)]).values()) == {KEPT}
    assert outcome(files, [near("x", "y", 15.0)])["b"] == ("duplicate", "a")


def test_a_crop_is_a_copy_of_the_whole_and_two_crops_are_none_of_each_other():
    files = [file("crop 1", "x", duration_s=10.0), file("crop 2", "y", duration_s=10.0), file("whole", "z")]
    copies = [near("x", "z", 10.0), near("y", "z", 10.0)]
    assert outcome(files, copies) == {
        "crop 1": ("duplicate", "whole"), "crop 2": ("duplicate", "whole"), "whole": KEPT,
    }  # fmt: skip
    assert outcome([*files[:2], file("other", "w")], []) == {"crop 1": KEPT, "crop 2": KEPT, "other": KEPT}


def test_another_tempo_is_another_version():
    assert set(outcome([file("a", "x"), file("b", "y")], [near("x", "y", tempo=1.04)]).values()) == {KEPT}


def test_copies_that_are_kept_name_what_they_copy():
    files = [file("a", "x"), file("b", "y"), file("c", "x", genre="h")]
    found = {"a": KEPT, "b": ("written", "a"), "c": ("written", "a")}
    assert outcome(files, [near("x", "y")], drop=False) == found


def test_the_same_samples_and_genre_are_one_record_whatever_is_kept():
    files = [file("a", "x"), file("b", "x"), file("c", "y", duration_s=40.0), file("d", "x", genre="h"), file("e", "z")]
    assert outcome(files, [near("x", "y", 20.0)], drop=False) == {
        "a": ("written", "c"), "b": ("duplicate", "a"), "c": KEPT, "d": ("written", "c"), "e": KEPT,
    }  # fmt: skip


def test_rejected_songs_are_nobody_s_originals():
    files = [file("a", "x").rejected(WITHDRAWN, "why"), file("b", "x")]
    assert outcome(files) == {"a": ("rejected", ""), "b": KEPT}


def test_genres_that_disagree_are_told():
    files = [file("a", "x"), file("b", "x", genre="h"), file("c", "x"), file("d", "y", genre="h"), file("e", "z")]
    copies = [near("x", "y", 9.0), near("x", "z"), near("x", "of an earlier build")]
    assert [(one.path, other.path) for one, other in genre_conflicts(files, copies)] == [("a", "b"), ("a", "d")]


def test_of_a_row_of_copies_one_is_kept():
    files = [file(f"{n:02d}", f"{n:02d}") for n in range(16)]
    row = [near(f"{n:02d}", f"{n + 1:02d}", 30.0) for n in range(15)]
    assert outcome(files, row) == {"00": KEPT} | {f"{n:02d}": ("duplicate", "00") for n in range(1, 16)}
    half = [near(f"{n:02d}", f"{n + 1:02d}", 20.0) for n in range(15)]
    assert outcome(files[:3], half) == {"00": KEPT, "01": ("duplicate", "00"), "02": KEPT}
