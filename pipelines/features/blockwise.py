"""The backend `fast`: one pass over a recording's STFT, block by block, computes all features that share it.

A feature's recipe says which readers take part in the pass, and gives a function that completes the feature afterwards.
A reader that one feature alone needs stands beside its recipe, those that others share in `pipelines.features.spectra`.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays import aligned
from pipelines.common.arrays.spooled import FrameArray, empty, row_chunks
from pipelines.features import fft, kernels, schema
from pipelines.features.chroma import ChromaReader, PeaksReader
from pipelines.features.fft import FrameSpectra, RealTransform
from pipelines.features.hpss import HpssReader
from pipelines.features.kernels import FRAMES
from pipelines.features.recipes import Recipes
from pipelines.features.spectra import (
    BandsReader,
    BlockStft,
    FrameBlock,
    FrameReader,
    PowerReader,
    Reader,
    hann,
)

Complete = Callable[[], FrameArray]
"""What is left to do after the pass: gives the feature, shape (frames, bins)."""

ReaderT = TypeVar("ReaderT", bound=Reader)

_MIN_POWER = 1e-10  # -100 dB: the default `amin` of `librosa.power_to_db`
_MAX_KEPT_FRAMES = 4096
_DB_AT_ONCE = 1024


def compute(
    samples: FrameArray, sample_rate_hz: int, features: Mapping[str, schema.Feature], dtype: np.dtype[Any]
) -> dict[str, FrameArray]:
    """The features by name, shape (frames, bins), computed in `dtype`, float32 or float64."""
    passes: dict[tuple[int, int], StftPass] = {}
    completions: dict[str, Complete] = {}
    for name, feature in features.items():
        key = (feature.n_fft, feature.hop_length)
        if key not in passes:
            passes[key] = StftPass(BlockStft(samples, sample_rate_hz, feature, dtype))
        completions[name] = _RECIPES.of(feature)(feature, passes[key])
    try:
        for stft_pass in passes.values():
            stft_pass.run()
        return {name: complete() for name, complete in completions.items()}
    finally:
        for stft_pass in passes.values():
            stft_pass.close()


class StftPass:
    """One pass over the blocks of an STFT, for all features that share it."""

    def __init__(self, stft: BlockStft):
        self.stft = stft
        self._readers: list[Reader] = []
        self._mel_db: dict[schema.Mel, Complete] = {}
        self._onsets: dict[schema.Mel, Callable[[], NDArray[Any]]] = {}
        self._hpss: dict[int, HpssReader] = {}
        self._buffer: NDArray[Any] | None = None
        self._power: NDArray[Any] | None = None
        self._kept: list[FrameBlock] = []

    def add(self, reader: ReaderT) -> ReaderT:
        """Adds a reader to the pass, and returns it."""
        self._readers.append(reader)
        return reader

    def mel_db(self, mel: schema.Mel) -> Complete:
        """The mel spectrogram in dB, shared by the features that ask for it."""
        if mel not in self._mel_db:
            bands = self.add(BandsReader(self.stft, mel))
            self._mel_db[mel] = functools.cache(lambda: _to_db(bands.values, mel.top_db))
        return self._mel_db[mel]

    def onsets(self, mel: schema.Mel) -> Callable[[], NDArray[Any]]:
        """The onset envelope of a mel spectrogram, shape (frames,), shared by the features that ask for it."""
        if mel not in self._onsets:
            mel_db = self.mel_db(mel)
            self._onsets[mel] = functools.cache(lambda: _onset_strengths(mel_db(), mel))
        return self._onsets[mel]

    def hpss(self, kernel_size: int) -> HpssReader:
        """The separation into harmonic and percussive parts, shared by the features that ask for it."""
        if kernel_size not in self._hpss:
            self._hpss[kernel_size] = self.add(HpssReader(self.stft, kernel_size))
        return self._hpss[kernel_size]

    def keep_for_second_pass(self) -> None:
        """Keeps the blocks for `second_pass`, unless the recording is long."""
        if self.stft.frames <= _MAX_KEPT_FRAMES:
            shape = (-(-self.stft.frames // FRAMES), self.stft.bins, FRAMES)
            size = math.prod(shape) * self.stft.dtype.itemsize
            self._buffer = _buffer(size)
            self._power = self._buffer[:size].view(self.stft.dtype).reshape(shape)

    def run(self) -> None:
        """Gives every block to every reader."""
        for block in self.stft.blocks(self._power):
            for reader in self._readers:
                reader.read(block)
            if self._power is not None:
                self._kept.append(replace(block))  # without the magnitude that it may have cached

    def second_pass(self) -> Iterable[FrameBlock]:
        """The same blocks once more: those kept, or computed anew."""
        return self._kept or self.stft.blocks()

    def close(self) -> None:
        """Leaves its buffer to the next recording."""
        if self._buffer is not None:
            _free_buffers.append(self._buffer)


_free_buffers: list[NDArray[Any]] = []


def _buffer(size: int) -> NDArray[Any]:
    """A buffer of at least so many bytes, if possible one that an earlier recording used.

    Allocating anew for each recording took a tenth of the time of nine features. Buffers belong to no thread: a Beam
    runner works in many threads, of which few run at a time.
    """
    try:
        buffer = _free_buffers.pop()
    except IndexError:
        buffer = np.empty(0, np.uint8)
    return buffer if len(buffer) >= size else aligned.empty((size,), np.uint8)


_RECIPES: Recipes[Callable[[Any, StftPass], Complete]] = Recipes("fast")


@_RECIPES.register(schema.StftDb)
def _stft_db(feature: schema.StftDb, stft_pass: StftPass) -> Complete:
    power = stft_pass.add(PowerReader(stft_pass.stft))
    return lambda: _to_db(power.values, feature.top_db)


@_RECIPES.register(schema.LogMel, schema.MusicnnMel)
def _log_mel(feature: schema.LogMel, stft_pass: StftPass) -> Complete:
    return stft_pass.mel_db(feature.bands)


@_RECIPES.register(schema.HarmonicMel)
def _harmonic_mel(feature: schema.HarmonicMel, stft_pass: StftPass) -> Complete:
    bands = BandsReader(stft_pass.stft, feature.bands)
    stft_pass.hpss(feature.kernel_size).harmonic.append(bands)
    return lambda: _to_db(bands.values, feature.top_db)


@_RECIPES.register(schema.PercussiveMel)
def _percussive_mel(feature: schema.PercussiveMel, stft_pass: StftPass) -> Complete:
    bands = BandsReader(stft_pass.stft, feature.bands)
    stft_pass.hpss(feature.kernel_size).percussive.append(bands)
    return lambda: _to_db(bands.values, feature.top_db)


@_RECIPES.register(schema.Mfcc)
def _mfcc(feature: schema.Mfcc, stft_pass: StftPass) -> Complete:
    mel_db = stft_pass.mel_db(feature.bands)
    return lambda: _cepstra(mel_db(), feature.n_mfcc)


@_RECIPES.register(schema.Chroma)
def _chroma(feature: schema.Chroma, stft_pass: StftPass) -> Complete:
    peaks = stft_pass.add(PeaksReader(stft_pass.stft))
    stft_pass.keep_for_second_pass()

    def complete() -> FrameArray:
        chroma = ChromaReader(stft_pass.stft, feature.n_chroma, peaks.tuning(feature.n_chroma))
        for block in stft_pass.second_pass():
            chroma.read(block)
        for rows in row_chunks(chroma.values):
            power = chroma.values[rows]
            _normalise(power, power.max(axis=1, keepdims=True))
            chroma.values[rows] = power
        return chroma.values

    return complete


class CentroidReader(FrameReader):
    """Takes the spectral centroid, Hz."""

    def read_frames(self, block: FrameBlock, out: NDArray[Any]) -> None:
        kernels.centroids(block.magnitude, self.stft.frequencies_hz, out)


@_RECIPES.register(schema.SpectralCentroid)
def _spectral_centroid(feature: schema.SpectralCentroid, stft_pass: StftPass) -> Complete:
    centroid = stft_pass.add(CentroidReader(stft_pass.stft))
    return lambda: centroid.values


class RolloffReader(FrameReader):
    """Takes the spectral rolloff, Hz."""

    def __init__(self, stft: BlockStft, roll_percent: float):
        super().__init__(stft)
        self._share = stft.dtype.type(roll_percent)

    def read_frames(self, block: FrameBlock, out: NDArray[Any]) -> None:
        kernels.rolloffs(block.magnitude, self.stft.frequencies_hz, self._share, out)


@_RECIPES.register(schema.SpectralRolloff)
def _spectral_rolloff(feature: schema.SpectralRolloff, stft_pass: StftPass) -> Complete:
    rolloff = stft_pass.add(RolloffReader(stft_pass.stft, feature.roll_percent))
    return lambda: rolloff.values


@_RECIPES.register(schema.OnsetStrength)
def _onset_strength(feature: schema.OnsetStrength, stft_pass: StftPass) -> Complete:
    onsets = stft_pass.onsets(feature.bands)
    return lambda: onsets()[:, np.newaxis]


@_RECIPES.register(schema.Tempogram)
def _tempogram(feature: schema.Tempogram, stft_pass: StftPass) -> Complete:
    onsets = stft_pass.onsets(feature.bands)
    return lambda: _autocorrelations(onsets(), feature.win_length)


def _to_db(power: FrameArray, top_db: float | None) -> FrameArray:
    """Converts power to dB in place, as `librosa.power_to_db`."""
    peak, exponents = -np.inf, np.empty(_DB_AT_ONCE, np.int32)
    for rows in row_chunks(power):
        values = power[rows]
        _raise_to(values, _MIN_POWER)
        if values.dtype == np.float32 and values.max() < np.inf:
            kernels.decibels(values.ravel(), values.view(np.int32).ravel(), exponents)
        else:
            np.log10(values, out=values)
            values *= 10
        power[rows] = values
        peak = max(peak, values.max())
    if top_db is not None:
        for rows in row_chunks(power):
            values = power[rows]
            _raise_to(values, peak - top_db)
            power[rows] = values
    return power


def _raise_to(values: NDArray[Any], least: float) -> None:
    """Replaces what is less, in place."""
    # By a row of the number: numpy takes more than twice as long by the number itself.
    np.maximum(values, np.full(values.shape[1:], least, values.dtype), out=values)


def _cepstra(mel_db: FrameArray, n_mfcc: int) -> FrameArray:
    """The MFCCs of a mel spectrogram in dB, as `librosa.feature.mfcc`, shape (frames, n_mfcc)."""
    import scipy.fft

    values = empty((len(mel_db), n_mfcc), mel_db.dtype)
    for rows in row_chunks(mel_db):
        values[rows] = scipy.fft.dct(mel_db[rows], axis=1, norm="ortho", workers=1)[:, :n_mfcc]
    return values


def _normalise(values: NDArray[Any], maxima: NDArray[Any]) -> None:
    """Divides values by their frame's maximum in place, as `librosa.util.normalize`."""
    values /= np.where(maxima < np.finfo(values.dtype).tiny, 1, maxima)


