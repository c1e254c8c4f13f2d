"""The STFT of a recording by blocks of frames, and readers that take values from each block.

No more than a block is in memory at once, and what readers collect of a long recording lies on disk.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays import aligned
from pipelines.common.arrays.spooled import FrameArray, empty, stretch
from pipelines.features import kernels, scales, schema
from pipelines.features.fft import FrameSpectra
from pipelines.features.kernels import FRAMES

Filters = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""A sparse filter bank: of each filter its first bin, the bin after its last, and the weights of all bins."""


@dataclass(frozen=True)
class FrameBlock:
    """The power spectra of `FRAMES` neighbouring frames.

    Attributes
    ----------
    first : int
        The number of the first frame.
    count : int
        How many of the frames belong to the recording; those past its end are to be ignored.
    power : array, shape (bins, FRAMES)
    """

    first: int
    count: int
    power: NDArray[Any]

    @property
    def frames(self) -> slice:
        """Where the block's frames are among all frames."""
        return slice(self.first, self.first + self.count)

    @functools.cached_property
    def magnitude(self) -> NDArray[Any]:
        """The square root of the power."""
        return np.asarray(np.sqrt(self.power))


class BlockStft:
    """The power spectrogram `abs(librosa.stft(y)) ** 2`, block by block; what the type cannot hold is 0.

    Parameters
    ----------
    samples : array or SpooledArray, shape (samples,)
        Mono audio.
    sample_rate_hz : int
    feature : Feature
        Its window and hop are used.
    dtype : dtype
        float32 or float64, in which everything is computed.

    Examples
    --------
    >>> stft = BlockStft(np.ones(50_000, np.float32), 22_050, schema.StftDb(), np.dtype(np.float32))
    >>> stft.frames, stft.bins
    (98, 1025)
    >>> [(block.first, block.count, block.power.shape) for block in stft.blocks()]
    [(0, 64, (1025, 64)), (64, 34, (1025, 64))]
    """

    def __init__(self, samples: FrameArray, sample_rate_hz: int, feature: schema.Feature, dtype: np.dtype[Any]):
        self.samples = samples
        self.sample_rate_hz = sample_rate_hz
        self.n_fft, self.hop_length, self.dtype = feature.n_fft, feature.hop_length, dtype
        self.bins = 1 + feature.n_fft // 2
        self.frames = feature.frames(len(samples))

    @functools.cached_property
    def frequencies_hz(self) -> NDArray[Any]:
        """The bins' centre frequencies."""
        return scales.bin_frequencies(self.sample_rate_hz, self.n_fft)

    def blocks(self, out: NDArray[Any] | None = None) -> Iterator[FrameBlock]:
        """All blocks in order; their power is written into `out`, shape (blocks, bins, FRAMES), where that is given."""
        spectra = FrameSpectra(hann(self.n_fft), self.hop_length, self.dtype)
        for first in range(0, self.frames, FRAMES):
            power = aligned.empty((self.bins, FRAMES), self.dtype) if out is None else out[first // FRAMES]
            begin = first * self.hop_length - self.n_fft // 2
            # Frames take samples out of their order, which is slow from memory; a copy is in the processor's cache.
            spectra.write(stretch(self.samples, begin, spectra.samples).copy(), power)
            yield FrameBlock(first, min(FRAMES, self.frames - first), power)


class Reader:
    """Takes something from each block of a recording; it is given them in order."""

    def read(self, block: FrameBlock) -> None:
        raise NotImplementedError


class FrameReader(Reader):
    """Takes some values of each frame.

    Attributes
    ----------
    values : array or SpooledArray, shape (frames, bins)
    """

    def __init__(self, stft: BlockStft, bins: int = 1):
        self.stft = stft
        self.values = empty((stft.frames, bins), stft.dtype)
        self._out = np.empty((FRAMES, bins), stft.dtype)

    def read(self, block: FrameBlock) -> None:
        out = self._out[: block.count]
        self.read_frames(block, out)
        self.values[block.frames] = out

    def read_frames(self, block: FrameBlock, out: NDArray[Any]) -> None:
        """Writes the values of a block's frames into `out`, shape (frames, bins)."""
        raise NotImplementedError


class PowerReader(FrameReader):
    """Takes the power spectrum itself."""

    def __init__(self, stft: BlockStft):
        super().__init__(stft, stft.bins)

    def read_frames(self, block: FrameBlock, out: NDArray[Any]) -> None:
        out[:] = block.power.T[: block.count]


class BandsReader(FrameReader):
    """Takes the power in mel bands."""

    def __init__(self, stft: BlockStft, mel: schema.Mel):
        super().__init__(stft, mel.n_mels)
        self._filters = _mel_filters(stft.sample_rate_hz, mel.n_fft, mel.n_mels, mel.fmin, mel.fmax, stft.dtype)

    def read_frames(self, block: FrameBlock, out: NDArray[Any]) -> None:
        kernels.weigh(block.power, *self._filters, out)


@functools.lru_cache(maxsize=8)
def hann(length: int) -> NDArray[Any]:
    """The periodic Hann window, equal to `librosa.filters.get_window("hann", length)`.

    >>> hann(4)
    array([0. , 0.5, 1. , 0.5])
    """
    if length == 1:
        return np.ones(1)
    return np.asarray(0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, length + 1)[:-1]))


@functools.lru_cache(maxsize=8)
def _mel_filters(
    sample_rate_hz: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None, dtype: np.dtype[Any]
) -> Filters:
    return sparse(mel_filters(sample_rate_hz, n_fft, n_mels, fmin, fmax), dtype)


def mel_filters(sample_rate_hz: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> NDArray[np.float32]:
    """The mel filter bank, shape (bands, bins), equal to `librosa.filters.mel`.

    Importing that loads `scipy.signal`, which takes a process a second to start.
    """
    highest_hz = sample_rate_hz / 2 if fmax is None else fmax
    edges_hz = scales.mel_frequencies(n_mels + 2, fmin, highest_hz)
    ramps = np.subtract.outer(edges_hz, scales.bin_frequencies(sample_rate_hz, n_fft))
    widths_hz = np.diff(edges_hz)[:, np.newaxis]
    rising, falling = -ramps[:-2] / widths_hz[:-1], ramps[2:] / widths_hz[1:]
    weights: NDArray[np.float32] = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    weights *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, np.newaxis]  # so that each band has the same energy
    return weights


def sparse(weights: NDArray[Any], dtype: np.dtype[Any]) -> Filters:
    """A filter bank of shape (filters, bins) with the range of bins in which each filter is above 0.

    >>> sparse(np.array([[0, 0.5, 1, 0], [0, 0, 0, 2]]), np.dtype(np.float32))
    (array([1, 3]), array([3, 4]), array([[0. , 0.5, 1. , 0. ],
           [0. , 0. , 0. , 2. ]], dtype=float32))
    """
    is_positive = weights > 0
    first = is_positive.argmax(axis=1)
    last = np.where(is_positive.any(axis=1), weights.shape[1] - is_positive[:, ::-1].argmax(axis=1), 0)
    return first, last, np.ascontiguousarray(weights, dtype)
