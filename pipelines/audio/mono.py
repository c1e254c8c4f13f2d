"""Mixing to mono, by a compiled loop, and how loud that is."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.streams import SampleBlock
from pipelines.common.arrays.jit import compiled

_MEASURED_EACH = 61  # frames: a prime, so that hardly any tone is met at the same point of its wave each time


def to_mono(block: SampleBlock) -> NDArray[np.float32]:
    """The mean of the channels, float32, where full scale is 1.

    Parameters
    ----------
    block : array, shape (frames, channels)
        float32, or int16 with a full scale of 32,768.

    Returns
    -------
    array, shape (frames,)

    Examples
    --------
    >>> to_mono(np.array([[16_384, 0], [-32_768, -32_768]], np.int16))
    array([ 0.25, -1.  ], dtype=float32)
    """
    mono = np.empty(len(block), np.float32)
    # libsndfile's own conversion from 16 bits to float32 takes five times as long.
    _mix(block, _scale(block), mono)
    return mono


@dataclass
class Levels:
    """The levels of a file's channels and of their mean, by some of its frames, of which many are enough to tell.

    Examples
    --------
    >>> levels, samples = Levels(), np.array([[0.5, -0.5], [0.5, -0.5]], np.float32)
    >>> levels.add(samples, to_mono(samples))
    >>> round(levels.channels_db, 1), levels.mix_db
    (-6.0, -inf)
    """

    _frames: int = 0
    _channels_energy: float = 0.0
    _mix_energy: float = 0.0

    def add(self, block: SampleBlock, mono: NDArray[np.float32]) -> None:
        """Takes note of a block, shape (frames, channels), and of its mean."""
        if block.shape[1] > 1:
            of_channels, of_mix = _energies(block, _scale(block), mono)
            self._channels_energy += of_channels
            self._mix_energy += of_mix
            self._frames += len(range(0, len(mono), _MEASURED_EACH))

    @property
    def channels_db(self) -> float:
        """The mean level of the channels."""
        return self._db(self._channels_energy)

    @property
    def mix_db(self) -> float:
        """The level of their mean."""
        return self._db(self._mix_energy)

    def _db(self, energy: float) -> float:
        if not self._frames:
            return 0.0
        return 10 * math.log10(energy / self._frames) if energy else -math.inf


def _scale(block: SampleBlock) -> np.float32:
    return np.float32(1 / 32_768 if block.dtype == np.int16 else 1)


@compiled
def _mix(block: Any, scale: Any, out: Any) -> None:
    """Writes the mean of the channels times `scale`."""
    channels = block.shape[1]
    if channels == 1:
        samples = block.reshape(-1)  # contiguous, so that the loop is vectorised
        for n in range(len(out)):
            out[n] = samples[n] * scale
    else:
        for n in range(len(out)):
            total = np.float32(0)
            for channel in range(channels):
                total += block[n, channel] * scale
            out[n] = total / np.float32(channels)


@compiled
def _energies(block: Any, scale: Any, mono: Any) -> tuple[float, float]:
    """The energy of some frames of a block: the mean of the channels', and that of their mean."""
    of_channels, of_mix = 0.0, 0.0
    for n in range(0, len(mono), _MEASURED_EACH):
        for channel in range(block.shape[1]):
            of_channels += np.float64(block[n, channel] * scale) ** 2
        of_mix += np.float64(mono[n]) ** 2
    return of_channels / block.shape[1], of_mix
