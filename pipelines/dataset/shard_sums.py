"""Each shard's sums, a table of the dataset, so that those of a fold are added up and never subtracted."""

from dataclasses import dataclass

import numpy as np

from pipelines.dataset.sums import Sums


@dataclass(frozen=True, slots=True)
class ShardSums:
    """A feature's sums over the frames of a shard.

    Attributes
    ----------
    shard : str
        Its path in the dataset's folder.
    feature : str
        The feature's name.
    frames : int
        How many frames were summed.
    sum, sum_of_squares : bytes
        Of each bin: float64, little-endian.
    """

    shard: str
    feature: str
    frames: int
    sum: bytes
    sum_of_squares: bytes

    @classmethod
    def of(cls, shard: str, feature: str, sums: Sums) -> "ShardSums":
        """The row of some sums."""
        return cls(shard, feature, sums.frames, np.array(sums.sum).tobytes(), np.array(sums.sum_of_squares).tobytes())

    @property
    def sums(self) -> Sums:
        """What it holds."""
        return Sums(
            frames=self.frames,
            sum=tuple(np.frombuffer(self.sum).tolist()),
            sum_of_squares=tuple(np.frombuffer(self.sum_of_squares).tolist()),
        )
