"""The features of a recording: named time-frequency arrays, each equal to what librosa computes.

A feature is a section of the configuration. Parameters that have librosa's names mean what they mean there and have
librosa's defaults. Two backends compute the features: `fast`, by blocks of frames and compiled loops, and `librosa`, by
that library's own functions, which is slower and which the tests hold the other to.

In single precision the rounding error is relative to a frame's loudest bin: the further a value lies below its frame's
peak, the less exact it is. Over 76 excerpts of real music of 30 s, `fast` and librosa differ in log-mel by at most
0.0016 dB (in half of the excerpts by less than 0.0002), after separation into harmonic and percussive parts by at most
0.013 dB (0.0008); in double precision by less than 0.00005 dB.
"""

from collections.abc import Collection
from typing import ClassVar, Literal, Self, get_args

import pydantic
from pydantic import Field

from pipelines.common.section import Section


class Feature(Section):
    """What every feature has: the window and the hop of its STFT, in samples.

    Frames are centred, as `librosa.stft` has them by default. A subclass is computed only once each backend has a
    recipe for that very class; recipes are not inherited.

    Attributes
    ----------
    n_fft : int
        The length of the STFT's window, in samples.
    hop_length : int
        The distance from one frame to the next, in samples.
    """

    n_fft: int = Field(default=2048, ge=16)
    hop_length: int = Field(default=512, ge=1)

    is_mel_spectrogram: ClassVar[bool] = False
    """Whether the bins are mel bands, so that a change of pitch shifts values from bin to bin."""

    is_level_db: ClassVar[bool] = False
    """Whether the values are levels in dB at the bins' frequencies, so that gain adds to them."""

    @property
    def bins(self) -> int:
        """How many values a frame has.

        >>> LogMel(n_mels=96).bins, Mfcc(n_mfcc=13).bins, SpectralCentroid().bins
        (96, 13, 1)
        """
        return 1

    def frames(self, samples: int) -> int:
        """How many frames a recording of so many samples has.

        >>> LogMel(hop_length=512).frames(22_050)
        44
        """
        return 1 + (samples - self.n_fft % 2) // self.hop_length

    def frame_rate_hz(self, sample_rate_hz: int) -> float:
        """How many frames a second has.

        >>> LogMel(hop_length=441).frame_rate_hz(22_050)
        50.0
        """
        return sample_rate_hz / self.hop_length

    def check_sample_rate(self, sample_rate_hz: int) -> None:
        """Refuses parameters that make no sense at a sample rate; `BuildConfig` asks it before anything is read.

        Raises
        ------
        ValueError
            Says which parameter is wrong, what it is, and what is expected.

        Examples
        --------
        >>> LogMel(fmin=5000.0).check_sample_rate(22_050)
        >>> LogMel(fmin=5000.0).check_sample_rate(8_000)
        Traceback (most recent call last):
        ...
        ValueError: fmin is 5000 Hz, expected less than 4000 Hz, half of audio.sample_rate_hz
        """


class StftDb(Feature):
    """`amplitude_to_db(abs(stft(y)))`: 1 + n_fft // 2 bins.

    Attributes
    ----------
    top_db : float or None
        Values are clipped at so many dB below the song's peak; None clips none.
    """

    top_db: float | None = Field(default=80.0, gt=0)

    is_level_db: ClassVar[bool] = True

    @property
    def bins(self) -> int:
        return 1 + self.n_fft // 2


class Mel(Feature):
    """What features of mel bands share.

    Attributes
    ----------
    n_mels : int
        How many bands.
    fmin : float
        The lowest frequency of the bands, in Hz.
    fmax : float or None
        The highest frequency of the bands, in Hz; None is half the sample rate.
    top_db : float or None
        Values are clipped at so many dB below the song's peak; None clips none.
    """

    n_mels: int = Field(default=128, ge=1)
    fmin: float = Field(default=0.0, ge=0)
    fmax: float | None = Field(default=None, gt=0)
    top_db: float | None = Field(default=80.0, gt=0)

    @property
    def bands(self) -> "Mel":
        """The bands alone. Features of several classes that have the same ones share one mel spectrogram.

        >>> LogMel(n_mels=40).bands == Mfcc(n_mels=40, n_mfcc=13).bands
        True
        """
        return Mel(**{name: getattr(self, name) for name in Mel.model_fields})

    @pydantic.model_validator(mode="after")
    def _has_a_frequency_range(self) -> Self:
        if self.fmax is not None and self.fmin >= self.fmax:
            raise ValueError(f"fmin is {self.fmin:g} Hz, expected less than fmax, {self.fmax:g} Hz")
        return self

    def check_sample_rate(self, sample_rate_hz: int) -> None:
        half_hz = sample_rate_hz / 2
        if self.fmin >= half_hz:
            raise ValueError(
                f"fmin is {self.fmin:g} Hz, expected less than {half_hz:g} Hz, half of audio.sample_rate_hz"
            )
        # A class's own default may lie above it: as in librosa, those bands are empty.
        if self.fmax is not None and self.fmax > half_hz and self.fmax != type(self).model_fields["fmax"].default:
            raise ValueError(f"fmax is {self.fmax:g} Hz, expected at most {half_hz:g} Hz, half of audio.sample_rate_hz")


