"""The inverted index, of made-up fingerprints."""

import numpy as np
import pytest

from pipelines.copies.index import (
    _NEIGHBOURS,
    POSTING,
    FingerprintBlock,
    filter_of,
    find_hits,
    near_new,
    postings_of,
)


def music(count, seed):
    """Values that change as music's do: now and then, and a few bits at a time."""
    changes = np.random.default_rng(seed).random((count, 32)) < 0.3
    return (np.cumsum(changes, axis=0) % 2 @ (1 << np.arange(32))).astype("<u4")


def numbers(count, first=0):
    return np.arange(first, first + count, dtype=np.uint32)


def random_postings(count, recordings, keys, seed=0):
    rng = np.random.default_rng(seed)
    postings = np.zeros(count, POSTING)
    postings["recording"] = np.sort(rng.integers(0, recordings, count))
    postings["key"] = rng.integers(0, keys, count) ** 2  # some more frequent than others
    postings["position"] = np.arange(count)
    return postings


ALL_NEW = np.ones(10_000, bool)


def test_every_key_is_in_one_partition():
    block = FingerprintBlock.of([music(80, n).tobytes() for n in range(9)])
    together = postings_of(block, numbers(9, 5), 0, 1)
    apart = np.concatenate([postings_of(block, numbers(9, 5), partition, 7) for partition in range(7)])
    assert len(together) == 9 * 78 * 4
    assert sorted(together.tolist()) == sorted(apart.tolist())


def test_postings_are_in_the_order_of_recordings_and_positions():
    block = FingerprintBlock.of([music(80, n).tobytes() for n in range(9)])
    postings = postings_of(block, numbers(9, 5), 1, 2)
    order = postings[["recording", "position"]].tolist()
    assert order == sorted(order)


def test_a_filter_lets_its_keys_through_and_few_others():
    one, other = (FingerprintBlock.of([music(500, seed).tobytes()]) for seed in (1, 2))
    own = postings_of(one, numbers(1), 0, 1)
    wanted = filter_of(own)
    assert postings_of(one, numbers(1), 0, 1, wanted).tolist() == own.tolist()
    assert len(postings_of(other, numbers(1), 0, 1, wanted)) < 10


def test_a_recording_meets_others_where_it_first_has_a_key():
    values = np.full(30, 7, np.uint32)
    block = FingerprintBlock.of([values.tobytes(), values[:10].tobytes()])
    hits = find_hits(postings_of(block, numbers(2), 0, 1), ALL_NEW)
    assert hits.tolist() == [(0, 1, 0, 0)] * 4


def test_a_key_that_all_songs_have_is_not_hot():
    postings = np.zeros(10_000, POSTING)
    postings["recording"] = np.arange(10_000)
    assert len(find_hits(postings, ALL_NEW)) < 10_000 * _NEIGHBOURS
    assert set(map(tuple, find_hits(postings[:3], ALL_NEW)[["first", "second"]].tolist())) == {(0, 1), (1, 2), (0, 2)}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 1.0])
def test_hits_have_something_new_and_do_not_depend_on_what_was_sorted_out_before(share):
    postings = random_postings(5_000, 1_000, 30)
    is_new = np.random.default_rng(1).random(1_000) < share
    every = find_hits(postings, ALL_NEW)
    expected = every[is_new[every["first"]] | is_new[every["second"]]]
    assert find_hits(postings, is_new).tolist() == expected.tolist()
    is_of_new = is_new[postings["recording"]]
    kept, known = postings[is_of_new], postings[~is_of_new]
    for start in range(0, len(known), 700):
        kept = near_new(np.concatenate([kept, known[start : start + 700]]), is_new)
    assert find_hits(kept, is_new).tolist() == expected.tolist()
    assert len(kept) <= (1 + 2 * _NEIGHBOURS) * np.count_nonzero(is_of_new)


def test_the_order_in_which_recordings_are_read_does_not_matter():
    postings = random_postings(5_000, 1_000, 300)
    is_late = (postings["recording"] % 3 == 0) & (postings["key"] > 100)
    late_last = np.concatenate([postings[~is_late], postings[is_late]])
    assert find_hits(late_last, ALL_NEW).tolist() == find_hits(postings, ALL_NEW).tolist()
