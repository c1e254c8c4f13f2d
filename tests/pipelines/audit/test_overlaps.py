from collections import Counter
from itertools import combinations

import hypothesis
import hypothesis.strategies as st

from pipelines.audit.overlap_search import MOST_LISTED, find_overlaps
from pipelines.audit.overlaps import SplitFile
from pipelines.corpus.names.artists import normalised
from pipelines.dataset.ledger import Copy
from pipelines.split.evidence import BY_NAME

KINDS = tuple(BY_NAME)


def file(name, split, **facts):
    return SplitFile(name, f"/{name}", split=split, **facts)


def copy(first, second, error_rate=0.1):
    return Copy(first, second, first_s=2.0, second_s=0.5, duration_s=20.0, tempo=1.0, error_rate=error_rate)


def found(files, copies=()):
    return [(pair.first.path, pair.second.path, pair.evidence) for pair in find_overlaps(files, copies, KINDS).listed]


def test_each_kind_of_evidence():
    files = [
        file("a", "train", song="One", artist="Ann", content_hash="x"),
        file("b", "test", song="One"),
        file("c", "test", artist="ANN"),
        file("d", "validation", content_hash="x"),
        file("e", "test", content_hash="y"),
        file("f", "test", group="g"),
        file("h", "train", group="g", artist="unknown"),
        file("i", "validation", artist="Unknown"),
        file("j", "train", content_hash="y", song="One"),
        file("k", "", song="One", artist="Ann", content_hash="x"),
    ]
    assert found(files, [copy("x", "y")]) == [
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
    files = [file("a", "test", content_hash="y", song="One"), file("b", "train", content_hash="x", song="One")]
    (pair,) = find_overlaps(files, [copy("x", "y")], KINDS).listed
    assert (pair.first.path, pair.second.path, pair.evidence) == ("b", "a", ("fingerprint", "song"))
    assert pair.copy == copy("x", "y")


def test_what_may_cross_is_counted_and_listed_and_does_not_matter():
    files = [file("a", "test", artist="Ann"), file("b", "train", artist="Ann"), file("c", "train", artist="Ann")]
    overlaps = find_overlaps(files, [], ("hash", "song"))
    assert overlaps.counts == {"artist": {("test", "train"): 2}}
    assert (overlaps.leaks, overlaps.files, len(overlaps.listed)) == ({}, {}, 2)


@st.composite
def corpora(draw):
    keys = st.sampled_from(["", "", "Ann", "Bob", "Che"])
    facts = {"song": keys, "artist": keys, "content_hash": keys, "split": st.sampled_from(["", "test", "train", "dev"])}
    rows = draw(st.lists(st.fixed_dictionaries(facts), max_size=14))
    copies = draw(st.sets(st.sampled_from([("Ann", "Bob"), ("Ann", "Che"), ("Bob", "Che"), ("Ann", "Zoe")])))
    files = [file(f"{number:02d}", **row) for number, row in enumerate(rows)]
    return files, [copy(*pair) for pair in sorted(copies)]


@hypothesis.given(corpora(), st.sets(st.sampled_from(KINDS)))
def test_counts_are_those_of_all_pairs_one_by_one(corpus, forbidden):
    files, copies = corpus
    copied = {(c.first, c.second) for c in copies}
    counts, pairs, leaking = {kind: Counter() for kind in KINDS}, Counter(), set()
    for a, b in combinations([f for f in files if f.split], 2):
        shared = {
            "hash": a.content_hash and a.content_hash == b.content_hash,
            "song": a.song and a.song == b.song,
            "artist": a.artist and normalised(a.artist) == normalised(b.artist),
            "fingerprint": {(a.content_hash, b.content_hash), (b.content_hash, a.content_hash)} & copied,
        }
        kinds = {kind for kind, is_shared in shared.items() if is_shared and a.split != b.split}
        splits = min(a.split, b.split), max(a.split, b.split)
        for kind in kinds:
            counts[kind][splits] += 1
        if kinds & forbidden:
            pairs[splits] += 1
            leaking |= {a, b}
    overlaps = find_overlaps(files, copies, sorted(forbidden))
    assert overlaps.counts == {kind: dict(of_kind) for kind, of_kind in counts.items() if of_kind}
    assert overlaps.leaks == pairs
    assert overlaps.files == Counter(f.split for f in leaking)
    assert overlaps == find_overlaps(files[::-1], copies[::-1], sorted(forbidden))


def test_of_very_many_pairs_some_of_each_name_are_listed():
    files = [file(f"{n}", "test" if n % 2 else "train", song=f"s{n % 2_000 // 1_000}") for n in range(4_000)]
    overlaps = find_overlaps(files, [], KINDS)
    assert overlaps.counts == {"song": {("test", "train"): 2 * 1_000 * 1_000}}
    assert Counter(pair.first.song for pair in overlaps.listed) == {"s0": MOST_LISTED / 2, "s1": MOST_LISTED / 2}
