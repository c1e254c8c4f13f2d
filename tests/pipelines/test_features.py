"""Every feature against librosa's own function, called as a user would call it, on real audio."""

import librosa
import numpy as np
import pytest

from pipelines.config import BuildConfig, check
from pipelines.errors import UsageError
from pipelines.features import Features, compute

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


@pytest.fixture(scope="module")
def computed(music):
    return compute(music, SAMPLE_RATE_HZ, Features.model_validate({n: p for n, (p, _) in REFERENCES.items()}))


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_librosa(name, computed, music):
    reference = REFERENCES[name][1](music)
    np.testing.assert_allclose(computed[name].T, reference, rtol=1e-4, atol=1e-4)


def test_every_feature_is_tested():
    assert set(REFERENCES) == set(Features.model_fields)


@pytest.mark.parametrize("name", REFERENCES)
def test_shape_is_what_the_feature_announces(name, computed, music):
    feature = Features.model_validate({name: REFERENCES[name][0]}).chosen[name]
    assert computed[name].shape == (1 + len(music) // feature.hop_length, feature.bins)
    assert computed[name].dtype == np.float32


def test_one_stft_serves_all(music, monkeypatch):
    calls = []
    stft = librosa.stft
    monkeypatch.setattr(librosa, "stft", lambda *a, **k: calls.append(k) or stft(*a, **k))
    compute(music, SAMPLE_RATE_HZ, Features.model_validate({name: {} for name in REFERENCES}))
    assert len(calls) == 1


def test_unknown_feature_names_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown key features\.log_male; allowed: stft_db, log_mel"):
        check({"features": {"log_male": {}}}, BuildConfig, "c.yaml")


def test_no_feature_at_all_is_refused():
    with pytest.raises(UsageError, match="no feature is named"):
        check({"features": {}}, BuildConfig, "c.yaml")


def test_what_was_chosen_survives_json():
    features = Features.model_validate({"log_mel": {"top_db": None}})
    assert Features.model_validate_json(features.model_dump_json()) == features
