"""Harmonic/percussive source separation by blocks of frames, as `librosa.decompose.hpss` of the magnitudes.

The median over neighbouring frames keeps what is harmonic, the median over neighbouring bins what is percussive (D.
FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010).
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays.vectors import LANES
from pipelines.features import kernels
from pipelines.features.kernels import FRAMES
from pipelines.features.median_filter import TILE, running_medians
from pipelines.features.spectra import BlockStft, FrameBlock, Reader

_MAX_PENDING_FRAMES = 4 * FRAMES


class _FrameRows:
    """The magnitudes of neighbouring frames, one frame per row: those of some blocks, and those around that they need.

    Parameters
    ----------
    stft : BlockStft
    before, after : int
        How many frames before and after a block its medians need.
    """

    def __init__(self, stft: BlockStft, before: int, after: int):
        self._frames, self._before, self._after = stft.frames, before, after
        most = min(_MAX_PENDING_FRAMES, -(-stft.frames // FRAMES) * FRAMES)
        self.width = -(-stft.bins // LANES) * LANES
        self._rows = np.zeros((before + most + FRAMES + 2 * after, self.width), stft.dtype)
        self._origin = -before  # the frame that is in row 0
        self._end = 0  # the frame after the last that was put

    def put(self, block: FrameBlock) -> None:
        """Adds the next block's frames."""
        row = block.first - self._origin
        kernels.transpose(block.magnitude, self._rows[row : row + FRAMES])
        self._end = block.first + block.count

    @property
    def is_complete(self) -> bool:
        """Whether the recording's last frame was put."""
        return self._end == self._frames

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another block."""
        return self._end - self._origin + FRAMES + self._after > len(self._rows)

    @property
    def complete_up_to(self) -> int:
        """The frame up to which blocks have all that they need, while the recording goes on."""
        return self._end - self._after

    def mirror_edges(self) -> None:
        """Fills the rows beyond the recording's ends, as far as its frames are there."""
        end = self._end + self._after if self.is_complete else self._end
        outside = np.array([*range(self._origin, 0), *range(self._frames, end)], int)
        self._rows[outside - self._origin] = self._rows[_mirror(outside, self._frames) - self._origin]

    def around(self, block: FrameBlock) -> NDArray[Any]:
        """The rows of a block and of the frames before and after it, shape (frames, width)."""
        row = block.first - self._before - self._origin
        return self._rows[row : row + FRAMES + self._before + self._after]

    def drop(self, frames: int) -> None:
        """Drops the first rows."""
        kept = self._rows[frames:].copy()
        self._rows[: len(kept)] = kept
        self._origin += frames


class HpssReader(Reader):
    """Separates each block, and passes the parts on to readers of their own.

    Parameters
    ----------
    stft : BlockStft
    kernel_size : int
        Over how many frames, and how many bins, medians are taken.

    Attributes
    ----------
    harmonic, percussive : list of Reader
        The readers of each part.
    """

    def __init__(self, stft: BlockStft, kernel_size: int):
        self.harmonic: list[Reader] = []
        self.percussive: list[Reader] = []
        before, after = kernel_size // 2, kernel_size - 1 - kernel_size // 2
        self._running_medians = running_medians(kernel_size)
        self._tiny = np.finfo(stft.dtype).tiny
        bins = max(stft.bins, TILE)  # medians of fewer are not taken; those past the last are ignored
        self._mirrored_bins = _mirror(np.arange(-before, bins + after), stft.bins)
        self._pending: list[FrameBlock] = []  # those of which later frames are not known yet
        self._rows = _FrameRows(stft, before, after)
        # Buffers that every block uses again.
        self._over_frames = np.empty((FRAMES, self._rows.width), stft.dtype)
        self._mirrored = np.empty((len(self._mirrored_bins), FRAMES), stft.dtype)
        self._medians = np.empty((2, bins, FRAMES), stft.dtype)

    def read(self, block: FrameBlock) -> None:
        self._pending.append(block)
        self._rows.put(block)
        if self._rows.is_complete:
            self._separate(len(self._pending))
        elif self._rows.is_full:
            self._separate((self._rows.complete_up_to - self._pending[0].first) // FRAMES)

    def _separate(self, blocks: int) -> None:
        """Separates the first pending blocks, and drops them."""
        self._rows.mirror_edges()
        for block in self._pending[:blocks]:
            self.pass_on(block, self.medians(block, self._rows.around(block)))
        del self._pending[:blocks]
        self._rows.drop(blocks * FRAMES)

    def medians(self, block: FrameBlock, rows: NDArray[Any]) -> NDArray[Any]:
        """A block's medians over frames, and those over bins, shape (2, bins, FRAMES).

        Parameters
        ----------
        block : FrameBlock
        rows : array, shape (frames, bins)
            The magnitudes of the block's frames and of those before and after them that its medians need.
        """
        self._running_medians(rows, self._over_frames)
        kernels.transpose(self._over_frames, self._medians[0])
        np.take(block.magnitude, self._mirrored_bins, axis=0, out=self._mirrored, mode="clip")  # 'raise' takes a copy
        self._running_medians(self._mirrored, self._medians[1])
        return self._medians[:, : len(block.power)]

    def pass_on(self, block: FrameBlock, medians: NDArray[Any]) -> None:
        """Gives the parts of a block to their readers."""
        harmonic, percussive = medians
        kernels.separate(block.magnitude, harmonic, percussive, self._tiny)
        for readers, power in ((self.harmonic, harmonic), (self.percussive, percussive)):
            for reader in readers:
                reader.read(replace(block, power=power))


def _mirror(indices: NDArray[Any], length: int) -> NDArray[Any]:
    """Indices into `length` values for indices beyond them, as `numpy.pad` with mode `symmetric` fills them.

    >>> _mirror(np.arange(-3, 7), 3)
    array([2, 1, 0, 0, 1, 2, 2, 1, 0, 0])
    """
    indices = indices % (2 * length)
    return np.asarray(np.minimum(indices, 2 * length - 1 - indices))
