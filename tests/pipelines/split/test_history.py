"""Sequences of builds: whatever appears, disappears, is renamed, re-tagged or copied, nothing leaves its split."""

import itertools
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.common.errors import UsageError
from pipelines.config import SPLITS, BuildConfig, FoldsConfig
from pipelines.dataset import ledger
from pipelines.dataset.ledger import Copy, File
from pipelines.dataset.splits import split_of
from pipelines.split import history
from pipelines.split.assign import assign
from pipelines.split.groups import with_groups

CONFIG = BuildConfig.model_validate({"folds": {"count": 4}})
CONTENTS = 16
COPIES = [Copy(f"c{n}", f"c{n + 1}", 0, 0, 20, 1, 0.02) for n in range(0, CONTENTS, 2)]
"""Contents 0 and 1 are of one recording, and so on."""


def file(path, content, song="", artist="", genre="g", fold=""):
    return File(f"p{path}", "", genre, song, artist, fold=fold, duration_s=30.0, content_hash=f"c{content}")


def corpora(folds):
    """A corpus: any content under any path, with any names."""
    names = st.sampled_from(["", "", "one", "two", "three"])
    rows = st.tuples(st.integers(0, CONTENTS - 1), names, names, st.sampled_from("gh"), st.sampled_from(folds))
    return st.dictionaries(st.integers(0, 11), rows, max_size=12).map(
        lambda files: [file(path, *row) for path, row in sorted(files.items())]
    )


def builds(corpora, config=CONFIG):
    """Builds one corpus after the other; gives each one's ledger, and what it knew of those before."""
    earlier = []
    for files in corpora:
        rows = assign(files, earlier, COPIES, config)
        yield rows, earlier
        earlier = [row for row in rows if row.fold] + history.forgotten(earlier, rows, config.folds, config.folds)


def recording(file):
    return int(file.content_hash[1:]) // 2


def split(file):
    return split_of(file.fold, CONFIG.folds)


own_folds = st.sampled_from([("",), ("", *SPLITS)])
sequences = own_folds.flatmap(lambda folds: st.lists(corpora(folds), min_size=2, max_size=6))


@settings(max_examples=200)
@given(sequences)
def test_nothing_that_was_ever_protected_is_less_so_later(corpora):
    protection = defaultdict(int)
    for rows, _ in builds(corpora):
        for file in ledger.written(rows):
            assert SPLITS.index(split(file)) >= protection[recording(file)], file
        for file in ledger.written(rows):
            protection[recording(file)] = max(protection[recording(file)], SPLITS.index(split(file)))


@settings(max_examples=200)
@given(sequences)
def test_content_keeps_its_fold_for_ever(corpora):
    folds = {}
    for rows, _ in builds(corpora):
        for file in ledger.written(rows):
            assert folds.setdefault(file.content_hash, file.fold) == file.fold


@settings(max_examples=200)
@given(sequences)
def test_in_each_build_what_belongs_together_is_together(corpora):
    for rows, _ in builds(corpora):
        written = ledger.written(rows)
        for own in (recording, lambda file: file.group):
            folds = defaultdict(set)
            for file in written:
                folds[own(file)].add(file.fold)
            assert all(len(some) == 1 for some in folds.values())
        for file, other in itertools.combinations(written, 2):
            for name in ("song", "artist", "content_hash"):
                assert not getattr(file, name) or getattr(file, name) != getattr(other, name) or file.fold == other.fold


@settings(max_examples=200)
@given(st.lists(corpora(("",)), min_size=1, max_size=6))
def test_a_fold_that_is_dealt_a_group_is_not_fuller_than_another_and_that_group(corpora):
    for rows, earlier in builds(corpora):
        known = {file.group for file in assign_groups(rows, earlier)}
        groups = defaultdict(list)
        for file in ledger.written(rows):
            groups[file.group].append(file)
        held = Counter((file.fold, file.genre) for file in ledger.written(rows))
        is_plain = all(len({file.genre for file in files}) == 1 for files in groups.values())
        for group, files in groups.items() if is_plain else ():
            if group not in known:
                fold, genre = files[0].fold, files[0].genre
                least = min(held[f"fold-{n:02d}", genre] for n in range(4))
                largest = max(len(some) for name, some in groups.items() if name not in known)
                assert held[fold, genre] <= least + largest


