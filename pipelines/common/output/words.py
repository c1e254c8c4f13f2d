"""Words for numbers."""


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "version"), counted(1_200, "song")
    ('1 version', '1,200 songs')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"
