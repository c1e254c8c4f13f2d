from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.audio.quality import SILENT
from pipelines.common.errors import UsageError
from pipelines.config import FoldsConfig
from pipelines.dataset.ledger import File, written
from pipelines.dataset.splits import split_of_folds
from tests.pipelines.split.dealing import with_folds

GENRES = ["blues", "jazz", "metal"]


def file(name, genre="blues", group="", fold=""):
    return File(name, "", genre, group=group or name, fold=fold)


def deal(files, **config):
    return {s.path: s.fold if s.status == "written" else s.reason for s in with_folds(files, FoldsConfig(**config))}


@st.composite
def corpora(draw):
    """Songs of a few genres; a group may hold several songs, also of several genres, and here and there a fold."""
    folds = draw(st.sampled_from([[""], ["", "fold-00", "fold-05", "fold-07"], ["", "train", "validation", "test"]]))
    rows = draw(st.lists(st.tuples(st.sampled_from(GENRES), st.integers(0, 30), st.sampled_from(folds)), max_size=60))
    return [file(f"{i}", genre, f"group {group}", fold) for i, (genre, group, fold) in enumerate(rows)]


def test_the_deal_of_a_small_corpus():
    files = [file(f"{genre}{number}", genre) for genre in ("blues", "jazz") for number in range(4)]
    assert deal(files, count=3) == {
        "blues0": "fold-02", "blues1": "fold-01", "blues2": "fold-00", "blues3": "fold-00",
        "jazz0": "fold-01", "jazz1": "fold-02", "jazz2": "fold-01", "jazz3": "fold-00",
    }  # fmt: skip
    assert deal(files, count=3) != deal(files, count=3, seed=1)


def test_the_largest_group_is_dealt_first():
    files = [file(f"a{n}", group="a") for n in range(3)] + [file(name) for name in "bcd"]
    folds = deal(files, count=2)
    assert {folds[f"a{n}"] for n in range(3)} != {folds[name] for name in "bcd"}
    assert len({folds[name] for name in "bcd"}) == 1


@given(corpora(), st.integers(2, 10), st.integers(0, 3))
def test_a_group_is_never_in_two_folds(files, count, seed):
    folds = {(s.group, s.fold) for s in written(with_folds(files, FoldsConfig(count=count, seed=seed)))}
    assert len(folds) == len({group for group, _ in folds})


@given(corpora(), st.randoms(use_true_random=False))
def test_order_does_not_matter(files, rng):
    shuffled = rng.sample(files, len(files))
    assert deal(files, count=4) == deal(shuffled, count=4)


@given(st.integers(2, 10), st.integers(2, 200), st.integers(0, 5))
def test_songs_of_their_own_are_dealt_evenly_by_genre(count, files, seed):
    folds = with_folds([file(f"{n}", GENRES[n % 2]) for n in range(2 * files)], FoldsConfig(count=count, seed=seed))
    for genre in GENRES[:2]:
        sizes = Counter(s.fold for s in folds if s.genre == genre)
        assert max(sizes.values()) - min(sizes[f"fold-{n:02d}"] for n in range(count)) <= 1


@given(st.lists(st.integers(1, 9), min_size=10, max_size=60), st.integers(2, 6))
def test_groups_of_a_genre_are_dealt_to_within_the_largest_group(sizes, count):
    files = [file(f"{group}.{n}", group=f"{group}") for group, size in enumerate(sizes) for n in range(size)]
    held = Counter(s.fold for s in with_folds(files, FoldsConfig(count=count)))
    assert max(held.values()) - min(held[f"fold-{n:02d}"] for n in range(count)) <= max(sizes)


@given(corpora())
def test_own_folds_win_and_every_song_is_accounted_for(files):
    dealt = with_folds(files, FoldsConfig())
    assert [s.path for s in dealt] == [s.path for s in files]
    own = {s.fold for s in files if s.fold}
    for before, after in zip(files, dealt, strict=True):
        if after.status == "written" and before.fold:
            assert after.fold == before.fold
        elif after.status == "rejected":
            assert after.reason in ("lone_genre", "crosses_folds")
            assert after.reason == "lone_genre" or before.fold
        elif own:
            assert after.fold  # one of the corpus's, unless all of these were of lone genres


def test_songs_without_a_fold_go_to_the_folds_of_the_others():
    files = [file("a", fold="train"), file("b", fold="test"), *(file(f"{n}") for n in range(6))]
    folds = deal(files)
    assert (folds["a"], folds["b"]) == ("train", "test")
    assert Counter(folds.values()) == {"train": 4, "test": 4}


@pytest.mark.parametrize(
    ("folds", "kept"),
    [
        (("train", "validation", "test"), "test"),
        (("train", "validation"), "validation"),
        (("fold-03", "fold-00"), "fold-00"),
        (("fold-02", "fold-10"), "fold-02"),
    ],
)
def test_the_protected_side_keeps_a_group_that_crosses(folds, kept):
    files = [file(fold, group="g", fold=fold) for fold in folds] + [
        file("other", fold=folds[0]),
        file("tied", group="g"),
    ]
    assert deal(files) == {fold: kept if fold == kept else "crosses_folds" for fold in folds} | {
        "other": folds[0], "tied": kept,
    }  # fmt: skip


def test_a_withdrawn_song_says_why():
    files = [file("a", group="g", fold="train"), file("b", group="g", fold="test"), file("c", fold="train")]
    withdrawn = with_folds(files, FoldsConfig())[0]
    assert withdrawn.error == "the corpus says train; its group 'g' is in test too, which keeps it"
    assert (withdrawn.fold, withdrawn.shard) == ("", "")


def test_folds_of_the_corpus_may_count_from_one():
    files = [file(f"{n}", fold=f"fold-{n:02d}") for n in range(1, 11)]
    assert deal(files) == {s.path: s.fold for s in files}


def test_a_genre_with_one_group_is_rejected():
    files = [file("a"), file("b"), file("c", "jazz"), file("d", "metal", "g"), file("e", "metal", "g")]
    reasons = deal(files, count=2)
    assert [reasons[name] for name in "cde"] == ["lone_genre"] * 3
    assert {reasons["a"], reasons["b"]} == {"fold-00", "fold-01"}


def test_rejected_songs_pass_and_do_not_count():
    files = [file("a"), file("b").rejected(SILENT, "why")]
    assert deal(files) == {"a": "lone_genre", "b": "silent"}
    assert with_folds(files, FoldsConfig())[1] == files[1]


def test_folds_are_even_over_all_genres():
    files = [file(f"{n}", GENRES[n % 3 and n % 2]) for n in range(50)]
    assert Counter(deal(files).values()) == Counter({f"fold-{n:02d}": 5 for n in range(10)})


def test_splits_are_sets_of_folds():
    folds = ["fold-00", "fold-01", "fold-02", "fold-03"]
    splits = split_of_folds(FoldsConfig(test=(0, 3), validation=(2,)), folds)
    assert splits == {"fold-00": "test", "fold-01": "train", "fold-02": "validation", "fold-03": "test"}


def test_the_corpus_s_own_splits_need_no_configuration():
    assert split_of_folds(FoldsConfig(test=(7,)), ["test", "train"]) == {"test": "test", "train": "train"}


def test_a_split_of_folds_that_are_not_there_is_refused():
    with pytest.raises(UsageError, match=r"folds\.test names fold 0; there are fold-01, fold-02"):
        split_of_folds(FoldsConfig(), ["fold-01", "fold-02"])
