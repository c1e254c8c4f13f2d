"""The harmonic and percussive parts of a song's spectra, as `librosa.decompose.hpss` of the magnitudes.

The median of a stretch of frames is a harmonic's magnitude, the median of a stretch of bins a beat's (D. FitzGerald,
"Harmonic/percussive separation using median filtering", DAFx 2010).
"""

from dataclasses import replace

import numpy as np

from pipelines.features import kernels
from pipelines.features.kernels import FRAMES
from pipelines.features.median_filter import LANES, running_medians
from pipelines.features.spectra import Array, Block, Reader, Spectra

_PENDING_FRAMES = 4 * FRAMES


class Separation(Reader):
    """Reads a song's blocks and passes them on, the parts apart.

    Parameters
    ----------
    spectra : Spectra
    kernel_size : int
        How many frames, and how many bins, a median is of.

    Attributes
    ----------
    harmonic, percussive : list of Reader
        Who reads each of the parts.
    """

    def __init__(self, spectra: Spectra, kernel_size: int):
        self.harmonic: list[Reader] = []
        self.percussive: list[Reader] = []
        self._frames = spectra.frames
        self._before, self._after = kernel_size // 2, kernel_size - 1 - kernel_size // 2
        self._running_medians = running_medians(kernel_size)
        self._tiny = np.finfo(spectra.dtype).tiny
        self._mirrored_bins = _mirror(np.arange(-self._before, spectra.bins + self._after), spectra.bins)
        # What medians still wait for: blocks, and their magnitudes frame by frame, with those on both sides.
        self._pending: list[Block] = []
        most = min(_PENDING_FRAMES, -(-spectra.frames // FRAMES) * FRAMES)
        rows = self._before + most + FRAMES + 2 * self._after
        self._rows = np.zeros((rows, -(-spectra.bins // LANES) * LANES), spectra.dtype)
        self._origin = -self._before
        # Room that each block needs again.
        self._along = np.empty((FRAMES, self._rows.shape[1]), spectra.dtype)
        self._mirrored = np.empty((len(self._mirrored_bins), FRAMES), spectra.dtype)
        self._medians = np.empty((2, spectra.bins, FRAMES), spectra.dtype)

    def read(self, block: Block) -> None:
        self._pending.append(block)
        row = block.first - self._origin
        kernels.turn(block.magnitude, self._rows[row : row + FRAMES])
        known = block.first + block.count
        if known == self._frames:
            self._separate(known, len(self._pending))
        elif row + 2 * FRAMES + self._after > len(self._rows):
            self._separate(known, (known - self._after) // FRAMES - self._pending[0].first // FRAMES)

    def _separate(self, known: int, blocks: int) -> None:
        """Separates the first pending blocks, once the frames before `known` are, and makes room."""
        end = known + self._after if known == self._frames else known
        outside = np.array([*range(self._origin, 0), *range(self._frames, end)], int)
        self._rows[outside - self._origin] = self._rows[_mirror(outside, self._frames) - self._origin]
        for number, block in enumerate(self._pending[:blocks]):
            stretch = self._rows[number * FRAMES : (number + 1) * FRAMES + self._before + self._after]
            self.pass_on(block, self.medians(block, stretch))
        del self._pending[:blocks]
        kept = self._rows[blocks * FRAMES :].copy()
        self._rows[: len(kept)] = kept
        self._origin += blocks * FRAMES

    def medians(self, block: Block, stretch: Array) -> Array:
        """A block's medians along time, of magnitudes frame by frame, and along frequency, shape (2, bins, FRAMES)."""
        self._running_medians(stretch, self._along)
        kernels.turn(self._along, self._medians[0])
        np.take(block.magnitude, self._mirrored_bins, axis=0, out=self._mirrored, mode="clip")  # 'raise' takes a copy
        self._running_medians(self._mirrored, self._medians[1])
        return self._medians

    def pass_on(self, block: Block, medians: Array) -> None:
        """Has a block's parts read."""
        harmonic, percussive = medians
        kernels.separate(block.magnitude, harmonic, percussive, self._tiny)
        for readers, power in ((self.harmonic, harmonic), (self.percussive, percussive)):
            for reader in readers:
                reader.read(replace(block, power=power))


def _mirror(numbers: Array, length: int) -> Array:
    """Where to find what lies outside of `length` values that are mirrored at both ends, again and again."""
    numbers = numbers % (2 * length)
    return np.asarray(np.minimum(numbers, 2 * length - 1 - numbers))
