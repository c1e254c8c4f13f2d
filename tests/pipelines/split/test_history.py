"""Sequences of builds: whatever appears, disappears, is renamed, re-tagged or copied, nothing leaves its split."""

import itertools
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.build.build import build
from pipelines.build.plan import assign
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import SPLITS, BuildConfig
from pipelines.dataset import ledger
from pipelines.dataset.ledger import Copy, File
from pipelines.dataset.splits import split_of
from pipelines.split import history
from tests.audio_files import write_songs
from tests.pipelines.conftest import config_of, in_process

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
        earlier = [row for row in rows if row.fold] + history.forgotten(earlier, rows)


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
    from pipelines.split.groups import with_groups

    known = history.without_outdated_fields(earlier, rows)
    return with_groups([*(replace(row, group="") for row in rows), *known], "artist", COPIES)[len(rows) :]


def outcome(*corpora, config=CONFIG):
    """What became of each file of the last corpus: its fold, or why it is in none."""
    rows, _ = list(builds(corpora, config))[-1]
    return {row.path: row.fold or row.reason for row in rows}


BEFORE = [file(n, 2 * n, fold=fold) for n, fold in enumerate(["train", "test", "train", "validation", "train", "test"])]


def now(files):
    """The same files, of which the corpus says no fold any more."""
    return [replace(file, fold="") for file in files]


def test_folds_stay_when_the_corpus_shrinks_and_grows():
    first = [file(n, n * 2) for n in range(8)]
    folds = outcome(first)
    assert outcome(first, first[:5]) == {path: folds[path] for path in ("p0", "p1", "p2", "p3", "p4")}
    assert outcome(first, first[:2], first) == folds


def test_a_renamed_and_a_re_encoded_file_stay_where_they_were():
    assert outcome(BEFORE, [file("new", 2), file("re-encoded", 3), *now(BEFORE[2:])])["pnew"] == "test"
    assert outcome(BEFORE, [file("re-encoded", 3), *now(BEFORE[2:])])["pre-encoded"] == "test"


def test_a_file_that_was_gone_for_a_build_comes_back_to_its_fold():
    assert outcome(BEFORE, now(BEFORE[2:]), [file("again", 3), *now(BEFORE[2:])])["pagain"] == "test"


def test_an_artist_s_new_song_joins_the_fold_of_the_old_ones():
    before = [replace(BEFORE[0], artist="Ann"), *BEFORE[1:]]
    assert outcome(before, [*now(before), file("new", 14, artist="ann")])["pnew"] == "train"
    assert outcome(before, [*now(before[1:]), file("new", 14, artist="ann")])["pnew"] == "train"


def test_a_file_that_ties_train_to_test_goes_to_test_and_the_train_song_is_withdrawn():
    before = [replace(BEFORE[0], artist="Ann"), *BEFORE[1:]]
    tie = file("tie", 3, artist="Ann")
    rows, _ = list(builds([before, [*now(before), tie]]))[-1]
    found = {row.path: row for row in rows}
    assert (found["ptie"].fold, found["p1"].fold) == ("test", "test")
    assert (found["p0"].status, found["p0"].reason, found["p0"].fold) == ("rejected", "withdrawn", "")
    assert found["p0"].error.startswith("an earlier build had it in train; its group 'artist:ann' is in test now")
    # Once it is gone, the tie is remembered.
    assert outcome(before, [*now(before), tie], now(before))["p0"] == "withdrawn"


def test_a_copy_of_a_withdrawn_song_is_withdrawn_too():
    before = [replace(BEFORE[0], artist="Ann"), *BEFORE[1:]]
    assert outcome(before, [*now(before), file("tie", 3, artist="Ann"), file("copy", 1)])["pcopy"] == "withdrawn"


def test_validation_wins_over_train_and_test_over_validation():
    tie = file("tie", 14, song="one")
    train, test, validation = (replace(BEFORE[n], song="one") for n in (0, 1, 3))
    assert outcome(BEFORE, [train, validation, tie, *now(BEFORE[4:])])["ptie"] == "validation"
    assert outcome(BEFORE, [test, validation, tie, *now(BEFORE[4:])])["ptie"] == "test"


def test_a_corpus_that_moves_a_song_out_of_test_is_not_followed():
    assert outcome(BEFORE, [replace(BEFORE[1], fold="train"), *BEFORE[2:]])["p1"] == "crosses_folds"
    assert outcome(BEFORE, [replace(BEFORE[0], fold="test"), *BEFORE[1:]])["p0"] == "withdrawn"


def test_a_song_that_is_re_tagged_leaves_its_old_artist_in_peace():
    before = [replace(BEFORE[0], artist="Ann"), replace(BEFORE[2], artist="Ann"), replace(BEFORE[1], artist="Bob")]
    re_tagged = now([replace(before[0], artist="Bob"), before[1], before[2]])
    assert outcome(before, re_tagged) == {"p0": "withdrawn", "p2": "train", "p1": "test"}


