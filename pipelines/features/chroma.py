"""Chroma by blocks of frames: the tuning of a recording, estimated from its spectral peaks, and its pitch classes."""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays.spooled import empty, row_chunks
from pipelines.features import kernels
from pipelines.features.kernels import FRAMES
from pipelines.features.scales import octaves
from pipelines.features.spectra import BlockStft, Filters, FrameBlock, FrameReader, Reader, sparse

_MIN_PITCH_HZ, _MAX_PITCH_HZ = 150.0, 4000.0


class PeaksReader(Reader):
    """Takes the spectral peaks, from which the tuning is estimated."""

    def __init__(self, stft: BlockStft):
        # librosa.estimate_tuning, as chroma_stft calls it, takes the window's length from the number of bins.
        self._bin_hz = stft.sample_rate_hz / (2 * (stft.bins - 1))
        centres_hz = np.arange(stft.bins) * self._bin_hz
        highest_hz = min(_MAX_PITCH_HZ, stft.sample_rate_hz / 2)
        # A peak has a bin on either side.
        self._first, self._last = np.searchsorted(centres_hz[:-1], (_MIN_PITCH_HZ, highest_hz)).tolist()
        self._of_block = np.empty((2, FRAMES * (1 + self._last - self._first)), stft.dtype)
        # Of two neighbouring bins one can be a peak.
        most = stft.frames * (1 + (self._last - self._first) // 2)
        self._places, self._heights = empty((most,), stft.dtype), empty((most,), stft.dtype)
        self._count = 0

    def read(self, block: FrameBlock) -> None:
        count = kernels.peaks(block.power, self._first, self._last, block.count, *self._of_block)
        rows = slice(self._count, self._count + count)
        self._places[rows], self._heights[rows] = self._of_block[:, :count]
        self._count += count

    def tuning(self, bins_per_octave: int) -> float:
        """The deviation from A440 in fractions of a chroma bin, as `librosa.estimate_tuning`; 0 without a peak."""
        if not self._count:
            return 0.0
        median = self._median_height()
        edges = np.linspace(-0.5, 0.5, 101)
        counts = np.zeros(len(edges) - 1, int)
        for rows in self._row_chunks():
            frequencies_hz = self._places[rows][self._heights[rows] >= median] * self._bin_hz
            # Not librosa.pitch_tuning: importing it compiles for 13 s where librosa's cache is empty.
            deviations = np.mod(bins_per_octave * octaves(frequencies_hz), 1.0)
            deviations[deviations >= 0.5] -= 1.0
            counts += np.histogram(deviations, edges)[0]
        return float(edges[counts.argmax()])

    def _median_height(self) -> Any:
        """`numpy.median` of the peaks' heights, with only those near it in memory at once."""
        # Heights are counted by their first bits, which keep their order. Only those whose first bits are a middle
        # one's, or between those of the two middle ones of an even number, are then sorted.
        histogram = np.zeros(1 << 16, int)
        for rows in self._row_chunks():
            histogram += np.bincount(_first_bits(self._heights[rows]), minlength=len(histogram))
        up_to = histogram.cumsum()
        middles = np.array([(self._count - 1) // 2, self._count // 2])
        first, last = up_to.searchsorted(middles, side="right")
        near = []
        for rows in self._row_chunks():
            heights = self._heights[rows]
            bits = _first_bits(heights)
            near.append(heights[(bits >= first) & (bits <= last)])
        return np.sort(np.concatenate(near))[middles - (up_to[first] - histogram[first])].mean()

    def _row_chunks(self) -> Iterator[slice]:
        for rows in row_chunks(self._heights):
            if rows.start < self._count:
                yield slice(rows.start, min(rows.stop, self._count))


def _first_bits(values: NDArray[Any]) -> NDArray[Any]:
    """The first 16 bits of positive floating-point numbers; the numbers are in the order of their bits."""
    whole: NDArray[Any] = values.view(np.dtype(f"u{values.itemsize}"))
    return np.asarray(whole >> (8 * values.itemsize - 16))


class ChromaReader(FrameReader):
    """Takes the power in pitch classes, by filters of a given tuning."""

    def __init__(self, stft: BlockStft, n_chroma: int, tuning: float):
        super().__init__(stft, n_chroma)
        self._filters = _chroma_filters(stft.sample_rate_hz, stft.n_fft, n_chroma, tuning, stft.dtype)

    def read_frames(self, block: FrameBlock, out: NDArray[Any]) -> None:
        kernels.weigh(block.power, *self._filters, out)


@functools.lru_cache(maxsize=128)
def _chroma_filters(sample_rate_hz: int, n_fft: int, n_chroma: int, tuning: float, dtype: np.dtype[Any]) -> Filters:
    return sparse(chroma_weights(sample_rate_hz, n_fft, n_chroma, tuning), dtype)


def chroma_weights(sample_rate_hz: int, n_fft: int, n_chroma: int, tuning: float) -> NDArray[np.float32]:
    """The chroma filter bank, equal to `librosa.filters.chroma`.

    Parameters
    ----------
    sample_rate_hz, n_fft, n_chroma : int
    tuning : float
        The deviation from A440 in fractions of a chroma bin.

    Returns
    -------
    array, shape (n_chroma, 1 + n_fft // 2)
        How much each bin belongs to each pitch class.

    Examples
    --------
    >>> weights = chroma_weights(22_050, 2048, 12, tuning=0.0)
    >>> weights.shape
    (12, 1025)
    >>> int(weights[:, round(440 * 2048 / 22_050)].argmax())  # A
    9
    """
    # Not librosa's own function: its first call compiles for 10 s where librosa's cache is empty.
    frequencies_hz = np.arange(1, n_fft) * (sample_rate_hz / n_fft)
    places = n_chroma * octaves(frequencies_hz, tuning, n_chroma)
    places = np.concatenate([[places[0] - 1.5 * n_chroma], places])
    widths = np.append(np.maximum(np.diff(places), 1), 1)
    half = np.round(n_chroma / 2)
    distances = np.mod(places - np.arange(n_chroma)[:, np.newaxis] + half, n_chroma) - half
    weights = np.exp(-0.5 * (2 * distances / widths) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((places / n_chroma - 5) / 2) ** 2)
    return np.asarray(np.roll(weights, -3 * (n_chroma // 12), axis=0)[:, : 1 + n_fft // 2], np.float32)
