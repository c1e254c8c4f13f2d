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


def song(name, genre="blues", group="", fold=""):
    return File(name, "", genre, group=group or name, fold=fold)


def deal(songs, **config):
    return {s.path: s.fold if s.status == "written" else s.reason for s in with_folds(songs, FoldsConfig(**config))}


@st.composite
def corpora(draw):
    """Songs of a few genres; a group may hold several songs, also of several genres, and here and there a fold."""
    folds = draw(st.sampled_from([[""], ["", "fold-00", "fold-05", "fold-07"], ["", "train", "validation", "test"]]))
    rows = draw(st.lists(st.tuples(st.sampled_from(GENRES), st.integers(0, 30), st.sampled_from(folds)), max_size=60))
    return [song(f"{i}", genre, f"group {group}", fold) for i, (genre, group, fold) in enumerate(rows)]


def test_the_deal_of_a_small_corpus():
    songs = [song(f"{genre}{number}", genre) for genre in ("blues", "jazz") for number in range(4)]
    assert deal(songs, count=3) == {
        "blues0": "fold-02", "blues1": "fold-01", "blues2": "fold-00", "blues3": "fold-00",
        "jazz0": "fold-01", "jazz1": "fold-02", "jazz2": "fold-01", "jazz3": "fold-00",
    }  # fmt: skip
    assert deal(songs, count=3) != deal(songs, count=3, seed=1)


def test_the_largest_group_is_dealt_first():
    songs = [song(f"a{n}", group="a") for n in range(3)] + [song(name) for name in "bcd"]
    folds = deal(songs, count=2)
    assert {folds[f"a{n}"] for n in range(3)} != {folds[name] for name in "bcd"}
    assert len({folds[name] for name in "bcd"}) == 1


@given(corpora(), st.integers(2, 10), st.integers(0, 3))
def test_a_group_is_never_in_two_folds(songs, count, seed):
    folds = {(s.group, s.fold) for s in written(with_folds(songs, FoldsConfig(count=count, seed=seed)))}
    assert len(folds) == len({group for group, _ in folds})


@given(corpora(), st.randoms(use_true_random=False))
def test_order_does_not_matter(songs, rng):
    shuffled = rng.sample(songs, len(songs))
    assert deal(songs, count=4) == deal(shuffled, count=4)


@given(st.integers(2, 10), st.integers(2, 200), st.integers(0, 5))
def test_songs_of_their_own_are_dealt_evenly_by_genre(count, songs, seed):
    folds = with_folds([song(f"{n}", GENRES[n % 2]) for n in range(2 * songs)], FoldsConfig(count=count, seed=seed))
    for genre in GENRES[:2]:
        sizes = Counter(s.fold for s in folds if s.genre == genre)
        assert max(sizes.values()) - min(sizes[f"fold-{n:02d}"] for n in range(count)) <= 1


@given(st.lists(st.integers(1, 9), min_size=10, max_size=60), st.integers(2, 6))
def test_groups_of_a_genre_are_dealt_to_within_the_largest_group(sizes, count):
    songs = [song(f"{group}.{n}", group=f"{group}") for group, size in enumerate(sizes) for n in range(size)]
    held = Counter(s.fold for s in with_folds(songs, FoldsConfig(count=count)))
    assert max(held.values()) - min(held[f"fold-{n:02d}"] for n in range(count)) <= max(sizes)


@given(corpora())
def test_own_folds_win_and_every_song_is_accounted_for(songs):
    dealt = with_folds(songs, FoldsConfig())
    assert [s.path for s in dealt] == [s.path for s in songs]
    own = {s.fold for s in songs if s.fold}
    for before, after in zip(songs, dealt, strict=True):
        if after.status == "written" and before.fold:
            assert after.fold == before.fold
        elif after.status == "rejected":
            assert after.reason in ("lone_genre", "crosses_folds")
            assert after.reason == "lone_genre" or before.fold
        elif own:
            assert after.fold  # one of the corpus's, unless all of these were of lone genres


def test_songs_without_a_fold_go_to_the_folds_of_the_others():
    songs = [song("a", fold="train"), song("b", fold="test"), *(song(f"{n}") for n in range(6))]
    folds = deal(songs)
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
    songs = [song(fold, group="g", fold=fold) for fold in folds] + [
        song("other", fold=folds[0]),
        song("tied", group="g"),
    ]
    assert deal(songs) == {fold: kept if fold == kept else "crosses_folds" for fold in folds} | {
        "other": folds[0], "tied": kept,
    }  # fmt: skip


def test_a_withdrawn_song_says_why():
    songs = [song("a", group="g", fold="train"), song("b", group="g", fold="test"), song("c", fold="train")]
    withdrawn = with_folds(songs, FoldsConfig())[0]
    assert withdrawn.error == "the corpus says train; its group 'g' is in test too, which keeps it"
    assert (withdrawn.fold, withdrawn.shard) == ("", "")


def test_folds_of_the_corpus_may_count_from_one():
    songs = [song(f"{n}", fold=f"fold-{n:02d}") for n in range(1, 11)]
    assert deal(songs) == {s.path: s.fold for s in songs}


def test_a_genre_with_one_group_is_rejected():
    songs = [song("a"), song("b"), song("c", "jazz"), song("d", "metal", "g"), song("e", "metal", "g")]
    reasons = deal(songs, count=2)
    assert [reasons[name] for name in "cde"] == ["lone_genre"] * 3
    assert {reasons["a"], reasons["b"]} == {"fold-00", "fold-01"}


def test_rejected_songs_pass_and_do_not_count():
    songs = [song("a"), song("b").rejected(SILENT, "why")]
    assert deal(songs) == {"a": "lone_genre", "b": "silent"}
    assert with_folds(songs, FoldsConfig())[1] == songs[1]


def test_folds_are_even_over_all_genres():
    songs = [song(f"{n}", GENRES[n % 3 and n % 2]) for n in range(50)]
    assert Counter(deal(songs).values()) == Counter({f"fold-{n:02d}": 5 for n in range(10)})


def test_splits_are_sets_of_folds():
    folds = ["fold-00", "fold-01", "fold-02", "fold-03"]
    splits = split_of_folds(FoldsConfig(test=(0, 3), validation=(2,)), folds)
    assert splits == {"fold-00": "test", "fold-01": "train", "fold-02": "validation", "fold-03": "test"}


def test_the_corpus_s_own_splits_need_no_configuration():
    assert split_of_folds(FoldsConfig(test=(7,)), ["test", "train"]) == {"test": "test", "train": "train"}


def test_a_split_of_folds_that_are_not_there_is_refused():
    with pytest.raises(UsageError, match=r"folds\.test names fold 0; there are fold-01, fold-02"):
        split_of_folds(FoldsConfig(), ["fold-01", "fold-02"])
