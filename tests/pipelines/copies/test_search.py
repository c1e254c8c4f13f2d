"""Near copies, of synthetic songs that were really encoded, cut and filtered, and of made-up fingerprints."""

import contextlib
import json

import apache_beam as beam
import numpy as np
import pytest
import soundfile

from pipelines.audio.decode import load
from pipelines.audio.schema import AudioConfig
from pipelines.common import parquet
from pipelines.copies import fingerprint
from pipelines.copies.index import _NEIGHBOURS
from pipelines.copies.layout import Layout, lay_out
from pipelines.copies.search import Comparison, FindCopies, _digest, find_copies, share_done
from pipelines.corpus.synthetic import synth
from pipelines.dataset.ledger import Copy
from pipelines.dataset.readings import Fingerprint
from tests.audio_files import ffmpeg
from tests.pipelines.conftest import in_process

PLANTED = {
    "mp3": ("mp3", "-b:a", "64k"),
    "ogg": ("ogg", "-q:a", "2"),
    "opus": ("opus", "-b:a", "48k"),
    "aac": ("m4a", "-b:a", "64k"),
    "8 kHz": ("wav", "-ar", "8000"),
    "48 kHz, stereo": ("wav", "-ar", "48000", "-ac", "2"),
    "quieter": ("wav", "-af", "volume=-20dB"),
    "clipped": ("wav", "-af", "volume=12dB"),
    "silence before": ("wav", "-af", "adelay=3700:all=1"),
    "silence after": ("wav", "-af", "apad=pad_dur=7"),
    "crop": ("wav", "-ss", "4.7", "-t", "10"),
    "equalised": ("wav", "-af", "bass=g=5,treble=g=-4"),
    "faster": ("wav", "-af", "atempo=1.05"),
}


def music(count, seed):
    """Values that change as music's do: now and then, and a few bits at a time."""
    changes = np.random.default_rng(seed).random((count, 32)) < 0.3
    return (np.cumsum(changes, axis=0) % 2 @ (1 << np.arange(32))).astype("<u4")


def tables(folder, fingerprints, parts=2):
    """Fingerprints by name, as some tables, in which some are twice."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [Fingerprint(name, values.tobytes()) for name, values in fingerprints.items()]
    urls = tuple(str(folder / f"{part}.parquet") for part in range(parts))
    for part, url in enumerate(urls):
        parquet.write(url, Fingerprint, rows[part::parts] + rows[:2])
    return urls


def search(folder, known, new, wanted=None, new_pipeline=None):
    """What is found for a comparison, in a folder."""
    Comparison(known, new, wanted).save(str(folder))
    with (new_pipeline or in_process())(0) as pipeline:
        _ = pipeline | beam.Create([str(folder)], reshuffle=False) | FindCopies() | beam.Map(written)
    return parquet.read(str(folder / "copies.parquet"), Copy)


def written(folder):
    assert share_done(folder) == 1.0


def of_file(path):
    return fingerprint.of_samples(load(str(path), AudioConfig()).samples, 22_050)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Two songs of each of five styles, as WAV files."""
    folder = tmp_path_factory.mktemp("songs")
    paths = []
    for style in synth.STYLES[:5]:
        for number in range(2):
            paths.append(folder / f"{style}.{number}.wav")
            soundfile.write(paths[-1], synth.song(style, number, duration_s=20.0), 22_050)
    return paths


def test_planted_copies_are_found_and_nothing_else(songs, tmp_path):
    originals = {path.stem: of_file(path) for path in songs}
    copies = {}
    for (kind, (suffix, *options)), path in zip(PLANTED.items(), songs * 2, strict=False):
        copy = ffmpeg(path, tmp_path / f"copy.{suffix}", *options)
        copies[f"z {kind} of {path.stem}"] = of_file(copy)
    found = find_copies(originals | copies, str(tmp_path / "work"), in_process())
    expected = {(name.split(" of ")[1], name) for name in copies}
    # Three originals were copied twice, and their copies are copies of each other.
    assert {(c.first, c.second) for c in found if not c.first.startswith("z ")} == expected
    among = [c for c in found if c.first.startswith("z ")]
    assert all(c.first.split(" of ")[1] == c.second.split(" of ")[1] for c in among)
    (crop,) = (c for c in found if c.second.startswith("z crop") and not c.first.startswith("z "))
    assert crop.offset_s == pytest.approx(4.7, abs=0.2)
    assert crop.duration_s == pytest.approx(10, abs=1)
    assert list((tmp_path / "work").iterdir()) == []


