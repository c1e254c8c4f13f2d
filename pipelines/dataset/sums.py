"""Sums of features over frames, of which the statistics of any set of folds follow exactly."""

from collections.abc import Iterable
from typing import Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from pipelines.common.section import Section


class Sums(Section):
    """A feature's sums over frames, bin by bin, from which mean and deviation follow; those of several folds add up.

    Attributes
    ----------
    frames : int
        How many frames were summed.
    sum, sum_of_squares : tuple of float
        Of each bin.

    Examples
    --------
    >>> first = Sums.of(np.array([[1, 0], [3, 0]], np.float32))
    >>> second = Sums.of(np.array([[5, 3]], np.float32))
    >>> total = Sums.total([first, second])
    >>> total.frames, total.sum
    (3, (9.0, 3.0))
    >>> total.mean_and_deviation()[0]
    array([3., 1.], dtype=float32)
    """

    frames: int
    sum: tuple[float, ...]
    sum_of_squares: tuple[float, ...]

    @staticmethod
    def of(values: NDArray[np.float32]) -> "Sums":
        """The sums of a feature's values, shape (frames, bins)."""
        running = RunningSums(values.shape[1])
        running.add(values)
        return running.total()

    @classmethod
    def total(cls, parts: Iterable["Sums"]) -> Self:
        """The sums of several, added in their order."""
        parts = list(parts)
        return cls(
            frames=sum(part.frames for part in parts),
            sum=np.sum([part.sum for part in parts], axis=0),
            sum_of_squares=np.sum([part.sum_of_squares for part in parts], axis=0),
        )

    def mean_and_deviation(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Each bin's mean and standard deviation, shape (bins,)."""
        mean = np.array(self.sum) / self.frames
        variance = np.maximum(np.array(self.sum_of_squares) / self.frames - mean**2, 0)
        return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)

    @pydantic.field_validator("sum", "sum_of_squares", mode="before")
    @classmethod
    def _as_floats(cls, values: object) -> object:
        return tuple(values.tolist()) if isinstance(values, np.ndarray) else values


class RunningSums:
    """A feature's sums while frames are added to them.

    Attributes
    ----------
    frames : int
    sum, sum_of_squares : array, shape (bins,)
        float64.

    Examples
    --------
    >>> running = RunningSums(2)
    >>> for values in ([[1, 0], [3, 0]], [[5, 3]]):
    ...     running.add(np.array(values, np.float32))
    >>> running.total().sum
    (9.0, 3.0)
    """

    def __init__(self, bins: int):
        self.frames, self.sum, self.sum_of_squares = 0, np.zeros(bins), np.zeros(bins)

    def add(self, values: NDArray[np.float32] | NDArray[np.float16]) -> None:
        """Adds frames, shape (frames, bins)."""
        from pipelines.common.arrays.column_sums import add_columns  # compiles, which readers need not wait for

        add_columns(values, self.sum, self.sum_of_squares)
        self.frames += len(values)

    def total(self) -> Sums:
        """What was added."""
        sums, squares = tuple(self.sum.tolist()), tuple(self.sum_of_squares.tolist())
        return Sums(frames=self.frames, sum=sums, sum_of_squares=squares)
