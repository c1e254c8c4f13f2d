"""What was probably meant by a name that is not known."""

import difflib
from collections.abc import Iterable


def suggestion(slip: str, known: Iterable[str]) -> str:
    """The name that is most like what was written; where none is, all of them.

    Examples
    --------
    >>> suggestion("bild", ["build", "train"])
    'did you mean build?'
    >>> suggestion("frobnicate", ["build", "train"])
    'choose from build, train'
    """
    names = list(known)
    close = difflib.get_close_matches(slip, names, 1)
    return f"did you mean {close[0]}?" if close else f"choose from {', '.join(names)}"