def _onset_strengths(mel_db: FrameArray, feature: schema.Feature) -> NDArray[Any]:
    """The onset envelope, as `librosa.onset.onset_strength`, shape (frames,)."""
    rises = np.empty(len(mel_db) - 1, mel_db.dtype)
    for rows in row_chunks(mel_db):
        bands = mel_db[rows.start : rows.stop + 1]
        rises[rows] = np.maximum(0, bands[1:] - bands[:-1]).mean(axis=1)
    delay = 1 + feature.n_fft // (2 * feature.hop_length)
    return np.pad(rises, (delay, 0))[: len(mel_db)]


def _autocorrelations(onsets: NDArray[Any], win_length: int) -> FrameArray:
    """The local autocorrelation of an onset envelope, as `librosa.feature.tempogram`, shape (frames, win_length)."""
    length = fft.length_of(2 * win_length - 1)
    window = np.pad(hann(win_length), (0, length - win_length))
    spectra = FrameSpectra(window, 1, onsets.dtype)
    # A power spectrum, mirrored, is real and even: so is its transform, and which way it goes makes no difference.
    bins = np.arange(length)
    inverse = RealTransform(FRAMES * np.minimum(bins, length - bins), np.full(length, 1 / length), onsets.dtype)
    half = win_length // 2
    padded = np.pad(np.pad(onsets, half, mode="linear_ramp"), (0, spectra.samples))
    values = empty((len(onsets), win_length), onsets.dtype)
    power, products = np.empty((2, 1 + length // 2, FRAMES), onsets.dtype)
    of_block = np.empty((FRAMES, win_length), onsets.dtype)
    for first in range(0, len(values), FRAMES):
        spectra.write(padded[first : first + spectra.samples], power)
        inverse.real(power, products)
        lags = products[:win_length]
        _normalise(lags, lags[:1].copy())  # an autocorrelation has its maximum at lag 0
        kernels.transpose(lags, of_block)
        values[first : first + FRAMES] = of_block[: len(values) - first]
    return values
