"""The features of a song: named time-frequency arrays, each equal to librosa's.

A feature is a section of the configuration that can compute itself. What several features need of a song (its STFT,
its harmonic and percussive parts, its mel bands) is computed once, in `Spectra`. Wherever a parameter has librosa's
name it means what it means there, and its default is librosa's.
"""

import functools
from collections.abc import Callable, Collection
from typing import Any, Self, TypeVar, cast

import numpy as np
import pydantic
from numpy.typing import NDArray
from pydantic import Field

from pipelines.section import Section

Array = NDArray[np.float32]
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
        Mono audio.
    sample_rate_hz : int
    """

    def __init__(self, samples: Array, sample_rate_hz: int):
        self.samples = samples
        self.sample_rate_hz = sample_rate_hz
        self._kept: dict[Any, Any] = {}

    @_once
    def magnitude(self, n_fft: int, hop_length: int) -> Array:
        """`abs(stft)`, shape (1 + n_fft / 2, frames)."""
        import librosa

        return np.asarray(np.abs(librosa.stft(self.samples, n_fft=n_fft, hop_length=hop_length)))

    @_once
    def power(self, n_fft: int, hop_length: int) -> Array:
        """The magnitude's square."""
        return np.asarray(self.magnitude(n_fft, hop_length) ** 2)

    @_once
    def hpss(self, n_fft: int, hop_length: int, kernel_size: int) -> tuple[Array, Array]:
        """The magnitude's harmonic and percussive parts."""
        import librosa

        magnitude = self.magnitude(n_fft, hop_length)
        harmonic, percussive = librosa.decompose.hpss(magnitude, kernel_size=kernel_size)
        return harmonic, percussive

    @_once
    def mel_db(self, mel: "Mel") -> Array:
        """The song's mel bands in dB, shape (n_mels, frames)."""
        return self.to_mel_db(self.power(mel.n_fft, mel.hop_length), mel)

    def to_mel_db(self, power: Array, mel: "Mel") -> Array:
        """The mel bands, in dB, of a power spectrum of this song or of a part of it."""
        import librosa

        bands = librosa.feature.melspectrogram(
            S=power, sr=self.sample_rate_hz, n_fft=mel.n_fft, n_mels=mel.n_mels, fmin=mel.fmin, fmax=mel.fmax
        )
        return np.asarray(librosa.power_to_db(bands, top_db=mel.top_db))

    @_once
    def onset_strength(self, mel: "Mel") -> Array:
        """The onset envelope over these mel bands, shape (frames,)."""
        import librosa

        return np.asarray(
            librosa.onset.onset_strength(
                S=self.mel_db(mel), sr=self.sample_rate_hz, n_fft=mel.n_fft, hop_length=mel.hop_length
            )
        )


class Stft(Section):
    """What every feature has: the window and the hop of its STFT, in samples."""

    n_fft: int = Field(2048, ge=16)
    hop_length: int = Field(512, ge=1)

    @property
    def bins(self) -> int:
        """How many values a frame has."""
        return 1

    def compute(self, spectra: Spectra) -> Array:
        """The feature as librosa gives it, shape (bins, frames)."""
        raise NotImplementedError


class StftDb(Stft):
    """`amplitude_to_db(abs(stft(y)))`: 1 + n_fft / 2 bins."""

    top_db: float | None = Field(80.0, gt=0)

    @property
    def bins(self) -> int:
        return 1 + self.n_fft // 2

    def compute(self, spectra: Spectra) -> Array:
        import librosa

        magnitude = spectra.magnitude(self.n_fft, self.hop_length)
        return np.asarray(librosa.amplitude_to_db(magnitude, top_db=self.top_db))


class Mel(Stft):
    """What the features over mel bands share: `fmin` and `fmax` in Hz, `top_db` under the song's peak."""

    n_mels: int = Field(128, ge=1)
    fmin: float = Field(0.0, ge=0)
    fmax: float | None = Field(None, gt=0)
    top_db: float | None = Field(80.0, gt=0)

    @property
    def bands(self) -> "Mel":
        """These bands alone, by which features of different kinds share one mel spectrum."""
        return Mel(**{name: getattr(self, name) for name in Mel.model_fields})


class LogMel(Mel):
    """`power_to_db(melspectrogram(y))`: n_mels bins."""

    @property
    def bins(self) -> int:
        return self.n_mels

    def compute(self, spectra: Spectra) -> Array:
        return spectra.mel_db(self.bands)


class HarmonicMel(LogMel):
    """The log-mel of `decompose.hpss(abs(stft(y)))[0]`: n_mels bins.

    The harmonic part is taken from the magnitudes, not from audio resynthesised by `effects.hpss(y)`.
    """

    kernel_size: int = Field(31, ge=1)

    def compute(self, spectra: Spectra) -> Array:
        return spectra.to_mel_db(self._part(spectra, 0) ** 2, self)

    def _part(self, spectra: Spectra, index: int) -> Array:
        return spectra.hpss(self.n_fft, self.hop_length, self.kernel_size)[index]


