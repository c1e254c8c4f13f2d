"""What tables of predictions tell in total: counts and sums, which add up from table to table."""

import math
import operator
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from model.inference.prediction import REJECTED
from pipelines.common.section import Section
from pipelines.dataset.unknown import unread_in_words


class Mixture(Section):
    """How many songs there are, and the sums of their distributions over genres.

    Attributes
    ----------
    songs : int
    sums : tuple of float
        In the order of the genres.
    """

    songs: int = 0
    sums: tuple[float, ...] = ()

    def __add__(self, other: "Mixture") -> "Mixture":
        pairs = zip(self.sums or [0.0] * len(other.sums), other.sums or [0.0] * len(self.sums), strict=True)
        return Mixture(songs=self.songs + other.songs, sums=tuple(one + two for one, two in pairs))

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean distribution, shape (genres,); zeros where there are no songs."""
        return np.array(self.sums) / max(self.songs, 1)


class Totals(Section):
    """What is to be said of predictions without any of them at hand.

    Attributes
    ----------
    mixture : Mixture
        Of all songs that were predicted.
    years : dict of Mixture
        Of those of each year.
    unsure : int
        How many of them were given no genre with confidence.
    rejected : dict of int
        How many files could not be predicted, by reason.
    unread : int
        How many files were not read to their end.
    unread_s : float
        How many seconds of them were not.
    """

    mixture: Mixture
    years: dict[int, Mixture] = Field(default_factory=dict)
    unsure: int = 0
    rejected: dict[str, int] = Field(default_factory=dict)
    unread: int = 0
    unread_s: float = 0.0

    @classmethod
    def of(cls, rows: pa.Table, genres: Sequence[str]) -> "Totals":
        """Those of a table of predictions, as `model.inference.columns.table` makes it."""
        is_rejected = rows.column("status").to_numpy() == REJECTED
        songs = rows.filter(pa.array(~is_rejected))
        shares = np.array([songs.column(f"p_{genre}").to_numpy() for genre in genres], float).reshape(len(genres), -1).T
        years = np.array([year or 0 for year in songs.column("year").to_pylist()], int)
        seconds = [seconds for seconds in rows.column("unread_s").to_pylist() if seconds]
        return cls(
            mixture=_mixture(shares),
            years={int(year): _mixture(shares[years == year]) for year in np.unique(years) if year},
            unsure=len(songs) - sum(songs.column("is_confident").to_pylist()),
            rejected=dict(sorted(Counter(rows.filter(pa.array(is_rejected)).column("reason").to_pylist()).items())),
            unread=len(seconds),
            unread_s=math.fsum(seconds),
        )

    @classmethod
    def sum(cls, parts: Iterable["Totals"], genres: Sequence[str]) -> "Totals":
        """Those of several tables together; the order decides the last bits of the sums."""
        return reduce(operator.add, parts, cls(mixture=Mixture(sums=(0.0,) * len(genres))))

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            mixture=self.mixture + other.mixture,
            years={
                year: self.years.get(year, Mixture()) + other.years.get(year, Mixture())
                for year in sorted({*self.years, *other.years})
            },
            unsure=self.unsure + other.unsure,
            rejected=_added(self.rejected, other.rejected),
            unread=self.unread + other.unread,
            unread_s=self.unread_s + other.unread_s,
        )

    @property
    def songs(self) -> int:
        """How many songs were predicted."""
        return self.mixture.songs

    @property
    def failures(self) -> int:
        """How many files could not be."""
        return sum(self.rejected.values())

    @property
    def unread_in_words(self) -> str:
        """How many seconds of files were not read, in a line; empty where all of them were."""
        return unread_in_words(self.unread, self.unread_s) if self.unread else ""


def _mixture(shares: NDArray[np.float64]) -> Mixture:
    return Mixture(songs=len(shares), sums=tuple(map(float, shares.sum(axis=0))))


def _added(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted((Counter(one) + Counter(two)).items()))
