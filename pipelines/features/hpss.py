"""Harmonic/percussive source separation by blocks of frames, as `librosa.decompose.hpss` of the magnitudes.

The median over neighbouring frames keeps what is harmonic, the median over neighbouring bins what is percussive (D.
FitzGerald, "Harmonic/percussive separation using median filtering", DAFx 2010).
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.features import kernels
from pipelines.features.kernels import FRAMES
from pipelines.features.median_filter import LANES, running_medians
from pipelines.features.spectra import BlockStft, FrameBlock, Reader

_MAX_PENDING_FRAMES = 4 * FRAMES


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
        self._frames = stft.frames
        self._before, self._after = kernel_size // 2, kernel_size - 1 - kernel_size // 2
        self._running_medians = running_medians(kernel_size)
        self._tiny = np.finfo(stft.dtype).tiny
        self._mirrored_bins = _mirror(np.arange(-self._before, stft.bins + self._after), stft.bins)
        # Blocks whose later frames are not known yet, and magnitudes frame by frame: theirs and those on both sides.
        self._pending: list[FrameBlock] = []
        most = min(_MAX_PENDING_FRAMES, -(-stft.frames // FRAMES) * FRAMES)
        rows = self._before + most + FRAMES + 2 * self._after
        self._rows = np.zeros((rows, -(-stft.bins // LANES) * LANES), stft.dtype)
        self._origin = -self._before  # the frame that is in row 0
        # Buffers that every block uses again.
        self._over_frames = np.empty((FRAMES, self._rows.shape[1]), stft.dtype)
        self._mirrored = np.empty((len(self._mirrored_bins), FRAMES), stft.dtype)
        self._medians = np.empty((2, stft.bins, FRAMES), stft.dtype)

    def read(self, block: FrameBlock) -> None:
        self._pending.append(block)
        row = block.first - self._origin
        kernels.transpose(block.magnitude, self._rows[row : row + FRAMES])
        known = block.first + block.count
        if known == self._frames:
            self._separate(known, len(self._pending))
        elif row + 2 * FRAMES + self._after > len(self._rows):
            self._separate(known, (known - self._after) // FRAMES - self._pending[0].first // FRAMES)

    def _separate(self, known: int, blocks: int) -> None:
        """Separates the first pending blocks, given the frames before `known`, and drops them."""
        end = known + self._after if known == self._frames else known
        outside = np.array([*range(self._origin, 0), *range(self._frames, end)], int)
        self._rows[outside - self._origin] = self._rows[_mirror(outside, self._frames) - self._origin]
        for number, block in enumerate(self._pending[:blocks]):
            rows = self._rows[number * FRAMES : (number + 1) * FRAMES + self._before + self._after]
            self.pass_on(block, self.medians(block, rows))
        del self._pending[:blocks]
        kept = self._rows[blocks * FRAMES :].copy()
        self._rows[: len(kept)] = kept
        self._origin += blocks * FRAMES

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
        return self._medians

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
