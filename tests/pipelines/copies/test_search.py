"""Near copies, of synthetic songs that were really encoded, cut and filtered, and of made-up fingerprints."""

import contextlib

import numpy as np
import pytest
import soundfile

from pipelines.audio.decode import load
from pipelines.audio.schema import AudioConfig
from pipelines.copies import fingerprint
from pipelines.copies.index import _NEIGHBOURS, POSTING, FingerprintBlock, Partitioning, find_hits, postings_of
from pipelines.copies.search import _digest, find_copies
from pipelines.corpus.synthetic import synth
from pipelines.dataset.ledger import Copy
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
    assert not (tmp_path / "work").exists()


def test_a_copy_is_told_in_seconds(tmp_path):
    song = music(200, 1)
    found = find_copies({"b": song.tobytes(), "a": song[50:150].tobytes()}, str(tmp_path / "w"), in_process())
    shared_s = 99 * fingerprint.VALUE_S + fingerprint.SPAN_S
    assert found == [Copy("a", "b", 0.0, round(50 * fingerprint.VALUE_S, 2), round(shared_s, 2), 1.0, 0.0)]


def test_workers_and_blocks_change_nothing(tmp_path, monkeypatch):
    songs = {f"{n:03d}": music(80, n // 2).tobytes() for n in range(40)}
    one = find_copies(songs, str(tmp_path / "w"), in_process())
    monkeypatch.setattr("pipelines.copies.index._LEAST_RECORDINGS_PER_BLOCK", 7)
    monkeypatch.setattr("pipelines.copies.index._POSTINGS_PER_PARTITION", 1_000)
    threads = in_process("--direct_running_mode=multi_threading", "--direct_num_workers=3")
    assert find_copies(dict(reversed(songs.items())), str(tmp_path / "w"), threads) == one
    assert [(c.first, c.second) for c in one] == [(f"{n:03d}", f"{n + 1:03d}") for n in range(0, 40, 2)]


def test_crops_are_found_in_a_corpus_of_many_partitions(tmp_path, monkeypatch):
    """No key is dropped as a corpus grows: each crop of 10 s is found, though 8 % of its bits differ."""
    monkeypatch.setattr("pipelines.copies.index._POSTINGS_PER_PARTITION", 5_000)
    rng = np.random.default_rng(0)
    songs = {f"{n:03d}": music(240, n) for n in range(100)}
    flips = rng.random((len(songs), 60, 32)) < 0.08
    crops = {
        f"crop {name}": values[(begin := rng.integers(180)) : begin + 60] ^ (own @ (1 << np.arange(32))).astype("<u4")
        for (name, values), own in zip(songs.items(), flips, strict=True)
    }
    assert Partitioning.of(200, 100 * 300).partitions == 24
    found = find_copies({n: v.tobytes() for n, v in (songs | crops).items()}, str(tmp_path / "w"), in_process())
    assert {(c.first, c.second) for c in found} == {(name, f"crop {name}") for name in songs}


def test_every_key_is_in_one_partition():
    block = FingerprintBlock.of([music(80, n).tobytes() for n in range(9)])
    together = postings_of(block, 5, 0, 1)
    apart = np.concatenate([postings_of(block, 5, partition, 7) for partition in range(7)])
    assert len(together) == 9 * 78 * 4
    assert sorted(together.tolist()) == sorted(apart.tolist())


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
        (folder / "found-000000.json").write_text('[[0, 1, {"first": 0}]]')
        (folder / "found-000001.json").write_text('[[0, 1, {"first": 0}]]')
    assert find_copies(songs, str(tmp_path / "w"), in_process()) == []


def test_what_a_worker_did_not_leave_is_missed(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.copies.search._write_found", lambda *_: None)
    with pytest.raises(FileNotFoundError, match="found-000000"):
        find_copies({"a": music(50, 1).tobytes()}, str(tmp_path / "w"), in_process())


def test_a_recording_meets_others_where_it_first_has_a_key():
    values = np.full(30, 7, np.uint32)
    block = FingerprintBlock.of([values.tobytes(), values[:10].tobytes()])
    hits = find_hits(postings_of(block, 0, 0, 1))
    assert hits.tolist() == [(0, 1, 0, 0)] * 4


def test_a_key_that_all_songs_have_is_not_hot():
    postings = np.zeros(10_000, POSTING)
    postings["recording"] = np.arange(10_000)
    assert len(find_hits(postings)) < 10_000 * _NEIGHBOURS
    assert set(map(tuple, find_hits(postings[:3])[["first", "second"]].tolist())) == {(0, 1), (1, 2), (0, 2)}


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
