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
        Every parameter of the feature, none at its default, for a comparison with `reference`; it is also compared at
        its defaults.
    reference : callable
        What a user of librosa would call, of samples and parameters, shape (bins, frames).
    odd : tuple of dict
        Parameters at which the backends are compared with each other.
    alike : callable
        Compares a result with librosa's.
    undefined : tuple of str
        The signals of `test_blockwise` on which rounding alone decides the result.
    """

    parameters: Mapping[str, Any]
    reference: Callable[..., Any]
    odd: tuple[Mapping[str, Any], ...]
    alike: Callable[..., None] = LEVELS_DB
    undefined: tuple[str, ...] = ()


def stft_db(y, top_db=80.0, **stft):
    return librosa.amplitude_to_db(np.abs(librosa.stft(y, **stft)), top_db=top_db)


def mel_db(y, top_db=80.0, **mel):
    return librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SAMPLE_RATE_HZ, **mel), top_db=top_db)


def musicnn_mel(y, top_db=None, n_mels=96, n_fft=704, hop_length=353, fmax=8000.0, **mel):
    return mel_db(y, top_db, n_mels=n_mels, n_fft=n_fft, hop_length=hop_length, fmax=fmax, **mel)


def decomposed(y, part, kernel_size=31, n_fft=2048, hop_length=512, top_db=80.0, **mel):
    magnitude = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length))
    power = librosa.decompose.hpss(magnitude, kernel_size=kernel_size)[part] ** 2
    bands = librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE_HZ, n_fft=n_fft, **mel)
    return librosa.power_to_db(bands, top_db=top_db)


def spectrogram_or_samples(y, top_db, mel):
    """How to give a function of librosa its input; those that take samples clip at 80 dB."""
    return {"y": y, **mel} if top_db == 80 else {"S": mel_db(y, top_db, **mel)}


def mfcc(y, n_mfcc=20, top_db=80.0, **mel):
    return librosa.feature.mfcc(**spectrogram_or_samples(y, top_db, mel), sr=SAMPLE_RATE_HZ, n_mfcc=n_mfcc)


def onsets(y, top_db=80.0, n_fft=2048, hop_length=512, **mel):
    stft = {"n_fft": n_fft, "hop_length": hop_length}
    source = spectrogram_or_samples(y, top_db, stft | mel)
    return librosa.onset.onset_strength(**source | stft, sr=SAMPLE_RATE_HZ)


def tempogram(y, win_length=384, hop_length=512, **mel):
    source = {"onset_envelope": onsets(y, hop_length=hop_length, **mel)} if mel else {"y": y}
    return librosa.feature.tempogram(**source, sr=SAMPLE_RATE_HZ, hop_length=hop_length, win_length=win_length)


def of_samples(function):
    """A function of librosa that takes samples and all the parameters of the feature."""
    return lambda y, **parameters: function(y=y, sr=SAMPLE_RATE_HZ, **parameters)


_STFT = {"n_fft": 1024, "hop_length": 256}
_MEL = {**_STFT, "n_mels": 64, "fmin": 30.0, "fmax": 7000.0, "top_db": 50.0}

CASES = {
    "stft_db": Case(
        {**_STFT, "top_db": 50.0},
        stft_db,
        ({"n_fft": 1000, "hop_length": 333, "top_db": 40}, {"n_fft": 16, "hop_length": 5000}),
    ),
    "log_mel": Case(
        _MEL,
        mel_db,
        (
            {"n_mels": 1},
            {"n_mels": 40, "n_fft": 600, "hop_length": 700, "fmin": 300, "fmax": 3000, "top_db": 20},
        ),
    ),
    "musicnn_mel": Case(_MEL, musicnn_mel, ({}, {"n_fft": 512, "hop_length": 256})),
    "harmonic_mel": Case(
        {**_MEL, "kernel_size": 17},
        lambda y, **parameters: decomposed(y, 0, **parameters),
        ({"kernel_size": 1}, {"kernel_size": 8, "n_fft": 512, "hop_length": 100}, {"kernel_size": 70}),
    ),
    "percussive_mel": Case(
        {**_MEL, "kernel_size": 17},
        lambda y, **parameters: decomposed(y, 1, **parameters),
        (
            {"kernel_size": 2},
            {"kernel_size": 17, "n_fft": 64, "n_mels": 4},
            {"kernel_size": 201, "n_fft": 64, "hop_length": 77, "n_mels": 4},
        ),
    ),
    "mfcc": Case({**_MEL, "n_mfcc": 13}, mfcc, ({"n_mfcc": 128}, {"n_mfcc": 1, "n_mels": 40})),
    "chroma": Case(
        {**_STFT, "n_chroma": 24},
        of_samples(librosa.feature.chroma_stft),
        ({"n_chroma": 24, "n_fft": 4096}, {"n_chroma": 7, "n_fft": 512, "hop_length": 64}),
        SHARES,
        undefined=("silence with a click", "a click"),  # a flat spectrum has no peaks to be tuned to but rounding's
    ),
    "spectral_centroid": Case(
        _STFT,
        of_samples(librosa.feature.spectral_centroid),
        ({"n_fft": 100, "hop_length": 1},),
        allclose(1e-2, 1e-2, rtol=1e-4),
        undefined=("denormal numbers",),  # whose squares are 0
    ),
    "spectral_rolloff": Case(
        {**_STFT, "roll_percent": 0.5},
        of_samples(librosa.feature.spectral_rolloff),
        ({"n_fft": 3000, "roll_percent": 0.01}, {"roll_percent": 0.99}),
        few_frames_differ,
        undefined=("denormal numbers",),
    ),
    "onset_strength": Case(
        _MEL,
        lambda y, **parameters: onsets(y, **parameters)[np.newaxis],
        ({"n_fft": 512, "hop_length": 2000}, {"n_mels": 13, "hop_length": 128}),
    ),
    "tempogram": Case(
        {**_MEL, "win_length": 192},
        tempogram,
        ({"win_length": 1}, {"win_length": 383, "hop_length": 1500}, {"win_length": 100}),
        SHARES,
    ),
}
