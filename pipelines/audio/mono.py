"""Mixing to mono, by a compiled loop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.audio.streams import SampleBlock
from pipelines.common.arrays.jit import compiled


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
    scale = np.float32(1 / 32_768 if block.dtype == np.int16 else 1)
    _mix(block, scale, mono)
    return mono


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
