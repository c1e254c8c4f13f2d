import numpy as np
import pytest

from pipelines.copies.alignment import LEAST_SCORE, align, stretches


def music(count, seed):
    """Values that change as music's do: now and then, and a few bits at a time."""
    rng = np.random.default_rng(seed)
    changes = rng.random((count, 32)) < 0.3
    return (np.cumsum(changes, axis=0) % 2 @ (1 << np.arange(32))).astype(np.uint32)


def damaged(values, share, seed=0):
    flips = np.random.default_rng(seed).random((len(values), 32)) < share
    return values ^ (flips @ (1 << np.arange(32))).astype(np.uint32)


def hits(first, second):
    """Positions at which sixteen of the 32 bits agree."""
    return np.nonzero((first[:, None] & 0xFFFF) == (second[None, :] & 0xFFFF))


def aligned(first, second):
    return align(first, second, *hits(first, second))


def test_a_copy_is_aligned_with_itself():
    song = music(200, 1)
    found = aligned(song, song)
    assert (found.first, found.second, found.length, found.tempo, found.error_rate) == (0, 0, 200, 1.0, 0.0)


@pytest.mark.parametrize("offset", [0, 17, 120])
def test_a_crop_is_found_where_it_was_cut(offset):
    song = music(200, 2)
    crop = damaged(song[offset : offset + 62], 0.02)
    found = aligned(song, crop)
    assert (found.first - found.second, found.length) == (offset, 62)
    swapped = aligned(crop, song)
    assert (swapped.second - swapped.first, swapped.length) == (offset, 62)


def test_other_music_around_the_shared_stretch_is_no_part_of_it():
    song = music(200, 3)
    medley = np.concatenate([music(80, 4), song[50:130], music(60, 5)])
    found = aligned(song, medley)
    assert abs(found.first - 50) <= 3
    assert abs(found.second - 80) <= 3
    assert abs(found.length - 80) <= 6


def test_damage_is_told():
    song = music(200, 6)
    found = aligned(song, damaged(song, 0.12))
    assert found.error_rate == pytest.approx(0.12, abs=0.02)


@pytest.mark.parametrize("tempo", [0.92, 1.04, 1.1])
def test_another_tempo_is_found(tempo):
    song = music(220, 7)
    faster = song[np.round(np.arange(190) * tempo).astype(int)[: int(220 / tempo) - 1]]
    found = aligned(song, faster)
    assert found.tempo == tempo
    assert found.score > 2 * LEAST_SCORE


def test_unrelated_music_shares_nothing():
    assert all(aligned(music(220, seed), music(220, seed + 100)) is None for seed in range(20))


def test_silence_proves_nothing():
    silence = np.full(200, 627_964_279, np.uint32)
    assert aligned(silence, silence) is None
    assert aligned(np.concatenate([silence, music(60, 8)]), np.concatenate([silence, music(60, 9)])) is None


def test_silence_around_a_copy_does_not_hide_it():
    silence, song = np.full(60, 627_964_279, np.uint32), music(120, 10)
    found = aligned(song, np.concatenate([silence, song]))
    assert (found.first, found.second) == (0, 60)


def test_a_stretch_that_is_too_short_is_none():
    song = music(200, 11)
    assert aligned(song, np.concatenate([music(100, 12), song[50:65]])) is None


def test_nothing_in_common_is_none():
    nothing = np.zeros(0, np.int64)
    assert align(music(50, 13), music(50, 14), nothing, nothing) is None


def shared(*songs):
    first, second = map(np.concatenate, songs)
    return [(one.first, one.second) for one, _ in stretches(first, second, *hits(first, second))]


def test_beside_an_ident_the_next_best_stretch_is_looked_for():
    ident, phrase = music(40, 15), music(30, 16)
    first, second = (ident, music(100, 17), phrase, music(90, 18)), (ident, music(50, 19), phrase, music(60, 20))
    assert shared(first, second) == [(0, 0), (140, 90)]
    assert shared(first[::-1], second[::-1]) == [(220 + 5, 140 + 5), (90, 60)]  # five values are of other music in part


def test_a_copy_has_one_stretch():
    song, phrase = music(200, 21), music(40, 22)
    assert shared((song, phrase), (song, music(50, 23), phrase)) == [(0, 0)]
    assert shared((phrase, song, phrase), (phrase, song, phrase)) == [(0, 0)]


def test_an_ident_may_be_so_short_that_only_its_edges_make_it_a_stretch():
    ident = music(24, 1)
    first = np.concatenate([ident, music(180, 2)])
    second = np.concatenate([ident[:14], damaged(ident[14:], 0.2), music(180, 3)])
    ((found, may_be_ident),) = stretches(first, second, *hits(first, second))
    assert (found.first, found.second, may_be_ident) == (0, 0, True)
