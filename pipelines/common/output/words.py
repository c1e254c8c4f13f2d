"""Words for numbers, and for lists."""

from collections.abc import Sequence


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "version"), counted(1_200, "song")
    ('1 version', '1,200 songs')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def some_of(names: Sequence[str], most: int) -> str:
    """The first of some names, and how many more there are.

    >>> some_of(["blues", "jazz", "pop", "rock"], 2), some_of(["blues"], 2)
    ('blues, jazz and 2 more', 'blues')
    """
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
