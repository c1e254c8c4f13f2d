"""Shard arithmetic, in numbers alone: how many shards a fold has, and which of them each item goes to."""

import math
from collections.abc import Iterable
from itertools import accumulate


def shard_count(total_bytes: float, most_bytes: float) -> int:
    """The fewest shards that hold so many bytes.

    Parameters
    ----------
    total_bytes : float
    most_bytes : float
        What a shard may hold.

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    >>> shard_count(250e6, 128e6)
    2
    >>> shard_count(0, 128e6)
    1
    """
    return math.ceil(total_bytes / most_bytes) or 1


def shard_indices(sizes: Iterable[float], total: float, count: int) -> list[int]:
    """Which shard each item of a row goes to, so that consecutive items fill shards of about equal size.

    An item goes to the shard in whose equal part of the total it begins; so no shard is larger than its part by more
    than its last item.

    Parameters
    ----------
    sizes : iterable of float
        The items', in their order, in any unit.
    total : float
        Their sum.
    count : int
        How many shards there are.

    Returns
    -------
    list of int
        From 0 to `count - 1`, never falling.

    Examples
    --------
    >>> shard_indices([30, 30, 30, 30, 30], 150, 2)
    [0, 0, 0, 1, 1]
    >>> shard_indices([100, 10, 10], 120, 2)
    [0, 1, 1]
    """
    begins = list(accumulate(sizes, initial=0.0))[:-1]
    return [min(int(begin / total * count), count - 1) for begin in begins]