class LogMel(Mel):
    """`power_to_db(melspectrogram(y))`: n_mels bins."""

    is_mel_spectrogram: ClassVar[bool] = True
    is_level_db: ClassVar[bool] = True

    @property
    def bins(self) -> int:
        return self.n_mels


class MusicnnMel(LogMel):
    """The log-mel spectrogram that the network musicnn was trained on: 96 bins up to 8 kHz.

    Windows have 32 ms, one every 16 ms. The defaults are for 22,050 Hz; for 16,000 Hz set n_fft 512, hop_length 256.
    """

    n_fft: int = Field(default=704, ge=16)
    hop_length: int = Field(default=353, ge=1)
    n_mels: int = Field(default=96, ge=1)
    fmax: float | None = Field(default=8000.0, gt=0)
    top_db: float | None = Field(default=None, gt=0)


class HarmonicMel(LogMel):
    """The log-mel spectrogram of the harmonic part, `decompose.hpss(abs(stft(y)))[0]`: n_mels bins.

    The part is taken of the magnitudes, not of audio resynthesised by `effects.hpss(y)`.

    Attributes
    ----------
    kernel_size : int
        The length of the median filters, in frames and in bins.
    """

    kernel_size: int = Field(default=31, ge=1)


class PercussiveMel(HarmonicMel):
    """The log-mel spectrogram of the percussive part, `decompose.hpss(abs(stft(y)))[1]`: n_mels bins."""


class Mfcc(Mel):
    """`mfcc(y)`: n_mfcc bins.

    Attributes
    ----------
    n_mfcc : int
        How many coefficients, from the zeroth.
    """

    n_mfcc: int = Field(default=20, ge=1)

    @pydantic.model_validator(mode="after")
    def _has_enough_bands(self) -> Self:
        if self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc is {self.n_mfcc}, expected at most n_mels, {self.n_mels}")
        return self

    @property
    def bins(self) -> int:
        return self.n_mfcc


class Chroma(Feature):
    """`chroma_stft(y)`, adjusted to the song's tuning: n_chroma bins.

    Attributes
    ----------
    n_chroma : int
        How many pitch classes an octave has.
    """

    n_chroma: int = Field(default=12, ge=1)

    @property
    def bins(self) -> int:
        return self.n_chroma


class SpectralCentroid(Feature):
    """`spectral_centroid(y)`, in Hz: one bin."""


class SpectralRolloff(Feature):
    """`spectral_rolloff(y)`, in Hz: one bin.

    Attributes
    ----------
    roll_percent : float
        The share of a frame's magnitude that lies at or below the rolloff frequency.
    """

    roll_percent: float = Field(default=0.85, gt=0, lt=1)


class OnsetStrength(Mel):
    """`onset_strength(y)`: one bin."""


class Tempogram(Mel):
    """`tempogram(y)`, the local autocorrelation of the onset envelope: win_length bins.

    Attributes
    ----------
    win_length : int
        The length of the autocorrelation's window, in frames.
    """

    win_length: int = Field(default=384, ge=1)

    @property
    def bins(self) -> int:
        return self.win_length


class Features(Section):
    """The features of a dataset, by name; those that are set are computed, in the order below.

    Attributes
    ----------
    backend : 'fast' or 'librosa'
        Which implementation computes them.
    precision : 'single' or 'double'
        Whether they are computed in float32 or float64. The result is float32 either way.
    """

    stft_db: StftDb | None = None
    log_mel: LogMel | None = None
    musicnn_mel: MusicnnMel | None = None
    harmonic_mel: HarmonicMel | None = None
    percussive_mel: PercussiveMel | None = None
    mfcc: Mfcc | None = None
    chroma: Chroma | None = None
    spectral_centroid: SpectralCentroid | None = None
    spectral_rolloff: SpectralRolloff | None = None
    onset_strength: OnsetStrength | None = None
    tempogram: Tempogram | None = None
    backend: Literal["fast", "librosa"] = "fast"
    precision: Literal["single", "double"] = "single"

    @pydantic.model_validator(mode="after")
    def _some_are_chosen(self) -> Self:
        if not self.chosen:
            raise ValueError(f"no feature is named; choose among {', '.join(self.names())}")
        return self

    @classmethod
    def names(cls) -> list[str]:
        """The names of all features.

        >>> Features.names()[:3]
        ['stft_db', 'log_mel', 'musicnn_mel']
        """
        return [name for name in cls.model_fields if name not in ("backend", "precision")]

    @classmethod
    def class_of(cls, name: str) -> type[Feature]:
        """The class of a feature's parameters.

        >>> Features.class_of("log_mel").is_mel_spectrogram, Features.class_of("chroma").is_mel_spectrogram
        (True, False)
        """
        feature: type[Feature] = get_args(cls.model_fields[name].annotation)[0]
        return feature

    @property
    def chosen(self) -> dict[str, Feature]:
        """The features that are set, by name.

        >>> Features(mfcc=Mfcc(n_mfcc=13), chroma=Chroma()).chosen.keys()
        dict_keys(['mfcc', 'chroma'])
        """
        every = {name: getattr(self, name) for name in self.names()}
        return {name: feature for name, feature in every.items() if feature is not None}

    def only(self, names: Collection[str]) -> Self:
        """The same, with the named features alone.

        >>> Features(mfcc=Mfcc(), chroma=Chroma()).only(["chroma"]).chosen.keys()
        dict_keys(['chroma'])
        """
        return self.model_copy(update={name: None for name in self.names() if name not in names})
