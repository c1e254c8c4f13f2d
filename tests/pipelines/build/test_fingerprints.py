"""The table of fingerprints: the same bytes whoever read what first, however often, and in whichever file."""

import random
from collections import Counter

import pytest

from pipelines.build.steps import fingerprints
from pipelines.common import parquet, storage
from pipelines.dataset.readings import Fingerprint, StagedReading

CONTENTS = [f"{number:032x}" for number in range(10)]
VALUE_OF = {content: content[-4:].encode() * (number % 3) for number, content in enumerate(CONTENTS)}


def write_sources(folder, *parts):
    """Tables of staged readings, and of fingerprints, by turns, with some recordings each."""
    staged, published = [], []
    for number, part in enumerate(parts):
        url = str(folder / f"{number}.parquet")
        if number % 2:
            rows = [StagedReading(f"{c}.wav", "1-1", content_hash=c, fingerprint=VALUE_OF[c]) for c in part]
            parquet.write(url, StagedReading, rows)
            staged.append(url)
        else:
            parquet.write(url, Fingerprint, [Fingerprint(content, VALUE_OF[content]) for content in part])
            published.append(url)
    return staged, published


def written(folder, contents, staged, published):
    fingerprints.write_once(str(folder / "out.parquet"), contents, staged, published)
    return storage.read_bytes(str(folder / "out.parquet"))


@pytest.mark.parametrize("at_once", [3, 50_000])
def test_equal_recordings_give_equal_bytes_however_they_are_found(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(fingerprints, "_RECORDINGS_AT_ONCE", at_once)
    expected = written(tmp_path, CONTENTS, *write_sources(tmp_path, CONTENTS))
    rng = random.Random(0)
    for _ in range(10):
        parts = [rng.choices(CONTENTS, k=8) for _ in range(4)] + [rng.sample(CONTENTS, 10)]
        staged, published = write_sources(tmp_path, *rng.sample(parts, len(parts)))
        assert written(tmp_path, set(CONTENTS), rng.sample(staged, len(staged)), published[::-1]) == expected


def test_each_is_there_once_and_they_are_sorted(tmp_path):
    sources = write_sources(tmp_path, CONTENTS[::-1], CONTENTS * 2)
    written(tmp_path, CONTENTS[2:5], *sources)
    rows = parquet.read(str(tmp_path / "out.parquet"), Fingerprint)
    assert rows == [Fingerprint(content, VALUE_OF[content]) for content in CONTENTS[2:5]]
    assert fingerprints.content_hashes(sources[1]) == set(CONTENTS)
    assert fingerprints.content_hashes([]) == set()


@pytest.mark.parametrize("sources", [0, 2])
def test_nothing_new_is_a_table_of_no_rows(tmp_path, sources):
    written(tmp_path, [], *write_sources(tmp_path, *[CONTENTS] * sources))
    assert parquet.read(str(tmp_path / "out.parquet"), Fingerprint) == []


def test_the_first_source_counts(tmp_path):
    _, (known,) = write_sources(tmp_path, CONTENTS)
    other = str(tmp_path / "other.parquet")
    parquet.write(other, Fingerprint, [Fingerprint(content, b"else") for content in CONTENTS])
    assert written(tmp_path, CONTENTS, [], [known, other]) == written(tmp_path, CONTENTS, [], [known])
    assert written(tmp_path, CONTENTS, [], [other, known]) == written(tmp_path, CONTENTS, [], [other])


def test_each_source_is_read_once_however_many_recordings_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "_RECORDINGS_AT_ONCE", 3)
    sources = write_sources(tmp_path, CONTENTS, CONTENTS[:5], CONTENTS[5:])
    reads, read_bytes = Counter(), storage.read_bytes
    monkeypatch.setattr(storage, "read_bytes", lambda url, *span: reads.update([url]) or read_bytes(url, *span))
    fingerprints.write_once(str(tmp_path / "out.parquet"), CONTENTS, *sources)
    assert reads == dict.fromkeys([*sources[0], *sources[1]], 1)
