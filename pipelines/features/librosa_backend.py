"""The backend `librosa`: librosa's own functions, slow, and the reference for the backend `fast`.

What several features need (the STFT, its harmonic and percussive parts, mel spectrograms) is computed once.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays.jit import by_one_process
from pipelines.common.arrays.spooled import FrameArray
from pipelines.features import schema
from pipelines.features.recipes import Recipes

with by_one_process():  # librosa compiles when it is imported, and `librosa.beat` imports all of it that does
    import librosa
    import librosa.beat

Method = TypeVar("Method", bound=Callable[..., Any])


def _once(compute: Method) -> Method:
    """Computes a method once for each set of arguments, and keeps the result as long as the object."""

    @functools.wraps(compute)
    def kept(self: "SharedSpectra", *args: Any) -> Any:
        key = (compute.__name__, args)
        if key not in self._kept:
            self._kept[key] = compute(self, *args)
        return self._kept[key]

    return cast(Method, kept)


class SharedSpectra:
    """The spectra of one recording, each computed when first asked for and then shared.

    Parameters
    ----------
    samples : array, shape (samples,)
        Mono audio. Its dtype is that of the spectra.
    sample_rate_hz : int
    """

    def __init__(self, samples: NDArray[Any], sample_rate_hz: int):
        self.samples = samples
        self.sample_rate_hz = sample_rate_hz
        self._kept: dict[Any, Any] = {}

    @_once
    def magnitude(self, n_fft: int, hop_length: int) -> NDArray[Any]:
        """`abs(stft)`, shape (1 + n_fft // 2, frames)."""
        return np.asarray(np.abs(librosa.stft(self.samples, n_fft=n_fft, hop_length=hop_length)))

    @_once
    def power(self, n_fft: int, hop_length: int) -> NDArray[Any]:
        """The square of the magnitude."""
        return np.asarray(self.magnitude(n_fft, hop_length) ** 2)

    @_once
    def hpss(self, n_fft: int, hop_length: int, kernel_size: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The harmonic and the percussive part of the magnitude."""
        magnitude = self.magnitude(n_fft, hop_length)
        harmonic, percussive = librosa.decompose.hpss(magnitude, kernel_size=kernel_size)
        return harmonic, percussive

    @_once
    def mel_db(self, mel: schema.Mel) -> NDArray[Any]:
        """The mel spectrogram in dB, shape (n_mels, frames)."""
        return self.to_mel_db(self.power(mel.n_fft, mel.hop_length), mel)

    def to_mel_db(self, power: NDArray[Any], mel: schema.Mel) -> NDArray[Any]:
        """A power spectrogram, shape (1 + n_fft // 2, frames), as mel spectrogram in dB."""
        bands = librosa.feature.melspectrogram(
            S=power, sr=self.sample_rate_hz, n_fft=mel.n_fft, n_mels=mel.n_mels, fmin=mel.fmin, fmax=mel.fmax
        )
        return np.asarray(librosa.power_to_db(bands, top_db=mel.top_db))

    @_once
    def onset_strength(self, mel: schema.Mel) -> NDArray[Any]:
        """The onset envelope of a mel spectrogram, shape (frames,)."""
        return np.asarray(
            librosa.onset.onset_strength(
                S=self.mel_db(mel), sr=self.sample_rate_hz, n_fft=mel.n_fft, hop_length=mel.hop_length
            )
        )


def compute(
    samples: FrameArray, sample_rate_hz: int, features: Mapping[str, schema.Feature], dtype: np.dtype[Any]
) -> dict[str, NDArray[Any]]:
    """The features by name, shape (frames, bins), computed in `dtype`, float32 or float64."""
    spectra = SharedSpectra(samples[:].astype(dtype, copy=False), sample_rate_hz)
    return {name: _RECIPES.of(feature)(feature, spectra).T for name, feature in features.items()}


_RECIPES: Recipes[Callable[[Any, SharedSpectra], NDArray[Any]]] = Recipes("librosa")
"""Each gives a feature as librosa does, shape (bins, frames)."""


@_RECIPES.register(schema.StftDb)
def _stft_db(feature: schema.StftDb, spectra: SharedSpectra) -> NDArray[Any]:
    magnitude = spectra.magnitude(feature.n_fft, feature.hop_length)
    return np.asarray(librosa.amplitude_to_db(magnitude, top_db=feature.top_db))


@_RECIPES.register(schema.LogMel, schema.MusicnnMel)
def _log_mel(feature: schema.LogMel, spectra: SharedSpectra) -> NDArray[Any]:
    return spectra.mel_db(feature.bands)


@_RECIPES.register(schema.HarmonicMel)
def _harmonic_mel(feature: schema.HarmonicMel, spectra: SharedSpectra) -> NDArray[Any]:
    harmonic, _ = spectra.hpss(feature.n_fft, feature.hop_length, feature.kernel_size)
    return spectra.to_mel_db(harmonic**2, feature)


@_RECIPES.register(schema.PercussiveMel)
def _percussive_mel(feature: schema.PercussiveMel, spectra: SharedSpectra) -> NDArray[Any]:
    _, percussive = spectra.hpss(feature.n_fft, feature.hop_length, feature.kernel_size)
    return spectra.to_mel_db(percussive**2, feature)


@_RECIPES.register(schema.Mfcc)
def _mfcc(feature: schema.Mfcc, spectra: SharedSpectra) -> NDArray[Any]:
    return np.asarray(librosa.feature.mfcc(S=spectra.mel_db(feature.bands), n_mfcc=feature.n_mfcc))


@_RECIPES.register(schema.Chroma)
def _chroma(feature: schema.Chroma, spectra: SharedSpectra) -> NDArray[Any]:
    power, rate_hz = spectra.power(feature.n_fft, feature.hop_length), spectra.sample_rate_hz
    return np.asarray(librosa.feature.chroma_stft(S=power, sr=rate_hz, n_fft=feature.n_fft, n_chroma=feature.n_chroma))


@_RECIPES.register(schema.SpectralCentroid)
def _spectral_centroid(feature: schema.SpectralCentroid, spectra: SharedSpectra) -> NDArray[Any]:
    magnitude, rate_hz = spectra.magnitude(feature.n_fft, feature.hop_length), spectra.sample_rate_hz
    return np.asarray(librosa.feature.spectral_centroid(S=magnitude, sr=rate_hz, n_fft=feature.n_fft))


@_RECIPES.register(schema.SpectralRolloff)
def _spectral_rolloff(feature: schema.SpectralRolloff, spectra: SharedSpectra) -> NDArray[Any]:
    magnitude, rate_hz = spectra.magnitude(feature.n_fft, feature.hop_length), spectra.sample_rate_hz
    return np.asarray(
        librosa.feature.spectral_rolloff(
            S=magnitude, sr=rate_hz, n_fft=feature.n_fft, roll_percent=feature.roll_percent
        )
    )


@_RECIPES.register(schema.OnsetStrength)
def _onset_strength(feature: schema.OnsetStrength, spectra: SharedSpectra) -> NDArray[Any]:
    return spectra.onset_strength(feature.bands)[np.newaxis]


@_RECIPES.register(schema.Tempogram)
def _tempogram(feature: schema.Tempogram, spectra: SharedSpectra) -> NDArray[Any]:
    return np.asarray(
        librosa.feature.tempogram(
            onset_envelope=spectra.onset_strength(feature.bands),
            sr=spectra.sample_rate_hz,
            hop_length=feature.hop_length,
            win_length=feature.win_length,
        )
    )
