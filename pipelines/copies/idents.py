"""Idents: stretches that many songs have at the same place, as a station puts its name in front of every track.

They say nothing of the songs around them. Yet a copy may be short too, so an ident must show itself as one: many groups
of songs have it, whatever else they share apart, and of each pair that has it nothing but it is alike.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np

from pipelines.dataset.ledger import Copy

LEAST_GROUPS = 5
"""How many groups of songs have an ident, at least."""

_MORE_S = (
    2.0  # that two songs seem to share of what comes before and after an ident, which no fingerprint tells exactly
)


@dataclass(frozen=True)
class Ident:
    """A stretch that many songs have at the same place.

    Attributes
    ----------
    copies : tuple of Copy
        The pairs that were found to share it, and nothing beside it.
    """

    copies: tuple[Copy, ...]

    @property
    def duration_s(self) -> float:
        """How long it is: the median of all pairs."""
        return median(copy.duration_s for copy in self.copies)

    @property
    def begins_s(self) -> dict[str, float]:
        """When it begins in each recording that has it, by content hash."""
        return {copy.first: copy.first_s for copy in self.copies} | {copy.second: copy.second_s for copy in self.copies}


def find_idents(copies: Iterable[Copy], group_of: Mapping[str, str]) -> list[Ident]:
    """The idents among some copies, those that most recordings have first.

    Parameters
    ----------
    copies : iterable of Copy
        Those that `may_be_ident`.
    group_of : dict
        By content hash, the group that a recording is in for other reasons; each of the others is its own.

    Examples
    --------
    >>> copies = [Copy(f"{n}", f"{n + 1}", 0.0, 0.1, 7.0, 1.0, 0.0, may_be_ident=True) for n in range(9)]
    >>> copies += [Copy("2", "4", 0.0, 0.1, 14.0, 1.0, 0.0, may_be_ident=True)]
    >>> [(len(one.copies), one.duration_s) for one in find_idents(copies, {})]
    [(9, 7.0)]
    """
    found: list[Ident] = []
    for linked in _linked(list(copies)):
        if len({group_of.get(content, content) for content in _contents(linked)}) >= LEAST_GROUPS:
            most_s = median(copy.duration_s for copy in linked) + _MORE_S
            longer = [copy for copy in linked if copy.duration_s > most_s]
            if longer:  # as the ident of a series that follows that of its station; or a copy, which then is no ident
                alike = [copy for copy in linked if copy.duration_s <= most_s]
                found += find_idents(alike, group_of) + find_idents(longer, group_of)
            else:
                found.append(Ident(tuple(linked)))
    return sorted(found, key=lambda ident: (-len(ident.begins_s), ident.copies[0].first, ident.copies[0].first_s))


def _contents(copies: Iterable[Copy]) -> set[str]:
    return {content for copy in copies for content in (copy.first, copy.second)}


def _linked(copies: Sequence[Copy]) -> list[list[Copy]]:
    """Copies, those of one stretch together: where stretches of two overlap in a recording, they are one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    places: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    for number, copy in enumerate(copies):
        for content, begin_s in ((copy.first, copy.first_s), (copy.second, copy.second_s)):
            places[content].append((begin_s, begin_s + copy.duration_s / 2, number))
    ties = [
        (number, other)
        for own in places.values()
        for (_, middle_s, number), (begin_s, _, other) in pairwise(sorted(own))
        if begin_s < middle_s
    ]
    ones, rows, columns = np.ones(len(ties)), [one for one, _ in ties], [other for _, other in ties]
    graph = coo_array((ones, (rows, columns)), (len(copies), len(copies)))
    linked: dict[int, list[Copy]] = defaultdict(list)
    for copy, component in zip(copies, connected_components(graph, directed=False)[1].tolist(), strict=True):
        linked[component].append(copy)
    return list(linked.values())
