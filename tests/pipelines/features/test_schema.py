"""Every feature against librosa's own function, called as a user would call it, on real audio."""

import subprocess
import sys

import librosa
import numpy as np
import pytest
import scipy.fft

from pipelines.common.errors import UsageError
from pipelines.config import BuildConfig, check
from pipelines.features.compute import compute
from pipelines.features.schema import Features

SAMPLE_RATE_HZ = 22_050


def decomposed(y, index, **mel):
    part = librosa.decompose.hpss(np.abs(librosa.stft(y)))[index]
    return librosa.power_to_db(librosa.feature.melspectrogram(S=part**2, sr=SAMPLE_RATE_HZ, **mel))


REFERENCES = {
    "stft_db": ({}, lambda y: librosa.amplitude_to_db(np.abs(librosa.stft(y)))),
    "log_mel": (
        {"n_mels": 64, "n_fft": 1024, "hop_length": 256, "fmin": 30.0, "fmax": 8000.0},
        lambda y: librosa.power_to_db(
            librosa.feature.melspectrogram(
                y=y, sr=SAMPLE_RATE_HZ, n_mels=64, n_fft=1024, hop_length=256, fmin=30.0, fmax=8000.0
            )
        ),
    ),
    "musicnn_mel": (
        {},
        lambda y: librosa.power_to_db(
            librosa.feature.melspectrogram(y=y, sr=SAMPLE_RATE_HZ, n_mels=96, n_fft=704, hop_length=353, fmax=8000.0),
            top_db=None,
        ),
    ),
    "harmonic_mel": ({"n_mels": 96}, lambda y: decomposed(y, 0, n_mels=96)),
    "percussive_mel": ({}, lambda y: decomposed(y, 1)),
    "mfcc": ({"n_mfcc": 13}, lambda y: librosa.feature.mfcc(y=y, sr=SAMPLE_RATE_HZ, n_mfcc=13)),
    "chroma": ({}, lambda y: librosa.feature.chroma_stft(y=y, sr=SAMPLE_RATE_HZ)),
    "spectral_centroid": ({}, lambda y: librosa.feature.spectral_centroid(y=y, sr=SAMPLE_RATE_HZ)),
    "spectral_rolloff": (
        {"roll_percent": 0.5},
        lambda y: librosa.feature.spectral_rolloff(y=y, sr=SAMPLE_RATE_HZ, roll_percent=0.5),
    ),
    "onset_strength": ({}, lambda y: librosa.onset.onset_strength(y=y, sr=SAMPLE_RATE_HZ)[np.newaxis]),
    "tempogram": (
        {"win_length": 192},
        lambda y: librosa.feature.tempogram(y=y, sr=SAMPLE_RATE_HZ, win_length=192),
    ),
}


@pytest.fixture(scope="module", params=["fast", "librosa"])
def computed(request, music):
    chosen = {name: parameters for name, (parameters, _) in REFERENCES.items()}
    return compute(music, SAMPLE_RATE_HZ, Features.model_validate({**chosen, "backend": request.param}))


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_librosa(name, computed, music):
    reference = REFERENCES[name][1](music)
    np.testing.assert_allclose(computed[name].T, reference, rtol=1e-4, atol=1e-3)


def test_every_feature_is_tested():
    assert list(REFERENCES) == Features.names()


@pytest.mark.parametrize("name", REFERENCES)
def test_shape_is_what_the_feature_announces(name, computed, music):
    feature = Features.model_validate({name: REFERENCES[name][0]}).chosen[name]
    assert computed[name].shape == (1 + len(music) // feature.hop_length, feature.bins)
    assert computed[name].dtype == np.float32


@pytest.mark.parametrize(("backend", "module", "function"), [("librosa", librosa, "stft"), ("fast", scipy.fft, "rfft")])
def test_one_stft_serves_all(backend, module, function, music, monkeypatch):
    lengths = []
    transform = getattr(module, function)

    def counted(samples, *args, **options):
        lengths.append(samples.size)
        return transform(samples, *args, **options)

    monkeypatch.setattr(module, function, counted)
    chosen = {name: {} for name in REFERENCES if name not in ("tempogram", "musicnn_mel")}
    compute(music, SAMPLE_RATE_HZ, Features.model_validate({**chosen, "backend": backend}))
    once = list(lengths)
    lengths.clear()
    compute(music, SAMPLE_RATE_HZ, Features.model_validate({"log_mel": {}, "backend": backend}))
    assert once == lengths != []


def test_harmonic_and_percussive_part_are_of_the_magnitudes_not_of_resynthesised_audio(computed, music):
    resynthesised = librosa.feature.melspectrogram(y=librosa.effects.hpss(music)[1], sr=SAMPLE_RATE_HZ)
    assert np.abs(computed["percussive_mel"].T - librosa.power_to_db(resynthesised)).max() > 1


def test_double_precision_is_nearer_to_librosa(music):
    def error(**options):
        wanted, found = (
            compute(music, SAMPLE_RATE_HZ, Features.model_validate({"log_mel": {}, **options, "backend": backend}))
            for backend in ("librosa", "fast")
        )
        return np.abs(wanted["log_mel"] - found["log_mel"]).max()

    assert error(precision="double") <= 5e-5 < error(precision="single") <= 1e-3


@pytest.mark.parametrize(
    ("key", "allowed"), [("backend", "'fast' or 'librosa'"), ("precision", "'single' or 'double'")]
)
def test_unknown_backend_or_precision_names_the_known_ones(key, allowed):
    with pytest.raises(UsageError, match=rf"features\.{key}: input should be {allowed}, found 'x'"):
        check({"features": {"log_mel": {}, key: "x"}}, BuildConfig, "c.yaml")


def test_backend_and_precision_decide_a_datasets_bytes():
    configs = [{}, {"backend": "librosa"}, {"precision": "double"}]
    digests = {BuildConfig.model_validate({"features": {"log_mel": {}, **c}}).digest() for c in configs}
    assert len(digests) == 3


def test_those_that_are_named_keep_backend_and_precision():
    features = Features.model_validate({"log_mel": {}, "chroma": {}, "backend": "librosa", "precision": "double"})
    assert features.only(["chroma"]).model_dump(exclude_none=True) == {
        "chroma": features.chroma.model_dump(),
        "backend": "librosa",
        "precision": "double",
    }


def test_to_import_the_features_imports_neither_librosa_nor_numba():
    code = "import sys, pipelines.features.schema; print({'librosa', 'numba', 'scipy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def test_unknown_feature_names_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown key features\.log_male; allowed: stft_db, log_mel"):
        check({"features": {"log_male": {}}}, BuildConfig, "c.yaml")


def test_no_feature_at_all_is_refused():
    with pytest.raises(UsageError, match=r"no feature is named; choose among stft_db, .*, tempogram$"):
        check({"features": {"backend": "librosa"}}, BuildConfig, "c.yaml")


def test_what_was_chosen_survives_json():
    features = Features.model_validate({"log_mel": {"top_db": None}})
    assert Features.model_validate_json(features.model_dump_json()) == features