@pytest.fixture
def first(songs_folder, tmp_path):
    return build(config_of(songs_folder), str(tmp_path / "first"), in_process()).dataset


def test_a_build_goes_on_from_an_earlier_dataset(first, tmp_path):
    songs = write_songs(tmp_path / "songs", songs=7)
    (songs / "jazz" / "jazz.00000.wav").rename(songs / "jazz" / "renamed.wav")
    gone = (songs / "blues" / "blues.00001.wav").rename(tmp_path / "gone.wav")
    config = config_of(songs, build={"previous": first.url})
    second = build(config, str(tmp_path / "second"), in_process()).dataset
    folds = {file.path: file.fold for file in first.ledger()}
    later = {file.path: file.fold for file in second.ledger()}
    assert later.pop("jazz/renamed.wav") == folds["jazz/jazz.00000.wav"]
    assert {path: fold for path, fold in later.items() if path in folds} == {
        path: fold for path, fold in folds.items() if path in later
    }
    assert [file.path for file in ledger.read(f"{second.url}/{history.HISTORY_NAME}")] == ["blues/blues.00001.wav"]
    gone.rename(songs / "blues" / "back.wav")
    third = build(config_of(songs, build={"previous": second.url}), str(tmp_path / "third"), in_process()).dataset
    assert {s.path: s.fold for s in third.ledger()}["blues/back.wav"] == folds["blues/blues.00001.wav"]
    assert not (tmp_path / "third" / history.HISTORY_NAME).exists()


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ({"count": 5}, r"its folds\.count is 4, now it is 5; keep it"),
        ({"test": (3,)}, r"fold-00 was in test and would be in train, which protects less; set folds\.test"),
        ({"validation": (2,)}, "fold-01 was in validation and would be in train"),
    ],
)
def test_folds_that_protect_less_are_refused(first, folds, message):
    with pytest.raises(UsageError, match=message):
        history.earlier_files(first.url, config_of("", folds=folds))


def test_another_longest_duration_would_change_the_hashes(first):
    with pytest.raises(UsageError, match=r"its audio\.max_duration_s is 600, now it is 60; keep it"):
        history.earlier_files(first.url, config_of("", audio={"max_duration_s": 60.0}))


def test_validation_may_become_test(first):
    assert history.earlier_files(first.url, config_of("", folds={"test": (0, 1), "validation": (2,)}))


def test_what_is_no_dataset_is_no_earlier_build(tmp_path):
    with pytest.raises(UsageError, match="no dataset there"):
        history.earlier_files(str(tmp_path), CONFIG)


def test_files_that_are_renumbered_tie_nothing():
    first = [file(n, 2 * n) for n in range(8)]
    folds = outcome(first)
    shifted = [file(n + 1, 2 * n) for n in range(8)]
    assert outcome(first, shifted) == {f"p{n + 1}": folds[f"p{n}"] for n in range(8)}
    assert outcome(first, [file(0, 1), *shifted]) == {"p0": folds["p0"]} | outcome(first, shifted)


def test_a_dataset_that_is_there_is_not_up_to_date_where_it_remembers_less(first, songs_folder, tmp_path):
    fewer = write_songs(tmp_path / "songs")
    (fewer / "blues" / "blues.00001.wav").unlink()
    second = str(tmp_path / "second")
    build(config_of(fewer), second, in_process())
    with pytest.raises(UsageError, match="was built from another --previous"):
        build(config_of(fewer, build={"previous": first.url}), second, in_process())


def test_a_lost_history_is_missed(first, tmp_path):
    fewer = write_songs(tmp_path / "songs")
    (fewer / "blues" / "blues.00001.wav").unlink()
    config = config_of(fewer, build={"previous": first.url})
    second = build(config, str(tmp_path / "second"), in_process()).dataset
    assert len(history.earlier_files(second.url, config)) == 18
    (tmp_path / "second" / history.HISTORY_NAME).unlink()
    with pytest.raises(SpectroshardError, match=r"history\.parquet is missing or of another build"):
        history.earlier_files(second.url, config)


def test_dropped_copies_weigh_nothing_in_the_deal():
    drop = BuildConfig.model_validate({"folds": {"count": 4, "copies": "drop"}})
    same = [file(f"copy {n}", 0) for n in range(10)]
    rows = assign([*same, *(file(n, n) for n in range(2, 16, 2))], [], COPIES, drop)
    assert Counter(row.fold for row in ledger.written(rows)) == {f"fold-{n:02d}": 2 for n in range(4)}
    assert len({row.fold for row in rows if row.content_hash == "c0"}) == 1
    lone = assign([replace(file(1, 0), genre="lone"), replace(file(2, 2), genre="lone"), *same], [], COPIES, drop)
    assert {row.reason for row in lone if row.genre == "lone" and row.status == "rejected"} <= {"lone_genre"}
