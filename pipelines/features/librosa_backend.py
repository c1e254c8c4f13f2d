"""The features by librosa's own functions: slow, and what the fast ones are measured by.

What several features need of a song (its STFT, its harmonic and percussive parts, its mel bands) is computed once.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import librosa
import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays.spooled import Rows
from pipelines.features import schema as kinds

Array = NDArray[Any]
Method = TypeVar("Method", bound=Callable[..., Any])


def _once(compute: Method) -> Method:
    """Keeps a method's results, by its arguments, as long as its song's spectra."""

    @functools.wraps(compute)
    def kept(self: "Spectra", *args: Any) -> Any:
        key = (compute.__name__, args)
        if key not in self._kept:
            self._kept[key] = compute(self, *args)
        return self._kept[key]

    return cast(Method, kept)


class Spectra:
    """One song's spectra, each computed when first asked for and then shared.

    Parameters
    ----------
    samples : array, shape (samples,)
        Mono audio. Its type is that of the spectra.
    sample_rate_hz : int
    """

    def __init__(self, samples: Array, sample_rate_hz: int):
        self.samples = samples
        self.sample_rate_hz = sample_rate_hz
        self._kept: dict[Any, Any] = {}

    @_once
    def magnitude(self, n_fft: int, hop_length: int) -> Array:
        """`abs(stft)`, shape (1 + n_fft / 2, frames)."""
        return np.asarray(np.abs(librosa.stft(self.samples, n_fft=n_fft, hop_length=hop_length)))

    @_once
    def power(self, n_fft: int, hop_length: int) -> Array:
        """The magnitude's square."""
        return np.asarray(self.magnitude(n_fft, hop_length) ** 2)

    @_once
    def hpss(self, n_fft: int, hop_length: int, kernel_size: int) -> tuple[Array, Array]:
        """The magnitude's harmonic and percussive parts."""
        magnitude = self.magnitude(n_fft, hop_length)
        harmonic, percussive = librosa.decompose.hpss(magnitude, kernel_size=kernel_size)
        return harmonic, percussive

    @_once
    def mel_db(self, mel: kinds.Mel) -> Array:
        """The song's mel bands in dB, shape (n_mels, frames)."""
        return self.to_mel_db(self.power(mel.n_fft, mel.hop_length), mel)

    def to_mel_db(self, power: Array, mel: kinds.Mel) -> Array:
        """The mel bands, in dB, of a power spectrum of this song or of a part of it."""
        bands = librosa.feature.melspectrogram(
            S=power, sr=self.sample_rate_hz, n_fft=mel.n_fft, n_mels=mel.n_mels, fmin=mel.fmin, fmax=mel.fmax
        )
        return np.asarray(librosa.power_to_db(bands, top_db=mel.top_db))

    @_once
    def onset_strength(self, mel: kinds.Mel) -> Array:
        """The onset envelope over these mel bands, shape (frames,)."""
        return np.asarray(
            librosa.onset.onset_strength(
                S=self.mel_db(mel), sr=self.sample_rate_hz, n_fft=mel.n_fft, hop_length=mel.hop_length
            )
        )


def compute(
    samples: Rows, sample_rate_hz: int, features: Mapping[str, kinds.Stft], dtype: np.dtype[Any]
) -> dict[str, Array]:
    """A song's features by name, shape (frames, bins), computed of samples of type `dtype`, float32 or float64."""
    spectra = Spectra(samples[:].astype(dtype, copy=False), sample_rate_hz)
    return {name: _feature(feature, spectra).T for name, feature in features.items()}


@functools.singledispatch
def _feature(feature: kinds.Stft, spectra: Spectra) -> Array:
    """A feature as librosa gives it, shape (bins, frames)."""
    raise NotImplementedError(type(feature).__name__)


@_feature.register
def _stft_db(feature: kinds.StftDb, spectra: Spectra) -> Array:
    magnitude = spectra.magnitude(feature.n_fft, feature.hop_length)
    return np.asarray(librosa.amplitude_to_db(magnitude, top_db=feature.top_db))


@_feature.register
def _log_mel(feature: kinds.LogMel, spectra: Spectra) -> Array:
    return spectra.mel_db(feature.bands)


@_feature.register
def _harmonic_mel(feature: kinds.HarmonicMel, spectra: Spectra) -> Array:
    harmonic, _ = spectra.hpss(feature.n_fft, feature.hop_length, feature.kernel_size)
    return spectra.to_mel_db(harmonic**2, feature)


@_feature.register
def _percussive_mel(feature: kinds.PercussiveMel, spectra: Spectra) -> Array:
    _, percussive = spectra.hpss(feature.n_fft, feature.hop_length, feature.kernel_size)
    return spectra.to_mel_db(percussive**2, feature)


@_feature.register
def _mfcc(feature: kinds.Mfcc, spectra: Spectra) -> Array:
    return np.asarray(librosa.feature.mfcc(S=spectra.mel_db(feature.bands), n_mfcc=feature.n_mfcc))


@_feature.register
def _chroma(feature: kinds.Chroma, spectra: Spectra) -> Array:
    power, rate_hz = spectra.power(feature.n_fft, feature.hop_length), spectra.sample_rate_hz
    return np.asarray(librosa.feature.chroma_stft(S=power, sr=rate_hz, n_fft=feature.n_fft, n_chroma=feature.n_chroma))


@_feature.register
def _spectral_centroid(feature: kinds.SpectralCentroid, spectra: Spectra) -> Array:
    magnitude, rate_hz = spectra.magnitude(feature.n_fft, feature.hop_length), spectra.sample_rate_hz
    return np.asarray(librosa.feature.spectral_centroid(S=magnitude, sr=rate_hz, n_fft=feature.n_fft))


@_feature.register
def _spectral_rolloff(feature: kinds.SpectralRolloff, spectra: Spectra) -> Array:
    magnitude, rate_hz = spectra.magnitude(feature.n_fft, feature.hop_length), spectra.sample_rate_hz
    return np.asarray(
        librosa.feature.spectral_rolloff(
            S=magnitude, sr=rate_hz, n_fft=feature.n_fft, roll_percent=feature.roll_percent
        )
    )


@_feature.register
def _onset_strength(feature: kinds.OnsetStrength, spectra: Spectra) -> Array:
    return spectra.onset_strength(feature.bands)[np.newaxis]


@_feature.register
def _tempogram(feature: kinds.Tempogram, spectra: Spectra) -> Array:
    return np.asarray(
        librosa.feature.tempogram(
            onset_envelope=spectra.onset_strength(feature.bands),
            sr=spectra.sample_rate_hz,
            hop_length=feature.hop_length,
            win_length=feature.win_length,
        )
    )
