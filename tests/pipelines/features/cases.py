"""What the tests know of each feature: how librosa computes it, odd parameters, and how near the backends must be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import librosa
import numpy as np

SAMPLE_RATE_HZ = 22_050


def allclose(single, double, rtol=0.0):
    """Compares by an absolute tolerance, one for single and one for double precision."""

    def check(found, wanted, precision, name):
        atol = single if precision == "single" else double
        np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol, err_msg=name)

    return check


def few_frames_differ(found, wanted, precision, name):
    """Compares frequencies of bins: rounding may move one in 200 by a bin."""
    assert (found != wanted).mean() <= 0.005, name


LEVELS_DB = allclose(1e-2, 5e-5, rtol=1e-6)
SHARES = allclose(1e-5, 1e-6)


@dataclass(frozen=True)
class Case:
    """A feature.

    Attributes
    ----------
    parameters : dict
        Those of the comparison with `reference`.
    reference : callable
        What a user of librosa would call, of samples, shape (bins, frames).
    odd : tuple of dict
        Parameters at which the backends are compared with each other.
    alike : callable
        Compares the backends' results.
    undefined : tuple of str
        The signals of `test_blockwise` on which rounding alone decides the result.
    """

    parameters: Mapping[str, Any]
    reference: Callable[[Any], Any]
    odd: tuple[Mapping[str, Any], ...]
    alike: Callable[..., None] = LEVELS_DB
    undefined: tuple[str, ...] = ()


def mel_db(y, top_db=80.0, **options):
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SAMPLE_RATE_HZ, **options), top_db=top_db)


def decomposed(y, index, **mel):
    part = librosa.decompose.hpss(np.abs(librosa.stft(y)))[index]
    return librosa.power_to_db(librosa.feature.melspectrogram(S=part**2, sr=SAMPLE_RATE_HZ, **mel))


_LOG_MEL = {"n_mels": 64, "n_fft": 1024, "hop_length": 256, "fmin": 30.0, "fmax": 8000.0}

CASES = {
    "stft_db": Case(
        {},
        lambda y: librosa.amplitude_to_db(np.abs(librosa.stft(y))),
        ({"n_fft": 1000, "hop_length": 333, "top_db": 40}, {"n_fft": 16, "hop_length": 5000}),
    ),
    "log_mel": Case(
        _LOG_MEL,
        lambda y: mel_db(y, **_LOG_MEL),
        (
            {"n_mels": 1},
            {"n_mels": 40, "n_fft": 600, "hop_length": 700, "fmin": 300, "fmax": 3000, "top_db": 20},
        ),
    ),
    "musicnn_mel": Case(
        {},
        lambda y: mel_db(y, top_db=None, n_mels=96, n_fft=704, hop_length=353, fmax=8000.0),
        ({}, {"n_fft": 512, "hop_length": 256}),
    ),
    "harmonic_mel": Case(
        {"n_mels": 96},
        lambda y: decomposed(y, 0, n_mels=96),
        ({"kernel_size": 1}, {"kernel_size": 8, "n_fft": 512, "hop_length": 100}, {"kernel_size": 70}),
    ),
    "percussive_mel": Case(
        {},
        lambda y: decomposed(y, 1),
        (
            {"kernel_size": 2},
            {"kernel_size": 17, "n_fft": 64, "n_mels": 4},
            {"kernel_size": 201, "n_fft": 64, "hop_length": 77, "n_mels": 4},
        ),
    ),
    "mfcc": Case(
        {"n_mfcc": 13},
        lambda y: librosa.feature.mfcc(y=y, sr=SAMPLE_RATE_HZ, n_mfcc=13),
        ({"n_mfcc": 128}, {"n_mfcc": 1, "n_mels": 40}),
    ),
    "chroma": Case(
        {},
        lambda y: librosa.feature.chroma_stft(y=y, sr=SAMPLE_RATE_HZ),
        ({"n_chroma": 24, "n_fft": 4096}, {"n_chroma": 7, "n_fft": 512, "hop_length": 64}),
        SHARES,
        undefined=("silence with a click", "a click"),  # a flat spectrum has no peaks to be tuned to but rounding's
    ),
    "spectral_centroid": Case(
        {},
        lambda y: librosa.feature.spectral_centroid(y=y, sr=SAMPLE_RATE_HZ),
        ({"n_fft": 100, "hop_length": 1},),
        allclose(1e-2, 1e-2, rtol=1e-4),
        undefined=("denormal numbers",),  # whose squares are 0
    ),
    "spectral_rolloff": Case(
        {"roll_percent": 0.5},
        lambda y: librosa.feature.spectral_rolloff(y=y, sr=SAMPLE_RATE_HZ, roll_percent=0.5),
        ({"n_fft": 3000, "roll_percent": 0.01}, {"roll_percent": 0.99}),
        few_frames_differ,
        undefined=("denormal numbers",),
    ),
    "onset_strength": Case(
        {},
        lambda y: librosa.onset.onset_strength(y=y, sr=SAMPLE_RATE_HZ)[np.newaxis],
        ({"n_fft": 512, "hop_length": 2000}, {"n_mels": 13, "hop_length": 128}),
    ),
    "tempogram": Case(
        {"win_length": 192},
        lambda y: librosa.feature.tempogram(y=y, sr=SAMPLE_RATE_HZ, win_length=192),
        ({"win_length": 1}, {"win_length": 383, "hop_length": 1500}, {"win_length": 100}),
        SHARES,
    ),
}
