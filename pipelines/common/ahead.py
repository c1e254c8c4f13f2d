"""Work that is done ahead of need, in threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def mapped_ahead(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """A function's results for items, in their order; so many at once are worked out before they are asked for.

    Parameters
    ----------
    function : callable
    items : iterable
        Taken in the caller's thread.
    threads : int

    Examples
    --------
    >>> list(mapped_ahead(str.upper, "abc", threads=2))
    ['A', 'B', 'C']
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