class PercussiveMel(HarmonicMel):
    """The log-mel of `decompose.hpss(abs(stft(y)))[1]`: n_mels bins."""

    def compute(self, spectra: Spectra) -> Array:
        return spectra.to_mel_db(self._part(spectra, 1) ** 2, self)


class Mfcc(Mel):
    """`mfcc(y)`: n_mfcc bins."""

    n_mfcc: int = Field(20, ge=1)

    @pydantic.model_validator(mode="after")
    def _has_enough_bands(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc is {self.n_mfcc}, expected at most n_mels, {self.n_mels}")
        return self

    @property
    def bins(self) -> int:
        return self.n_mfcc

    def compute(self, spectra: Spectra) -> Array:
        import librosa

        return np.asarray(librosa.feature.mfcc(S=spectra.mel_db(self.bands), n_mfcc=self.n_mfcc))


class Chroma(Stft):
    """`chroma_stft(y)`: n_chroma bins, tuned to the song."""

    n_chroma: int = Field(12, ge=1)

    @property
    def bins(self) -> int:
        return self.n_chroma

    def compute(self, spectra: Spectra) -> Array:
        import librosa

        power = spectra.power(self.n_fft, self.hop_length)
        return np.asarray(
            librosa.feature.chroma_stft(S=power, sr=spectra.sample_rate_hz, n_fft=self.n_fft, n_chroma=self.n_chroma)
        )


class SpectralCentroid(Stft):
    """`spectral_centroid(y)`, Hz: one bin."""

    def compute(self, spectra: Spectra) -> Array:
        import librosa

        magnitude = spectra.magnitude(self.n_fft, self.hop_length)
        return np.asarray(librosa.feature.spectral_centroid(S=magnitude, sr=spectra.sample_rate_hz))


class SpectralRolloff(Stft):
    """`spectral_rolloff(y)`, Hz: one bin."""

    roll_percent: float = Field(0.85, gt=0, lt=1)

    def compute(self, spectra: Spectra) -> Array:
        import librosa

        magnitude = spectra.magnitude(self.n_fft, self.hop_length)
        return np.asarray(
            librosa.feature.spectral_rolloff(S=magnitude, sr=spectra.sample_rate_hz, roll_percent=self.roll_percent)
        )


class OnsetStrength(Mel):
    """`onset_strength(y)`: one bin."""

    def compute(self, spectra: Spectra) -> Array:
        return spectra.onset_strength(self.bands)[np.newaxis]


class Tempogram(Mel):
    """`tempogram(y)`, the onset envelope's local autocorrelation: win_length bins."""

    win_length: int = Field(384, ge=1)

    @property
    def bins(self) -> int:
        return self.win_length

    def compute(self, spectra: Spectra) -> Array:
        import librosa

        return np.asarray(
            librosa.feature.tempogram(
                onset_envelope=spectra.onset_strength(self.bands),
                sr=spectra.sample_rate_hz,
                hop_length=self.hop_length,
                win_length=self.win_length,
            )
        )


class Features(Section):
    """The features of a dataset by name; those that are set are computed, in the order below."""

    stft_db: StftDb | None = None
    log_mel: LogMel | None = None
    harmonic_mel: HarmonicMel | None = None
    percussive_mel: PercussiveMel | None = None
    mfcc: Mfcc | None = None
    chroma: Chroma | None = None
    spectral_centroid: SpectralCentroid | None = None
    spectral_rolloff: SpectralRolloff | None = None
    onset_strength: OnsetStrength | None = None
    tempogram: Tempogram | None = None

    @pydantic.model_validator(mode="after")
    def _some_are_chosen(self) -> Self:
        if not self.chosen:
            raise ValueError(f"no feature is named; choose among {', '.join(type(self).model_fields)}")
        return self

    @property
    def chosen(self) -> dict[str, Stft]:
        """The features that are set, by name."""
        every = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: feature for name, feature in every.items() if feature is not None}

    def only(self, names: Collection[str]) -> Self:
        """Those of the features that are named."""
        return self.model_copy(update={name: None for name in type(self).model_fields if name not in names})


def compute(samples: Array, sample_rate_hz: int, features: Features) -> dict[str, Array]:
    """Computes a song's features.

    Parameters
    ----------
    samples : array, shape (samples,)
        Mono audio.
    sample_rate_hz : int
    features : Features

    Returns
    -------
    dict
        Each feature by name: float32, shape (frames, bins), frames = 1 + samples // hop_length.
    """
    spectra = Spectra(samples, sample_rate_hz)
    return {
        name: np.ascontiguousarray(feature.compute(spectra).T, dtype=np.float32)
        for name, feature in features.chosen.items()
    }
