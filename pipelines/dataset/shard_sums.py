"""Each shard's sums, a table of the dataset, so that those of a fold are added up and never subtracted."""

from dataclasses import dataclass

import numpy as np

from pipelines.dataset.dataset import Sums


@dataclass(frozen=True, slots=True)
class ShardSums:
    """A feature's sums over a shard; float64 in little-endian bytes, bin by bin."""

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
            sum=np.frombuffer(self.sum),  # type: ignore[arg-type]
            sum_of_squares=np.frombuffer(self.sum_of_squares),  # type: ignore[arg-type]
        )