def assign_groups(rows, earlier):
    """Earlier rows with the groups that they have among a build's."""
    known = history.without_outdated_fields(earlier, rows)
    return with_groups([*(replace(row, group="") for row in rows), *known], "artist", COPIES)[len(rows) :]


def outcome(*corpora, config=CONFIG):
    """What became of each file of the last corpus: its fold, or why it is in none."""
    rows, _ = list(builds(corpora, config))[-1]
    return {row.path: row.fold or row.reason for row in rows}


BEFORE = [file(n, 2 * n, fold=fold) for n, fold in enumerate(["train", "test", "train", "validation", "train", "test"])]


def now_of(files):
    """The same files, of which the corpus says no fold any more."""
    return [replace(file, fold="") for file in files]


def test_folds_stay_when_the_corpus_shrinks_and_grows():
    first = [file(n, n * 2) for n in range(8)]
    folds = outcome(first)
    assert outcome(first, first[:5]) == {path: folds[path] for path in ("p0", "p1", "p2", "p3", "p4")}
    assert outcome(first, first[:2], first) == folds


def test_a_renamed_and_a_re_encoded_file_stay_where_they_were():
    assert outcome(BEFORE, [file("new", 2), file("re-encoded", 3), *now_of(BEFORE[2:])])["pnew"] == "test"
    assert outcome(BEFORE, [file("re-encoded", 3), *now_of(BEFORE[2:])])["pre-encoded"] == "test"


def test_a_file_that_was_gone_for_a_build_comes_back_to_its_fold():
    assert outcome(BEFORE, now_of(BEFORE[2:]), [file("again", 3), *now_of(BEFORE[2:])])["pagain"] == "test"


def test_an_artist_s_new_song_joins_the_fold_of_the_old_ones():
    before = [replace(BEFORE[0], artist="Ann"), *BEFORE[1:]]
    assert outcome(before, [*now_of(before), file("new", 14, artist="ann")])["pnew"] == "train"
    assert outcome(before, [*now_of(before[1:]), file("new", 14, artist="ann")])["pnew"] == "train"


def test_a_file_that_ties_train_to_test_goes_to_test_and_the_train_song_is_withdrawn():
    before = [replace(BEFORE[0], artist="Ann"), *BEFORE[1:]]
    tie = file("tie", 3, artist="Ann")
    rows, _ = list(builds([before, [*now_of(before), tie]]))[-1]
    found = {row.path: row for row in rows}
    assert (found["ptie"].fold, found["p1"].fold) == ("test", "test")
    assert (found["p0"].status, found["p0"].reason, found["p0"].fold) == ("rejected", "withdrawn", "")
    assert found["p0"].error.startswith("an earlier build had it in train; its group 'artist:ann' is in test now")
    # Once it is gone, the tie is remembered.
    assert outcome(before, [*now_of(before), tie], now_of(before))["p0"] == "withdrawn"


def test_a_copy_of_a_withdrawn_song_is_withdrawn_too():
    before = [replace(BEFORE[0], artist="Ann"), *BEFORE[1:]]
    assert outcome(before, [*now_of(before), file("tie", 3, artist="Ann"), file("copy", 1)])["pcopy"] == "withdrawn"


def test_validation_wins_over_train_and_test_over_validation():
    tie = file("tie", 14, song="one")
    train, test, validation = (replace(BEFORE[n], song="one") for n in (0, 1, 3))
    assert outcome(BEFORE, [train, validation, tie, *now_of(BEFORE[4:])])["ptie"] == "validation"
    assert outcome(BEFORE, [test, validation, tie, *now_of(BEFORE[4:])])["ptie"] == "test"


def test_a_corpus_that_moves_a_song_out_of_test_is_not_followed():
    assert outcome(BEFORE, [replace(BEFORE[1], fold="train"), *BEFORE[2:]])["p1"] == "crosses_folds"
    assert outcome(BEFORE, [replace(BEFORE[0], fold="test"), *BEFORE[1:]])["p0"] == "withdrawn"


