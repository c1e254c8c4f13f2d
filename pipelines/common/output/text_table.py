"""Tables in plain text, for a terminal."""

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A header and rows in aligned columns: the first flush left, the others flush right.

    >>> print(table(["genre", "songs"], [["jazz", 10], ["metal", 2]]))
    genre  songs
    jazz      10
    metal      2
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]).rstrip()
        for row in cells
    )
