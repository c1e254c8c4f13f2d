"""What copies tie where many songs share an ident, from version to version."""

import pytest

from pipelines.common.errors import UsageError
from pipelines.config import BuildConfig, FoldsConfig
from pipelines.dataset.ledger import Copy, File
from pipelines.split import history
from pipelines.split.assign import assign
from pipelines.split.idents import judge_copies, sentences

SONGS = 12


def songs(count=SONGS, **facts):
    return [
        File(f"{n:02d}.wav", "", "gh"[n % 2], content_hash=f"c{n:02d}", duration_s=30.0, **facts) for n in range(count)
    ]


def idents(count=SONGS, duration_s=7.0):
    return [Copy(f"c{n:02d}", f"c{n + 1:02d}", 0.0, 0.0, duration_s, 1.0, 0.01, True) for n in range(count - 1)]


def config(**folds):
    return BuildConfig.model_validate({"folds": {"count": 4, **folds}})


def groups(rows):
    return {row.group for row in rows}


def test_by_default_whoever_shares_an_ident_stays_together():
    rows = assign(songs(), [], idents(), config())
    assert len(groups(rows)) == 1
    assert {row.reason for row in rows} == {"lone_genre"}


def test_an_ident_that_is_allowed_ties_nothing_and_a_copy_does():
    copy = Copy("c03", "c08", 12.0, 20.0, 9.0, 1.0, 0.02)
    assert len(groups(assign(songs(), [], idents(), config(shared_stretch_s=7.5)))) == SONGS
    rows = assign(songs(), [], [*idents(), copy], config(shared_stretch_s=7.5))
    assert len(groups(rows)) == SONGS - 1
    assert rows[3].group == rows[8].group


def test_a_longer_one_and_one_of_few_songs_tie():
    assert len(groups(assign(songs(), [], idents(duration_s=9.0), config(shared_stretch_s=7.5)))) == 1
    assert len(groups(assign(songs(4), [], idents(4), config(shared_stretch_s=7.5)))) == 1


def test_songs_of_one_artist_make_no_ident():
    assert len(groups(assign(songs(artist="Ann"), [], idents(), config(shared_stretch_s=7.5)))) == 1
    one_artist = [File("guest.wav", "", "g", content_hash="c12"), *songs(artist="Ann")]
    assert len(groups(assign(one_artist, [], idents(13), config(shared_stretch_s=7.5)))) == 1


def test_a_shared_stretch_is_told_with_the_way_out():
    (line,) = sentences(judge_copies(songs(), idents(), FoldsConfig()), songs())
    assert line.startswith("12 files share a stretch of 7.0 s (0.0-7.0 s of 00.wav, ")
    assert "folds.shared_stretch_s=7 lets it pass" in line
    (line,) = sentences(judge_copies(songs(), idents(), FoldsConfig(shared_stretch_s=7)), songs())
    assert line.endswith("which folds.shared_stretch_s lets pass")


def test_within_a_lineage_no_more_may_pass():
    history.refuse_less_protection(FoldsConfig(shared_stretch_s=8), FoldsConfig(shared_stretch_s=7), [])
    with pytest.raises(UsageError, match=r"^folds.shared_stretch_s was 7, now it is 8, .*; keep 7"):
        history.refuse_less_protection(FoldsConfig(shared_stretch_s=7), FoldsConfig(shared_stretch_s=8), [])


def test_what_a_stricter_configuration_ties_comes_together_or_is_withdrawn():
    lax, strict = config(shared_stretch_s=8), config(shared_stretch_s=5)
    without = [File(f"{n:02d}.wav", "", "gh"[n % 2], content_hash=f"c{n}") for n in range(50, 60)]
    before = assign(songs() + without, [], idents(), lax)
    assert len({row.fold for row in before[:SONGS]}) == 4
    rows = assign(songs() + without, before, idents(), strict, lax.folds)
    assert {row.fold for row in rows[:SONGS] if row.fold} == {"fold-00"}
    assert {row.reason for row in rows[:SONGS] if not row.fold} == {"withdrawn"}
    assert [row.fold for row in rows[SONGS:]] == [row.fold for row in before[SONGS:]]


def test_songs_that_have_left_still_show_that_an_ident_is_one():
    allowed = config(shared_stretch_s=8)
    before = assign(songs(), [], idents(), allowed)
    rows = assign(songs(4), before, idents(), allowed, allowed.folds)
    assert len(groups(rows)) == 4
    assert [row.fold for row in rows] == [row.fold for row in before[:4]]
