"""A song's short-time spectra by blocks of frames, and what is read off them block by block.

So memory does not grow with a song: what is read off a long one lies in files.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import librosa
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from pipelines.common.arrays.spooled import Rows, room, stretches
from pipelines.features import kernels
from pipelines.features import schema as kinds
from pipelines.features.kernels import FRAMES

Array = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """`FRAMES` frames of a song.

    Attributes
    ----------
    first : int
        The number of its first frame.
    count : int
        How many of them are the song's; the others, at its end, are to be ignored.
    power : array, shape (bins, FRAMES)
    """

    first: int
    count: int
    power: Array

    @property
    def frames(self) -> slice:
        """Where its frames are among the song's."""
        return slice(self.first, self.first + self.count)

    @functools.cached_property
    def magnitude(self) -> Array:
        """The power's square root."""
        return np.sqrt(self.power)


class Spectra:
    """The power spectra of one song, as `abs(librosa.stft(y)) ** 2`. What is less than the type can hold is 0.

    Parameters
    ----------
    samples : array or Spilled, shape (samples,)
        Mono audio.
    sample_rate_hz : int
    stft : Stft
        Window and hop.
    dtype : dtype
        float32 or float64, in which all is computed.
    """

    def __init__(self, samples: Rows, sample_rate_hz: int, stft: kinds.Stft, dtype: np.dtype[Any]):
        self.samples = samples
        self.sample_rate_hz = sample_rate_hz
        self.n_fft, self.hop_length, self.dtype = stft.n_fft, stft.hop_length, dtype
        self.bins = 1 + stft.n_fft // 2
        self.frames = 1 + (len(samples) + 2 * (stft.n_fft // 2) - stft.n_fft) // stft.hop_length

    @functools.cached_property
    def frequencies_hz(self) -> Array:
        """The bins' centre frequencies."""
        return np.asarray(librosa.fft_frequencies(sr=self.sample_rate_hz, n_fft=self.n_fft))

    def blocks(self, room: Array | None = None) -> Iterator[Block]:
        """The song, block by block; their power lies in `room`, shape (blocks, bins, FRAMES), if that is given."""
        window = hann(self.n_fft)
        windowed = np.empty((FRAMES, self.n_fft), self.dtype)
        for first in range(0, self.frames, FRAMES):
            kernels.cut(self._stretch(first), self.hop_length, window, windowed)
            spectrum = scipy.fft.rfft(windowed, axis=1, workers=1)
            power = np.empty((self.bins, FRAMES), self.dtype) if room is None else room[first // FRAMES]
            kernels.power(spectrum, power)
            yield Block(first, min(FRAMES, self.frames - first), power)

    def _stretch(self, first: int) -> Array:
        """The samples of a block's frames, with silence around the song."""
        begin = first * self.hop_length - self.n_fft // 2
        end = begin + (FRAMES - 1) * self.hop_length + self.n_fft
        stretch = np.ascontiguousarray(self.samples[max(begin, 0) : end])
        if len(stretch) < end - begin:
            before = max(-begin, 0)
            stretch = np.pad(stretch, (before, end - begin - before - len(stretch)))
        return stretch


class Reader:
    """Reads something off a song's blocks, which it is given in order."""

    def read(self, block: Block) -> None:
        raise NotImplementedError


class FrameReader(Reader):
    """Reads some values off each frame.

    Attributes
    ----------
    values : array or Spilled, shape (frames, bins)
    """

    def __init__(self, spectra: Spectra, bins: int = 1):
        self.spectra = spectra
        self.values = room((spectra.frames, bins), spectra.dtype)
        self._out = np.empty((FRAMES, bins), spectra.dtype)

    def read(self, block: Block) -> None:
        out = self._out[: block.count]
        self.read_frames(block, out)
        self.values[block.frames] = out

    def read_frames(self, block: Block, out: Array) -> None:
        """Reads what is wanted of a block into an array of shape (frames, bins)."""
        raise NotImplementedError


class Power(FrameReader):
    """Reads the power spectrum itself."""

    def __init__(self, spectra: Spectra):
        super().__init__(spectra, spectra.bins)

    def read_frames(self, block: Block, out: Array) -> None:
        out[:] = block.power.T[: block.count]


class Bands(FrameReader):
    """Reads mel bands' power."""

    def __init__(self, spectra: Spectra, mel: kinds.Mel):
        super().__init__(spectra, mel.n_mels)
        self._filters = _mel_filters(spectra.sample_rate_hz, mel, spectra.dtype)

    def read_frames(self, block: Block, out: Array) -> None:
        kernels.weigh(block.power, *self._filters, out)


class Centroid(FrameReader):
    """Reads spectral centroids, Hz."""

    def read_frames(self, block: Block, out: Array) -> None:
        kernels.centroids(block.magnitude, self.spectra.frequencies_hz, out)


class Rolloff(FrameReader):
    """Reads spectral rolloffs, Hz."""

    def __init__(self, spectra: Spectra, roll_percent: float):
        super().__init__(spectra)
        self._share = spectra.dtype.type(roll_percent)

    def read_frames(self, block: Block, out: Array) -> None:
        kernels.rolloffs(block.magnitude, self.spectra.frequencies_hz, self._share, out)


class Peaks(Reader):
    """Reads spectral peaks, of which a song's tuning is estimated."""

    def __init__(self, spectra: Spectra):
        # librosa.estimate_tuning, as chroma_stft calls it, takes the window's length from the number of bins.
        self._bin_hz = spectra.sample_rate_hz / (2 * (spectra.bins - 1))
        centres_hz = np.arange(spectra.bins) * self._bin_hz
        highest_hz = min(_HIGHEST_PITCH_HZ, spectra.sample_rate_hz / 2)
        # A peak has a bin on either side.
        self._first, self._last = np.searchsorted(centres_hz[:-1], (_LOWEST_PITCH_HZ, highest_hz)).tolist()
        self._found = np.empty((2, FRAMES * (1 + self._last - self._first)), spectra.dtype)
        # Of two neighbouring bins one can be a peak.
        most = spectra.frames * (1 + (self._last - self._first) // 2)
        self._places, self._heights = room((most,), spectra.dtype), room((most,), spectra.dtype)
        self._count = 0

    def read(self, block: Block) -> None:
        found = kernels.peaks(block.power, self._first, self._last, block.count, *self._found)
        rows = slice(self._count, self._count + found)
        self._places[rows], self._heights[rows] = self._found[:, :found]
        self._count += found

    def tuning(self, bins_per_octave: int) -> float:
        """The song's deviation from A440, in parts of a chroma bin, as `librosa.estimate_tuning`; 0 without a peak."""
        if not self._count:
            return 0.0
        middle = self._median_height()
        edges = np.linspace(-0.5, 0.5, 101)
        counts = np.zeros(len(edges) - 1, int)
        for rows in self._stretches():
            frequencies_hz = self._places[rows][self._heights[rows] >= middle] * self._bin_hz
            # Not librosa.pitch_tuning: to import it compiles for 13 s where no cache of librosa's is at hand.
            deviations = np.mod(bins_per_octave * librosa.hz_to_octs(frequencies_hz), 1.0)
            deviations[deviations >= 0.5] -= 1.0
            counts += np.histogram(deviations, edges)[0]
        return float(edges[counts.argmax()])

    def _median_height(self) -> Any:
        """`numpy.median` of the peaks' heights, of which only those near it are held at once."""
        rough = np.zeros(1 << 16, int)
        for rows in self._stretches():
            rough += np.bincount(_first_bits(self._heights[rows]), minlength=len(rough))
        up_to = rough.cumsum()
        middles = np.array([(self._count - 1) // 2, self._count // 2])
        first, last = up_to.searchsorted(middles, side="right")
        near = []
        for rows in self._stretches():
            heights = self._heights[rows]
            bits = _first_bits(heights)
            near.append(heights[(bits >= first) & (bits <= last)])
        return np.sort(np.concatenate(near))[middles - (up_to[first] - rough[first])].mean()

    def _stretches(self) -> Iterator[slice]:
        for rows in stretches(self._heights):
            if rows.start < self._count:
                yield slice(rows.start, min(rows.stop, self._count))


def _first_bits(values: Array) -> Array:
    """The first 16 bits of positive numbers, which are in the order of their bits."""
    whole: Array = values.view(np.dtype(f"u{values.itemsize}"))
    return np.asarray(whole >> (8 * values.itemsize - 16))


class Chroma(FrameReader):
    """Reads pitch classes' power, by filters of a tuning."""

    def __init__(self, spectra: Spectra, n_chroma: int, tuning: float):
        super().__init__(spectra, n_chroma)
        self._filters = _chroma_filters(spectra.sample_rate_hz, spectra.n_fft, n_chroma, tuning, spectra.dtype)

    def read_frames(self, block: Block, out: Array) -> None:
        kernels.weigh(block.power, *self._filters, out)


_LOWEST_PITCH_HZ, _HIGHEST_PITCH_HZ = 150.0, 4000.0
_Filters = tuple[Array, Array, Array]


@functools.lru_cache(maxsize=8)
def hann(length: int) -> Array:
    """The periodic Hann window."""
    return np.asarray(librosa.filters.get_window("hann", length))


@functools.lru_cache(maxsize=8)
def _mel_filters(sample_rate_hz: int, mel: kinds.Mel, dtype: np.dtype[Any]) -> _Filters:
    return _sparse(
        librosa.filters.mel(sr=sample_rate_hz, n_fft=mel.n_fft, n_mels=mel.n_mels, fmin=mel.fmin, fmax=mel.fmax), dtype
    )


@functools.lru_cache(maxsize=128)
def _chroma_filters(sample_rate_hz: int, n_fft: int, n_chroma: int, tuning: float, dtype: np.dtype[Any]) -> _Filters:
    return _sparse(chroma_weights(sample_rate_hz, n_fft, n_chroma, tuning), dtype)


def chroma_weights(sample_rate_hz: int, n_fft: int, n_chroma: int, tuning: float) -> Array:
    """`librosa.filters.chroma`, shape (n_chroma, 1 + n_fft / 2): how far each bin belongs to each pitch class."""
    # Not librosa's own function: its first call compiles for 10 s where no cache of librosa's is at hand.
    frequencies_hz = np.arange(1, n_fft) * (sample_rate_hz / n_fft)
    places = n_chroma * librosa.hz_to_octs(frequencies_hz, tuning=tuning, bins_per_octave=n_chroma)
    places = np.concatenate([[places[0] - 1.5 * n_chroma], places])
    widths = np.append(np.maximum(np.diff(places), 1), 1)
    half = np.round(n_chroma / 2)
    distances = np.mod(places - np.arange(n_chroma)[:, np.newaxis] + half, n_chroma) - half
    weights = np.exp(-0.5 * (2 * distances / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((places / n_chroma - 5) / 2) ** 2)
    return np.asarray(np.roll(weights, -3 * (n_chroma // 12), axis=0)[:, : 1 + n_fft // 2], np.float32)


def _sparse(filters: Array, dtype: np.dtype[Any]) -> _Filters:
    """For each filter its first bin that weighs anything, the bin behind its last, and the weights of all bins."""
    weighs = filters > 0
    first = weighs.argmax(axis=1)
    last = np.where(weighs.any(axis=1), filters.shape[1] - weighs[:, ::-1].argmax(axis=1), 0)
    return first, last, np.ascontiguousarray(filters, dtype)