def test_a_song_that_is_re_tagged_leaves_its_old_artist_in_peace():
    before = [replace(BEFORE[0], artist="Ann"), replace(BEFORE[2], artist="Ann"), replace(BEFORE[1], artist="Bob")]
    re_tagged = now_of([replace(before[0], artist="Bob"), before[1], before[2]])
    assert outcome(before, re_tagged) == {"p0": "withdrawn", "p2": "train", "p1": "test"}


def test_files_that_are_renumbered_tie_nothing():
    first = [file(n, 2 * n) for n in range(8)]
    folds = outcome(first)
    shifted = [file(n + 1, 2 * n) for n in range(8)]
    assert outcome(first, shifted) == {f"p{n + 1}": folds[f"p{n}"] for n in range(8)}
    assert outcome(first, [file(0, 1), *shifted]) == {"p0": folds["p0"]} | outcome(first, shifted)


def test_dropped_copies_weigh_nothing_in_the_deal():
    drop = BuildConfig.model_validate({"folds": {"count": 4, "copies": "drop"}})
    same = [file(f"copy {n}", 0) for n in range(10)]
    rows = assign([*same, *(file(n, n) for n in range(2, 16, 2))], [], COPIES, drop)
    assert Counter(row.fold for row in ledger.written(rows)) == {f"fold-{n:02d}": 2 for n in range(4)}
    assert len({row.fold for row in rows if row.content_hash == "c0"}) == 1
    lone = assign([replace(file(1, 0), genre="lone"), replace(file(2, 2), genre="lone"), *same], [], COPIES, drop)
    assert {row.reason for row in lone if row.genre == "lone" and row.status == "rejected"} <= {"lone_genre"}


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (
            {"count": 4, "test": (3,)},
            "^fold-00 was in test and would be in train, which protects less; set folds",
        ),
        ({"count": 4, "validation": (2,)}, "^fold-01 was in validation and would be in train"),
        ({"count": 4, "test": (7,)}, "^fold-00 was in test and would be in train"),
        ({"count": 6, "test": (6,)}, "^fold-00 was in test, which none of 6 folds would be; let one be test"),
        ({"count": 2}, "^fold-02 was in train, which none of 2 folds would be; let one be train"),
        ({"count": 4, "group_by": "song"}, "^folds.group_by was artist, now it is song, .*; keep artist"),
    ],
)
def test_what_protects_less_is_refused(now, message):
    folds = ["fold-00", "fold-01", "fold-02"]
    with pytest.raises(UsageError, match=message):
        history.refuse_less_protection(CONFIG.folds, FoldsConfig(**now), folds)
    earlier = [replace(file(n, 2 * n), fold=fold) for n, fold in enumerate(folds)]
    with pytest.raises(UsageError, match=message):
        assign(now_of(earlier), earlier, [], BuildConfig(folds=FoldsConfig(**now)), CONFIG.folds)


@pytest.mark.parametrize(
    ("now", "folds"),
    [
        ({"count": 4, "test": (0, 1), "validation": (2,)}, ["fold-00", "fold-01", "fold-02"]),
        ({"count": 9, "test": (8,), "validation": (7,)}, ["fold-00", "fold-01", "fold-02", "test"]),
        ({"count": 9, "test": ()}, ["train", "validation", "test"]),
    ],
)
def test_what_protects_as_much_is_not(now, folds):
    history.refuse_less_protection(CONFIG.folds, FoldsConfig(**now), folds)


