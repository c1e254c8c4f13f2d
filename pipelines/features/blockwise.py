"""The features by the project's own spectra: a song's STFT is computed once, block by block, and all is read off it.

A recipe says what is to be read off for a feature, and is the function that afterwards makes the feature of it.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import scipy.fft

from pipelines.common.arrays.spooled import Rows, room, stretches
from pipelines.features import kernels
from pipelines.features import schema as kinds
from pipelines.features.hpss import Separation
from pipelines.features.kernels import FRAMES
from pipelines.features.spectra import (
    Array,
    Bands,
    Block,
    Centroid,
    Chroma,
    Peaks,
    Power,
    Reader,
    Rolloff,
    Spectra,
    hann,
)

Recipe = Callable[[], Rows]
ReaderT = TypeVar("ReaderT", bound=Reader)

_LEAST_POWER = 1e-10
_MOST_KEPT_FRAMES = 4096
_STRETCHES = 64


def compute(
    samples: Rows, sample_rate_hz: int, features: Mapping[str, kinds.Stft], dtype: np.dtype[Any]
) -> dict[str, Rows]:
    """A song's features by name, shape (frames, bins), computed in `dtype`, float32 or float64."""
    readings: dict[tuple[int, int], Reading] = {}
    recipes: dict[str, Recipe] = {}
    for name, feature in features.items():
        stft = (feature.n_fft, feature.hop_length)
        if stft not in readings:
            readings[stft] = Reading(Spectra(samples, sample_rate_hz, feature, dtype))
        recipes[name] = _recipe(feature, readings[stft])
    for reading in readings.values():
        reading.run()
    values = {name: recipe() for name, recipe in recipes.items()}
    for reading in readings.values():
        reading.close()
    return values


