"""Making records: what comes of a file, good or bad, and of one that takes its process along."""

import errno
import os
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xxhash

from pipelines.audio import decode, guarded
from pipelines.audio.guarded import CRASHED
from pipelines.audio.schema import AudioConfig
from pipelines.build.steps import make_record as module
from pipelines.build.steps.make_record import Made, Recipe, RecordMaker, make_record
from pipelines.common import storage
from pipelines.common.child import UNLIMITED, Child, ChildKilled, Limits
from pipelines.config import BuildConfig
from pipelines.copies import fingerprint
from pipelines.dataset import records, tfrecord
from pipelines.dataset.ledger import record_id
from pipelines.dataset.readings import Reading
from pipelines.features.compute import compute
from tests.audio_files import BAD, NEARLY_BAD, cut, ffmpeg, tone, write

FEATURES = {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 16}, "spectral_centroid": {}}
RECIPE = Recipe.of(BuildConfig.model_validate({"features": FEATURES}))


@pytest.fixture(scope="module")
def maker():
    with RecordMaker() as maker:
        yield maker


def written(path):
    with path.open("rb") as stream:
        return [records.decode(content) for content in tfrecord.read_records(stream)]


def test_a_record_and_its_reading(tmp_path, maker):
    path, record_path = write(tmp_path / "a.wav", tone(12.0, channels=2)), tmp_path / "record"
    made = maker.make(str(path), "blues", RECIPE, record_path)
    recording = decode.load(str(path), AudioConfig())
    assert made.reading == Reading(
        bytes_hash=xxhash.xxh3_128_hexdigest(path.read_bytes()),
        duration_s=12.0,
        sample_rate_hz=44_100,
        channels=2,
        content_hash=recording.content_hash,
    )
    assert made.fingerprint == fingerprint.of_samples(recording.samples, 22_050) != b""
    assert made.length == record_path.stat().st_size
    (record,) = written(record_path)
    assert (record.id, record.genre) == (record_id(recording.content_hash, "blues"), "blues")
    for name, values in compute(recording.samples, 22_050, RECIPE.features).items():
        np.testing.assert_allclose(record.features[name], values, rtol=1e-3)
    assert make_record(str(path), "blues", RECIPE, tmp_path / "other") == made
    assert (tmp_path / "other").read_bytes() == record_path.read_bytes()


_LOADED = """
import sys
from pathlib import Path
from pipelines.build.steps.make_record import Recipe, make_record
from pipelines.config import BuildConfig
make_record(sys.argv[1], "blues", Recipe.of(BuildConfig()), Path(sys.argv[2]))
print(*{"apache_beam", "av", "librosa", "pyarrow", "scipy.linalg", "tensorflow"} & sys.modules.keys())
"""