def test_a_copy_is_told_in_seconds(tmp_path):
    song = music(200, 1)
    found = find_copies({"b": song.tobytes(), "a": song[50:150].tobytes()}, str(tmp_path / "w"), in_process())
    shared_s = 99 * fingerprint.VALUE_S + fingerprint.SPAN_S
    assert found == [Copy("a", "b", 0.0, round(50 * fingerprint.VALUE_S, 2), round(shared_s, 2), 1.0, 0.0)]


def test_workers_and_blocks_change_nothing(tmp_path, monkeypatch):
    songs = {f"{n:03d}": music(80, n // 2).tobytes() for n in range(40)}
    one = find_copies(songs, str(tmp_path / "w"), in_process())
    monkeypatch.setattr("pipelines.copies.layout._LEAST_RECORDINGS_PER_BLOCK", 7)
    monkeypatch.setattr("pipelines.copies.layout.POSTINGS_PER_PARTITION", 1_000)
    threads = in_process("--direct_running_mode=multi_threading", "--direct_num_workers=3")
    assert find_copies(dict(reversed(songs.items())), str(tmp_path / "w"), threads) == one
    assert [(c.first, c.second) for c in one] == [(f"{n:03d}", f"{n + 1:03d}") for n in range(0, 40, 2)]


def test_crops_are_found_in_a_corpus_of_many_partitions(tmp_path, monkeypatch):
    """No key is dropped as a corpus grows: each crop of 10 s is found, though 8 % of its bits differ."""
    monkeypatch.setattr("pipelines.copies.layout.POSTINGS_PER_PARTITION", 5_000)
    rng = np.random.default_rng(0)
    songs = {f"{n:03d}": music(240, n) for n in range(100)}
    flips = rng.random((len(songs), 60, 32)) < 0.08
    crops = {
        f"crop {name}": values[(begin := rng.integers(180)) : begin + 60] ^ (own @ (1 << np.arange(32))).astype("<u4")
        for (name, values), own in zip(songs.items(), flips, strict=True)
    }
    assert Layout.of(0, 200, 100 * 300, 100 * 300).partitions == 24
    found = find_copies({n: v.tobytes() for n, v in (songs | crops).items()}, str(tmp_path / "w"), in_process())
    assert {(c.first, c.second) for c in found} == {(name, f"crop {name}") for name in songs}


def test_a_row_of_many_copies_is_linked_without_all_its_pairs(tmp_path):
    song = music(100, 1).tobytes()
    found = find_copies({f"{n:03d}": song for n in range(60)}, str(tmp_path / "w"), in_process())
    assert {(c.first, c.second) for c in found} >= {(f"{n:03d}", f"{n + 1:03d}") for n in range(59)}
    assert len(found) <= 60 * _NEIGHBOURS


@pytest.mark.parametrize("fingerprints", [{}, {"a": b""}, {"a": b"", "b": b"1234"}, {"a": bytes(8), "b": bytes(8)}])
def test_songs_without_enough_values_are_nobody_s_copies(fingerprints, tmp_path):
    assert find_copies(fingerprints, str(tmp_path / "w"), in_process()) == []


def test_what_a_killed_run_left_does_not_count(tmp_path):
    songs = {"a": music(50, 1).tobytes(), "b": music(50, 2).tobytes()}
    others = {"a": music(50, 1).tobytes(), "b": music(50, 1).tobytes()}
    for killed in (songs, others):
        folder = tmp_path / "w" / _digest(killed, ["a", "b"])
        folder.mkdir(parents=True)
        for name in ("hits-000000.bin", "hits-000001.bin", "found-000000.bin", "found-000001.bin"):
            (folder / name).write_bytes(bytes(320))
    assert find_copies(songs, str(tmp_path / "w"), in_process()) == []


def test_what_a_worker_did_not_leave_is_missed(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.copies.search._write_found", lambda key, spans, at_work=None: key[0])
    with pytest.raises(RuntimeError, match=r"FileNotFoundError.*found-000000"):
        find_copies({"a": music(50, 1).tobytes()}, str(tmp_path / "w"), in_process())


def test_progress_moves_from_nothing_to_all(tmp_path, monkeypatch):
    seen = []

    class Watched(contextlib.AbstractContextManager):
        def __init__(self, verb, total, count):
            self.total, self.count = total, count

        def __enter__(self):
            seen.append((self.count(), self.total))

        def __exit__(self, *_):
            seen.append((self.count(), self.total))

    monkeypatch.setattr("pipelines.copies.search.Progress", Watched)
    songs = {f"{n}": music(80, n // 2).tobytes() for n in range(8)}
    find_copies(songs, str(tmp_path / "w"), in_process())
    assert seen == [(0, 8), (8, 8)]


@pytest.fixture
def many_parts(monkeypatch):
    monkeypatch.setattr("pipelines.copies.layout._LEAST_RECORDINGS_PER_BLOCK", 7)
    monkeypatch.setattr("pipelines.copies.layout.POSTINGS_PER_PARTITION", 2_000)


@pytest.fixture
def chained():
    """Songs, of which some are copied, one many times over, and one in a chain of which each link shares a half."""
    rng = np.random.default_rng(3)
    songs = {f"{rng.bytes(8).hex()} song {n}": music(120, n) for n in range(30)}
    originals = list(songs.values())
    songs |= {f"{rng.bytes(8).hex()} crop {n}": originals[n][30:100] for n in range(10)}
    songs |= {f"{rng.bytes(8).hex()} again {n}": originals[0] for n in range(12)}
    long = music(500, 99)
    songs |= {f"{rng.bytes(8).hex()} link {n}": long[50 * n : 50 * n + 100] for n in range(8)}
    return songs


def test_with_known_ones_the_pairs_with_something_new_are_found_as_if_all_were_new(chained, many_parts, tmp_path):
    full = search(tmp_path / "full", (), tables(tmp_path / "all", chained))
    assert len(full) > 10 + 11 + 7
    for share in (0.03, 0.5):
        is_new = dict(zip(chained, np.random.default_rng(5).random(len(chained)) < share, strict=True))
        known = tables(tmp_path / "known", {name: values for name, values in chained.items() if not is_new[name]})
        # What is known stays so where a table of new ones has it too.
        again = {name: values for name, values in list(chained.items())[:5] if not is_new[name]}
        new = tables(tmp_path / "new", {name: values for name, values in chained.items() if is_new[name]} | again, 3)
        expected = [copy for copy in full if is_new[copy.first] or is_new[copy.second]]
        assert expected
        assert search(tmp_path / f"{share} new", known, new) == expected


def test_a_chain_is_linked_as_it_arrives(tmp_path):
    long = music(300, 99)
    links = {f"{n}": long[50 * n : 50 * n + 100] for n in range(4)}
    tied = set()
    for n in (1, 2, 3):
        known = tables(tmp_path / f"known {n}", {f"{m}": links[f"{m}"] for m in range(n)})
        new = tables(tmp_path / f"new {n}", {f"{n}": links[f"{n}"]})
        tied |= {(copy.first, copy.second) for copy in search(tmp_path / f"search {n}", known, new)}
    assert tied == {("0", "1"), ("1", "2"), ("2", "3")}


@pytest.mark.slow
def test_neither_order_nor_attempts_nor_workers_change_a_byte(chained, many_parts, tmp_path):
    shuffled = dict(sorted(chained.items(), key=lambda item: item[0][3:]))
    whole = lambda folder: {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "request.json"}  # noqa: E731
    first = search(tmp_path / "first", (), tables(tmp_path / "tables", chained))
    before = whole(tmp_path / "first")
    threads = in_process("--direct_running_mode=multi_threading", "--direct_num_workers=3")
    again = search(tmp_path / "first", (), tables(tmp_path / "other tables", shuffled, 3), new_pipeline=threads)
    assert again == first
    assert whole(tmp_path / "first") == before
    assert len([name for name in before if name.startswith(("block", "hits", "found"))]) > 20


def test_only_what_is_wanted_takes_part(tmp_path):
    song = music(100, 1)
    urls = tables(tmp_path / "tables", dict.fromkeys("abc", song))
    (wanted,) = tables(tmp_path / "wanted", {"c": song, "a": song, "not there": song}, 1)
    assert [(c.first, c.second) for c in search(tmp_path / "search", (), urls, wanted)] == [("a", "c")]


@pytest.mark.parametrize("new", [{}, {"a": music(100, 1)}, {"b": music(0, 1)}])
def test_without_anything_new_nothing_is_compared(new, tmp_path):
    known = tables(tmp_path / "known", {"a": music(100, 1), "c": music(100, 1)})
    assert search(tmp_path / "search", known, tables(tmp_path / "new", new)) == []
    assert sorted(path.name for path in (tmp_path / "search").iterdir()) == [
        "copies.parquet", "layout.json", "request.json", "roster.parquet",
    ]  # fmt: skip


def test_no_tables_at_all_are_an_empty_table(tmp_path):
    assert search(tmp_path / "search", (), ()) == []


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"FileNotFoundError.*gone\.parquet"):
        search(tmp_path / "search", (), (str(tmp_path / "gone.parquet"),))


@pytest.mark.parametrize("lost", ["block-000001.npz", "roster.parquet"])
def test_a_file_that_is_lost_is_missed(lost, many_parts, tmp_path, monkeypatch):
    def lay_out_and_lose(folder, *asked):
        lay_out(folder, *asked)
        (tmp_path / "search" / lost).unlink()

    monkeypatch.setattr("pipelines.copies.layout.lay_out", lay_out_and_lose)
    urls = tables(tmp_path / "tables", {f"{n}": music(50, n) for n in range(10)})
    with pytest.raises(RuntimeError, match=f"FileNotFoundError.*{lost}"):
        search(tmp_path / "search", (), urls)
    assert not (tmp_path / "search" / "copies.parquet").exists()


def test_the_graph_has_one_size_for_any_corpus(chained, tmp_path):
    sizes = []
    for songs in ({}, chained):
        Comparison((), tables(tmp_path / "tables", songs)).save(str(tmp_path / "search"))
        pipeline = beam.Pipeline()
        _ = pipeline | beam.Create([str(tmp_path / "search")], reshuffle=False) | FindCopies()
        sizes.append(len(pipeline.to_runner_api().SerializeToString()))
    assert sizes[0] == pytest.approx(sizes[1], abs=100)  # Beam's own part is compressed
    assert sizes[0] < 100_000


def test_a_search_beside_it_loses_nothing(tmp_path):
    beside = tmp_path / "w" / "another"
    urls = tables(beside, {"a": music(50, 1), "b": music(50, 1)})
    find_copies({"c": music(50, 1).tobytes()}, str(tmp_path / "w"), in_process())
    assert len(search(beside, (), urls)) == 1


def test_a_comparison_is_what_was_saved(tmp_path):
    asked = Comparison(("/known",), ("/new", "/newer"), "/wanted")
    asked.save(str(tmp_path))
    assert Comparison.load(str(tmp_path)) == asked
    assert json.loads((tmp_path / "request.json").read_text()) == {
        "known": ["/known"], "new": ["/new", "/newer"], "wanted": "/wanted",
    }  # fmt: skip
