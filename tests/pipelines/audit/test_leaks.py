from collections import Counter
from itertools import combinations

import hypothesis
import hypothesis.strategies as st

from pipelines.audit.leaks import KINDS, MOST_LISTED, find_crossings
from pipelines.corpus.artists import normalised
from pipelines.dataset.ledger import Copy, File


def song(name, fold, **facts):
    return File(name, f"/{name}", fold=fold, **facts)


def copy(first, second, error_rate=0.1):
    return Copy(first, second, first_s=2.0, second_s=0.5, duration_s=20.0, tempo=1.0, error_rate=error_rate)


def found(songs, copies=()):
    return [(pair.first.path, pair.second.path, pair.kinds) for pair in find_crossings(songs, copies).listed]


def test_each_kind_of_evidence():
    songs = [
        song("a", "train", song="One", artist="Ann", content_hash="x"),
        song("b", "test", song="One"),
        song("c", "test", artist="ANN"),
        song("d", "validation", content_hash="x"),
        song("e", "test", content_hash="y"),
        song("f", "test", group="g"),
        song("h", "train", group="g", artist="unknown"),
        song("i", "validation", artist="Unknown"),
        song("j", "train", content_hash="y", song="One"),
        song("k", "", song="One", artist="Ann", content_hash="x"),
    ]
    assert found(songs, [copy("x", "y")]) == [
        ("a", "e", ("fingerprint",)),
        ("d", "e", ("fingerprint",)),
        ("d", "j", ("fingerprint",)),
        ("a", "d", ("hash",)),
        ("e", "j", ("hash",)),
        ("b", "a", ("song",)),
        ("b", "j", ("song",)),
        ("c", "a", ("artist",)),
        ("f", "h", ("group",)),
    ]


def test_a_pair_has_all_its_evidence_in_the_copy_s_order():
    songs = [song("a", "test", content_hash="y", song="One"), song("b", "train", content_hash="x", song="One")]
    (pair,) = find_crossings(songs, [copy("x", "y")]).listed
    assert (pair.first.path, pair.second.path, pair.kinds) == ("b", "a", ("fingerprint", "song"))
    assert pair.copy == copy("x", "y")


def test_what_may_cross_is_counted_and_listed_and_does_not_matter():
    songs = [song("a", "test", artist="Ann"), song("b", "train", artist="Ann"), song("c", "train", artist="Ann")]
    crossings = find_crossings(songs, [], ("hash", "song"))
    assert crossings.counts == {"artist": {("test", "train"): 2}}
    assert (crossings.pairs, crossings.files, len(crossings.listed)) == ({}, {}, 2)


@st.composite
def corpora(draw):
    keys = st.sampled_from(["", "", "Ann", "Bob", "Che"])
    facts = {"song": keys, "artist": keys, "content_hash": keys, "fold": st.sampled_from(["", "test", "train", "dev"])}
    rows = draw(st.lists(st.fixed_dictionaries(facts), max_size=14))
    copies = draw(st.sets(st.sampled_from([("Ann", "Bob"), ("Ann", "Che"), ("Bob", "Che"), ("Ann", "Zoe")])))
    songs = [song(f"{number:02d}", **row) for number, row in enumerate(rows)]
    return songs, [copy(*pair) for pair in sorted(copies)]


@hypothesis.given(corpora(), st.sets(st.sampled_from(KINDS)))
def test_counts_are_those_of_all_pairs_one_by_one(corpus, forbidden):
    songs, copies = corpus
    copied = {(c.first, c.second) for c in copies}
    counts, pairs, files = {kind: Counter() for kind in KINDS}, Counter(), set()
    for a, b in combinations([s for s in songs if s.fold], 2):
        shared = {
            "hash": a.content_hash and a.content_hash == b.content_hash,
            "song": a.song and a.song == b.song,
            "artist": a.artist and normalised(a.artist) == normalised(b.artist),
            "fingerprint": {(a.content_hash, b.content_hash), (b.content_hash, a.content_hash)} & copied,
        }
        kinds = {kind for kind, is_shared in shared.items() if is_shared and a.fold != b.fold}
        splits = min(a.fold, b.fold), max(a.fold, b.fold)
        for kind in kinds:
            counts[kind][splits] += 1
        if kinds & forbidden:
            pairs[splits] += 1
            files |= {a, b}
    crossings = find_crossings(songs, copies, sorted(forbidden))
    assert crossings.counts == {kind: dict(of_kind) for kind, of_kind in counts.items() if of_kind}
    assert crossings.pairs == pairs
    assert crossings.files == Counter(s.fold for s in files)
    assert crossings == find_crossings(songs[::-1], copies[::-1], sorted(forbidden))


def test_of_very_many_pairs_some_of_each_name_are_listed():
    songs = [song(f"{n}", "test" if n % 2 else "train", song=f"s{n % 2_000 // 1_000}") for n in range(4_000)]
    crossings = find_crossings(songs, [])
    assert crossings.counts == {"song": {("test", "train"): 2 * 1_000 * 1_000}}
    assert Counter(pair.first.song for pair in crossings.listed) == {"s0": MOST_LISTED / 2, "s1": MOST_LISTED / 2}