def test_fewer_folds_keep_what_they_have_and_share_the_rest_equally():
    fewer = FoldsConfig(count=5, test=(0, 4))
    before = [replace(file(n, 2 * n, genre="gh"[n // 10 % 2]), fold=f"fold-{n % 10:02d}") for n in range(120)]
    rows = assign(now_of(before), before, [], BuildConfig(folds=fewer), FoldsConfig())
    kept = {f"fold-{n:02d}" for n in range(4)}  # the last of the five was in train
    assert all(row.fold == then.fold for row, then in zip(rows, before, strict=True) if then.fold in kept)
    assert Counter((row.fold, row.genre) for row in rows) == Counter(
        {(f"fold-{n:02d}", genre): files for genre in "gh" for n, files in enumerate((6, 6, 24, 24))}
    )


def test_more_folds_deal_each_split_anew_to_its_own_folds():
    more = FoldsConfig(count=9, test=(8, 7), validation=(6,))
    before = [replace(file(n, 2 * n), fold=f"fold-{n % 4:02d}") for n in range(48)]
    files = [*now_of(before), *(file(100 + n, 200 + 2 * n) for n in range(24))]
    rows = assign(files, before, [], BuildConfig(folds=more), CONFIG.folds)
    split_then = {row.path: split_of(row.fold, CONFIG.folds) for row in before}
    assert all(split_of(row.fold, more) == split_then.get(row.path, split_of(row.fold, more)) for row in rows)
    sizes = Counter(row.fold for row in rows)
    assert sizes.pop("fold-06") == 12 and set(sizes.values()) == {7, 8}  # the only fold of validation had no choice


def test_what_comes_back_after_another_count_goes_to_a_fold_of_its_split():
    more, songs = FoldsConfig(count=9, test=(8,), validation=(7,)), [file(n, 2 * n) for n in range(24)]
    first = assign(songs, [], [], CONFIG)
    second = assign(songs[12:], first, [], BuildConfig(folds=more), CONFIG.folds)
    remembered = history.forgotten(first, second, CONFIG.folds, more)
    splits = {row.path: split_of(row.fold, CONFIG.folds) for row in first}
    assert {row.path: row.fold for row in remembered} == {song.path: splits[song.path] for song in songs[:12]}
    third = assign(songs, [*second, *remembered], [], BuildConfig(folds=more), more)
    assert {row.path: split_of(row.fold, more) for row in third} == splits
    assert [row.fold for row in third[12:]] == [row.fold for row in second]
    assert {row.fold for row in third} <= {f"fold-{n:02d}" for n in range(9)}


def test_groups_that_a_stricter_group_by_joins_move_inside_their_split():
    by_song = BuildConfig.model_validate({"folds": {"count": 4, "group_by": "song"}})
    folds = {"Ann": ("fold-02", "fold-03"), "Bob": ("fold-00", "fold-03"), "Che": ("fold-01", "fold-01")}
    earlier = [
        replace(file(f"{artist}{n}", f"{artist}{n}", artist=artist), fold=fold)
        for artist, some in folds.items()
        for n, fold in enumerate(some)
    ]
    rows = assign(now_of(earlier), earlier, [], CONFIG, by_song.folds)
    assert [row.fold or row.reason for row in rows] == [
        "fold-02", "fold-02", "fold-00", "withdrawn", "fold-01", "fold-01",
    ]  # fmt: skip


def test_a_copy_in_another_genre_is_kept_where_the_best_is_of_a_lone_genre():
    drop = BuildConfig.model_validate({"folds": {"count": 4, "copies": "drop"}})
    files = [file(0, 0, genre="lone"), file(1, 0), file(2, 2), file(3, 4)]
    rows = assign(files, [], [], drop)
    assert [(row.status, row.reason) for row in rows[:2]] == [("rejected", "lone_genre"), ("written", "")]


@pytest.mark.parametrize("copies", ["keep", "drop"])
def test_the_same_samples_and_genre_share_one_record(copies):
    config = BuildConfig.model_validate({"folds": {"count": 4, "copies": copies}})
    same = [file(0, 0), file(1, 0), file(2, 0, genre="h")]
    rows = assign([*same, *(file(n, n, genre="gh"[n % 2]) for n in range(4, 9))], [], [], config)
    assert [row.status for row in rows[:3]] == ["written", "duplicate", "written" if copies == "keep" else "duplicate"]
    assert [row.copy_of for row in rows[:3]] == ["", "p0", "p0"]
    assert rows[0].record == rows[1].record == ledger.record_id("c0", "g") != rows[2].record
    assert len({row.fold for row in rows[:3]}) == 1
