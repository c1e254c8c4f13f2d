"""Audio files as streams of blocks of samples, each of its own rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

ABSURD_HEADER = Reason("absurd_header", "the header's rate, channels or size cannot be true")
FAILED = Reason("failed", "a decoder, or the archive that the file is in, failed; the error is its own")
NO_CHANNELS = Reason("no_channels", "the header says zero channels")
TOO_SHORT = Reason("too_short", "shorter than audio.min_duration_s")
TRUNCATED = Reason("truncated", "the file ends early, and less than audio.min_duration_s can be decoded")

BLOCK_FRAMES = 1 << 16
"""The frames of a block, about, of a file with few channels."""

SampleBlock = NDArray[np.float32] | NDArray[np.int16]
"""Samples as the file has them, shape (frames, channels)."""


@dataclass(frozen=True)
class Block:
    """Some samples of a file.

    Attributes
    ----------
    samples : array, shape (frames, channels)
        float32, or int16 of a file of 16 bits.
    rate_hz : int
    """

    samples: SampleBlock
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """How long it plays."""
        return len(self.samples) / self.rate_hz


@dataclass
class AudioStream:
    """An open audio file.

    Attributes
    ----------
    blocks : iterator of Block
        Rate and channels may change from one to the next, where files were joined.
    rest_s : callable
        How long what follows the blocks that were taken would play, as far as the file tells.
    is_cut : bool
        Whether the file ends in the middle of what it began; known once the blocks are read.
    damaged_s : float
        How long what could not be decoded among the blocks that were taken would play, about.
    """

    blocks: Iterator[Block]
    rest_s: Callable[[], float] = field(default=lambda: 0.0)
    is_cut: bool = False
    damaged_s: float = 0.0


class UndecodableError(FileError):
    """A decoder cannot read the file, or not all of it; another may."""
