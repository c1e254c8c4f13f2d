"""The fast backend against librosa's, feature by feature: at odd parameters, on awkward signals, in both precisions."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest

from pipelines.common.child import python_path
from pipelines.common.errors import UsageError
from pipelines.config import BuildConfig, check
from pipelines.features import blockwise
from pipelines.features.chroma import chroma_weights
from pipelines.features.compute import compute
from pipelines.features.schema import Features
from pipelines.features.spectra import hann, mel_filters
from tests.pipelines.features.cases import CASES, SAMPLE_RATE_HZ

RANDOM = np.random.default_rng(0)
ALL = {name: {} for name in Features.names()}


def both(samples, chosen, precision="single", sample_rate_hz=SAMPLE_RATE_HZ):
    """The features by the fast backend, and by librosa's."""
    return (
        compute(samples, sample_rate_hz, Features.model_validate({**chosen, "backend": b, "precision": precision}))
        for b in ("fast", "librosa")
    )


def assert_alike(found, wanted, precision="single"):
    """Compares features by the tolerance of each."""
    assert list(found) == list(wanted)
    for name in found:
        assert found[name].shape == wanted[name].shape and found[name].dtype == np.float32
        CASES[name].alike(found[name], wanted[name], precision, name)


def click(seconds):
    samples = np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
    samples[len(samples) // 2] = 1
    return samples


SIGNALS = {
    "silence with a click": click(2),
    "digital silence": np.zeros(30_000, np.float32),
    "a click": click(0.01),
    "one sample": np.ones(1, np.float32),
    "a window": RANDOM.uniform(-1, 1, 2048).astype(np.float32),
    "direct current": np.full(40_000, 0.7, np.float32),
    "full-scale noise": RANDOM.uniform(-1, 1, 60_000).astype(np.float32),
    "clipped noise": np.sign(RANDOM.standard_normal(60_000)).astype(np.float32),
    "faintest noise": (RANDOM.standard_normal(60_000) * 1e-7).astype(np.float32),
    "denormal numbers": np.full(30_000, 1e-40, np.float32),
    "noise, silence, noise": np.concatenate(
        [RANDOM.uniform(-1, 1, 30_000), np.zeros(30_000), RANDOM.uniform(-1, 1, 9)]
    ).astype("f4"),
}

ODD = [(name, values) for name, case in CASES.items() for values in case.odd]


@pytest.mark.parametrize(("name", "values"), ODD, ids=[f"{name} {json.dumps(values)}" for name, values in ODD])
def test_odd_parameters(name, values, music):
    assert_alike(*both(music[30_000:70_000], {name: values}))


@pytest.mark.parametrize("kernel_size", [30, 31, 129])
@pytest.mark.parametrize("frames", [20, 64, 65, 256, 300, 320, 321, 385, 520])
def test_parts_of_songs_of_any_length(frames, kernel_size, music):
    values = {"n_fft": 64, "hop_length": 64, "n_mels": 4, "kernel_size": kernel_size}
    assert_alike(*both(music[40_000:][: frames * 64 - 1], {"harmonic_mel": values, "percussive_mel": values}))


def test_every_feature_has_odd_parameters():
    assert list(CASES) == Features.names() and all(case.odd for case in CASES.values())
    assert all(signal in SIGNALS for case in CASES.values() for signal in case.undefined)


@pytest.mark.filterwarnings("ignore:n_fft=:UserWarning", "ignore:Trying to estimate tuning:UserWarning")
@pytest.mark.parametrize("signal", SIGNALS)
def test_awkward_signals(signal):
    found, wanted = both(SIGNALS[signal], ALL)
    assert all(np.isfinite(array).all() for array in found.values())
    defined = [name for name in ALL if signal not in CASES[name].undefined]
    assert_alike({name: found[name] for name in defined}, {name: wanted[name] for name in defined})


def test_music(music):
    found, wanted = both(music, ALL)
    assert_alike(found, wanted)
    np.testing.assert_allclose(found["log_mel"], wanted["log_mel"], rtol=0, atol=1e-3)


@pytest.mark.slow
def test_double_precision(music):
    assert_alike(*both(music, ALL, precision="double"), precision="double")


LOW_RATES_HZ = (4_000, 8_000, 16_000)


def lowest_rate_hz(name):
    """The lowest of some sample rates at which a feature can be computed by its defaults."""
    for rate_hz in LOW_RATES_HZ:
        with contextlib.suppress(UsageError):
            check({"audio": {"sample_rate_hz": rate_hz}, "features": {name: {}}}, BuildConfig, name)
            return rate_hz
    return SAMPLE_RATE_HZ


@pytest.mark.filterwarnings("ignore:Empty filters:UserWarning")
@pytest.mark.parametrize("rate_hz", LOW_RATES_HZ)
def test_low_rate(rate_hz, music):
    if chosen := {name: {} for name in ALL if lowest_rate_hz(name) == rate_hz}:
        samples = librosa.resample(music, orig_sr=SAMPLE_RATE_HZ, target_sr=rate_hz)
        assert_alike(*both(samples, chosen, sample_rate_hz=rate_hz))


def test_mel_spectrograms_are_tried_at_the_lowest_rate():
    assert "log_mel" in [name for name in ALL if lowest_rate_hz(name) == LOW_RATES_HZ[0]]


def test_features_of_several_stfts_are_computed_together(music):
    chosen = {
        "stft_db": {"n_fft": 512},
        "log_mel": {"hop_length": 256},
        "harmonic_mel": {"kernel_size": 9},
        "percussive_mel": {"n_mels": 32},
        "mfcc": {"hop_length": 256},
        "chroma": {},
    }
    assert_alike(*both(music[:50_000], chosen))


def test_a_long_song_is_read_twice_instead_of_kept(music, monkeypatch):
    features = Features.model_validate(ALL)
    wanted = compute(music, SAMPLE_RATE_HZ, features)
    monkeypatch.setattr(blockwise, "_MAX_KEPT_FRAMES", 10)
    found = compute(music, SAMPLE_RATE_HZ, features)
    assert {n: a.tobytes() for n, a in found.items()} == {n: a.tobytes() for n, a in wanted.items()}


def test_memory_grows_with_a_song_only_by_its_features(music):
    features = Features.model_validate({name: {"n_fft": 512, "hop_length": 64} for name in ALL})

    def peak_mb(copies):
        song = np.tile(music, copies)
        tracemalloc.start()
        found = compute(song, SAMPLE_RATE_HZ, features)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak / 1e6, sum(array.nbytes for array in found.values()) / 1e6

    (less, fewer), (more, many) = peak_mb(2), peak_mb(6)
    assert (more - less) / (many - fewer) < 1.3


def test_threads_do_not_disturb_each_other(music):
    songs = [music[start : start + 40_000] for start in range(0, 80_000, 10_000)]
    features = Features.model_validate(ALL)
    gate = threading.Barrier(4)

    def digests(song):
        return {name: array.tobytes() for name, array in compute(song, SAMPLE_RATE_HZ, features).items()}

    def at_once(song):
        gate.wait()
        return digests(song)

    alone = [digests(song) for song in songs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(at_once, songs)) == alone


@pytest.mark.parametrize(("rate_hz", "n_fft", "n_chroma", "tuning"), [(22_050, 2048, 12, -0.5), (8_000, 17, 7, 0.49)])
def test_chroma_weights_are_librosas(rate_hz, n_fft, n_chroma, tuning):
    wanted = librosa.filters.chroma(sr=rate_hz, n_fft=n_fft, n_chroma=n_chroma, tuning=tuning)
    np.testing.assert_array_equal(chroma_weights(rate_hz, n_fft, n_chroma, tuning), wanted)


@pytest.mark.parametrize("length", [1, 2, 17, 384, 2048, 4096])
def test_windows_are_librosas_to_the_bit(length):
    assert hann(length).tobytes() == librosa.filters.get_window("hann", length).tobytes()


@pytest.mark.filterwarnings("ignore:Empty filters")
@pytest.mark.parametrize("fmax", [None, 3_000.0])
@pytest.mark.parametrize(("rate_hz", "n_fft", "n_mels"), [(22_050, 2_048, 128), (16_000, 512, 96), (8_000, 1_025, 300)])
def test_mel_filters_are_librosas_to_the_bit(rate_hz, n_fft, n_mels, fmax):
    theirs = librosa.filters.mel(sr=rate_hz, n_fft=n_fft, n_mels=n_mels, fmin=30.0, fmax=fmax)
    assert mel_filters(rate_hz, n_fft, n_mels, 30.0, fmax).tobytes() == theirs.tobytes()


def test_computing_does_not_load_what_takes_a_second_to_load():
    script = """
import sys, numpy as np
from pipelines.features.compute import compute
from pipelines.features.schema import Features
from pipelines.features.spectra import hann, mel_filters
compute(np.ones(4_000, np.float32), 8_000, Features(**{name: {} for name in sys.argv[1:]}))
assert not {"scipy.signal", "scipy.stats", "sklearn"} & set(sys.modules)
"""
    names = sorted(set(Features.names()) - {"musicnn_mel"})
    subprocess.run([sys.executable, "-c", script, *names], check=True, env=os.environ | python_path())