class Reading:
    """One reading of a song's spectra, for all features that share an STFT."""

    def __init__(self, spectra: Spectra):
        self.spectra = spectra
        self._readers: list[Reader] = []
        self._mel_db: dict[kinds.Mel, Recipe] = {}
        self._onsets: dict[kinds.Mel, Callable[[], Array]] = {}
        self._separations: dict[int, Separation] = {}
        self._room: Array | None = None
        self._power: Array | None = None
        self._kept: list[Block] = []

    def add(self, reader: ReaderT) -> ReaderT:
        """Has a reader take part."""
        self._readers.append(reader)
        return reader

    def mel_db(self, mel: kinds.Mel) -> Recipe:
        """The song's mel bands in dB, shared by all who ask for them."""
        if mel not in self._mel_db:
            bands = self.add(Bands(self.spectra, mel))
            self._mel_db[mel] = functools.cache(lambda: _to_db(bands.values, mel.top_db))
        return self._mel_db[mel]

    def onsets(self, mel: kinds.Mel) -> Callable[[], Array]:
        """The song's onset envelope over these mel bands, shape (frames,), shared by all who ask for it."""
        if mel not in self._onsets:
            mel_db = self.mel_db(mel)
            self._onsets[mel] = functools.cache(lambda: _onset_strengths(mel_db(), mel))
        return self._onsets[mel]

    def separation(self, kernel_size: int) -> Separation:
        """The song's two parts, shared by all who ask for them."""
        if kernel_size not in self._separations:
            self._separations[kernel_size] = self.add(Separation(self.spectra, kernel_size))
        return self._separations[kernel_size]

    def keep(self) -> None:
        """Has the blocks kept for the one who needs them again, unless the song is long."""
        if self.spectra.frames <= _MOST_KEPT_FRAMES:
            shape = (-(-self.spectra.frames // FRAMES), self.spectra.bins, FRAMES)
            size = math.prod(shape) * self.spectra.dtype.itemsize
            self._room = _room(size)
            self._power = self._room[:size].view(self.spectra.dtype).reshape(shape)

    def run(self) -> None:
        """Reads the song."""
        for block in self.spectra.blocks(self._power):
            for reader in self._readers:
                reader.read(block)
            if self._power is not None:
                self._kept.append(replace(block))  # the power alone

    def again(self) -> Iterable[Block]:
        """The blocks that were read."""
        return self._kept or self.spectra.blocks()

    def close(self) -> None:
        """Leaves its room to the next song."""
        if self._room is not None:
            _free_rooms.append(self._room)


_free_rooms: list[Array] = []


def _room(size: int) -> Array:
    """Room of so many bytes, if possible that of an earlier song.

    To be given fresh memory for each song took a tenth of the time of nine features. No room is a thread's own: a
    runner works in many threads, a few at once.
    """
    try:
        room = _free_rooms.pop()
    except IndexError:
        room = np.empty(0, np.uint8)
    return room if len(room) >= size else np.empty(size, np.uint8)


@functools.singledispatch
def _recipe(feature: kinds.Stft, reading: Reading) -> Recipe:
    raise NotImplementedError(type(feature).__name__)


@_recipe.register
def _stft_db(feature: kinds.StftDb, reading: Reading) -> Recipe:
    power = reading.add(Power(reading.spectra))
    return lambda: _to_db(power.values, feature.top_db)


@_recipe.register
def _log_mel(feature: kinds.LogMel, reading: Reading) -> Recipe:
    return reading.mel_db(feature.bands)


@_recipe.register
def _harmonic_mel(feature: kinds.HarmonicMel, reading: Reading) -> Recipe:
    bands = Bands(reading.spectra, feature.bands)
    reading.separation(feature.kernel_size).harmonic.append(bands)
    return lambda: _to_db(bands.values, feature.top_db)


@_recipe.register
def _percussive_mel(feature: kinds.PercussiveMel, reading: Reading) -> Recipe:
    bands = Bands(reading.spectra, feature.bands)
    reading.separation(feature.kernel_size).percussive.append(bands)
    return lambda: _to_db(bands.values, feature.top_db)


@_recipe.register
def _mfcc(feature: kinds.Mfcc, reading: Reading) -> Recipe:
    mel_db = reading.mel_db(feature.bands)
    return lambda: _cepstra(mel_db(), feature.n_mfcc)


@_recipe.register
def _chroma(feature: kinds.Chroma, reading: Reading) -> Recipe:
    peaks = reading.add(Peaks(reading.spectra))
    reading.keep()

    def make() -> Rows:
        chroma = Chroma(reading.spectra, feature.n_chroma, peaks.tuning(feature.n_chroma))
        for block in reading.again():
            chroma.read(block)
        for rows in stretches(chroma.values):
            power = chroma.values[rows]
            _normalise(power, power.max(axis=1, keepdims=True))
            chroma.values[rows] = power
        return chroma.values

    return make


@_recipe.register
def _spectral_centroid(feature: kinds.SpectralCentroid, reading: Reading) -> Recipe:
    centroid = reading.add(Centroid(reading.spectra))
    return lambda: centroid.values


@_recipe.register
def _spectral_rolloff(feature: kinds.SpectralRolloff, reading: Reading) -> Recipe:
    rolloff = reading.add(Rolloff(reading.spectra, feature.roll_percent))
    return lambda: rolloff.values


@_recipe.register
def _onset_strength(feature: kinds.OnsetStrength, reading: Reading) -> Recipe:
    onsets = reading.onsets(feature.bands)
    return lambda: onsets()[:, np.newaxis]


@_recipe.register
def _tempogram(feature: kinds.Tempogram, reading: Reading) -> Recipe:
    onsets = reading.onsets(feature.bands)
    return lambda: _autocorrelations(onsets(), feature.win_length)


def _to_db(power: Rows, top_db: float | None) -> Rows:
    """Power in dB, as `librosa.power_to_db`, in place."""
    peak = -np.inf
    for rows in stretches(power):
        values = power[rows]
        np.maximum(values, _LEAST_POWER, out=values)
        np.log10(values, out=values)
        values *= 10
        power[rows] = values
        peak = max(peak, values.max())
    if top_db is not None:
        for rows in stretches(power):
            values = power[rows]
            power[rows] = np.maximum(values, peak - top_db, out=values)
    return power


def _cepstra(mel_db: Rows, n_mfcc: int) -> Rows:
    """The cepstra of mel bands, as `librosa.feature.mfcc`, shape (frames, n_mfcc)."""
    values = room((len(mel_db), n_mfcc), mel_db.dtype)
    for rows in stretches(mel_db):
        values[rows] = scipy.fft.dct(mel_db[rows], axis=1, norm="ortho", workers=1)[:, :n_mfcc]
    return values


def _normalise(values: Array, greatest: Array) -> None:
    """Divides each row by its greatest value, as `librosa.util.normalize`, in place."""
    values /= np.where(greatest < np.finfo(values.dtype).tiny, 1, greatest)


def _onset_strengths(mel_db: Rows, stft: kinds.Stft) -> Array:
    """The onset envelope, as `librosa.onset.onset_strength`, shape (frames,)."""
    rises = np.empty(len(mel_db) - 1, mel_db.dtype)
    for rows in stretches(mel_db):
        bands = mel_db[rows.start : rows.stop + 1]
        rises[rows] = np.maximum(0, bands[1:] - bands[:-1]).mean(axis=1)
    delay = 1 + stft.n_fft // (2 * stft.hop_length)
    return np.pad(rises, (delay, 0))[: len(mel_db)]


def _autocorrelations(onsets: Array, win_length: int) -> Rows:
    """The envelope's local autocorrelation, as `librosa.feature.tempogram`, shape (frames, win_length)."""
    length = scipy.fft.next_fast_len(2 * win_length - 1, real=True)
    window = np.pad(hann(win_length), (0, length - win_length))
    half = win_length // 2
    padded = np.pad(np.pad(onsets, half, mode="linear_ramp"), (0, _STRETCHES + length))
    values = room((len(onsets), win_length), onsets.dtype)
    stretches = np.empty((_STRETCHES, length), onsets.dtype)
    for first in range(0, len(values), _STRETCHES):
        kernels.cut(padded[first:], 1, window, stretches)
        spectrum = scipy.fft.rfft(stretches, axis=1, workers=1)
        spectrum *= spectrum.conj()
        products = scipy.fft.irfft(spectrum, length, axis=1, workers=1)[:, :win_length]
        # Nothing is more like a stretch than the stretch itself.
        _normalise(products, products[:, :1])
        values[first : first + _STRETCHES] = products[: len(values) - first]
    return values