def test_a_process_that_reads_wav_files_loads_nothing_that_takes_a_while(tmp_path):
    path, record = write(tmp_path / "a.wav", tone(12.0)), tmp_path / "record"
    loaded = subprocess.run([sys.executable, "-c", _LOADED, path, record], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == [] and len(written(record)) == 1


def test_any_file_system_and_the_artist_of_the_tags(tmp_path, maker):
    path = ffmpeg(write(tmp_path / "a.wav"), tmp_path / "a.flac", "-metadata", "artist=Björk")
    storage.write_bytes("memory://audio/a.flac", path.read_bytes())
    made = maker.make("memory://audio/a.flac", "pop", RECIPE, tmp_path / "record")
    assert made == make_record(str(path), "pop", RECIPE, tmp_path / "record")
    assert made.reading.artist == "Björk"


@pytest.mark.parametrize("reason", BAD)
def test_bad_files_are_rejected(tmp_path, maker, reason):
    path = tmp_path / "a.wav"
    BAD[reason](path)
    made = maker.make(str(path), "blues", RECIPE, tmp_path / "record")
    assert made == replace(made, fingerprint=b"", length=0) and not (tmp_path / "record").exists()
    assert (made.reading.reason, made.reading.is_rejected) == (reason, True) and made.reading.error
    assert made.reading.bytes_hash == xxhash.xxh3_128_hexdigest(path.read_bytes())
    can_be_decoded = reason in {"not_finite", "silent", "too_short", "channels_cancel", "not_full_scale"}
    assert bool(made.reading.content_hash) == can_be_decoded
    assert made == make_record(str(path), "blues", RECIPE, tmp_path / "record")


@pytest.mark.parametrize("reason", NEARLY_BAD)
def test_nearly_bad_files_are_not(tmp_path, reason):
    NEARLY_BAD[reason](tmp_path / "a.wav")
    made = make_record(str(tmp_path / "a.wav"), "blues", RECIPE, tmp_path / "record")
    assert not made.reading.is_rejected and made.reading.content_hash


def test_features_that_float16_cannot_hold_are_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LARGEST", 1.0)
    made = make_record(str(write(tmp_path / "a.wav")), "blues", RECIPE, tmp_path / "record")
    assert (made.reading.reason, made.reading.is_rejected) == ("not_finite", True) and made.reading.content_hash


def test_what_is_missing_is_unreadable(tmp_path, maker):
    made = maker.make(str(tmp_path / "gone.wav"), "blues", RECIPE, tmp_path / "record")
    assert made == Made(Reading(reason="unreadable", error="No such file or directory", is_rejected=True))


def test_a_file_that_ends_early_is_used_and_told(tmp_path):
    made = make_record(str(cut(write(tmp_path / "a.wav"), 0.6)), "blues", RECIPE, tmp_path / "record")
    assert (made.reading.reason, made.reading.is_rejected) == ("truncated", False) and made.length


def test_a_fault_of_the_machine_is_raised(tmp_path, maker):
    with pytest.raises(FileNotFoundError, match="no/folder"):
        maker.make(str(write(tmp_path / "a.wav")), "blues", RECIPE, tmp_path / "no" / "folder")


def test_the_time_limit_follows_from_the_longest_song():
    assert RECIPE.limits == Limits(900.0, 1 << 31)
    by_librosa = BuildConfig.model_validate(
        {"features": FEATURES | {"backend": "librosa"}, "audio": {"max_duration_s": 60}}
    )
    assert Recipe.of(by_librosa).limits == Limits(360.0, UNLIMITED)


def poisoned(log, way, location, genre, recipe, record_path):
    """Instead of `make_record`, which a file cannot be made to crash on every version of every decoder."""
    with Path(log).open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    if way in Path(location).name:
        record_path.write_text("half a rec")
        {"abort": os.abort, "hang": partial(time.sleep, 60), "kill": partial(os.kill, os.getpid(), 9)}[way]()
    return make_record(location, genre, recipe, record_path)


def call(arguments):
    return poisoned(*arguments)


@pytest.fixture
def make_poisoned(tmp_path, monkeypatch):
    """Makes the record of a file, by processes that a file which is called so does not survive."""
    monkeypatch.setattr(guarded, "_LEAST_TIMEOUT_S", 1)
    monkeypatch.setattr(guarded, "_TIMEOUT_PER_S", 0)

    def make(way, name):
        with RecordMaker() as maker:
            child = Child(call)
            maker._child.call = lambda arguments, limits: child.call((str(tmp_path / "log"), way, *arguments), limits)
            try:
                return maker.make(str(write(tmp_path / name)), "blues", RECIPE, tmp_path / "record")
            finally:
                child.close()

    return make


@pytest.mark.parametrize(
    ("way", "error"),
    [("abort", "reading it was ended by SIGABRT"), ("hang", "reading it took longer than 1 s")],
)
def test_a_file_that_takes_its_process_along_is_tried_twice_and_rejected(tmp_path, make_poisoned, way, error):
    made = make_poisoned(way, f"{way}.wav")
    assert made == Made(Reading(reason=CRASHED.name, error=error, is_rejected=True))
    assert len(set((tmp_path / "log").read_text().split())) == 2
    assert not (tmp_path / "record").read_bytes()


def test_a_process_that_is_killed_is_no_fault_of_the_file(tmp_path, make_poisoned):
    with pytest.raises(ChildKilled, match=r"SIGKILL.*run the same command again"):
        make_poisoned("kill", "kill.wav")
    assert len((tmp_path / "log").read_text().split()) == 2


def test_no_space_is_a_fault_of_the_machine(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tfrecord, "write_record", full)
    with pytest.raises(OSError, match=r"No space left on device.*record"):
        make_record(str(write(tmp_path / "a.wav")), "blues", RECIPE, tmp_path / "record")
