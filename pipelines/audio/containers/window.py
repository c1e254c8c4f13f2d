"""A stretch of a file as a file of its own."""

import os
from typing import BinaryIO

from pipelines.common.ranged_file import RangedFile


class Window(RangedFile):
    """A stretch of an open file, to read from and to seek in; closing it leaves the file open.

    Parameters
    ----------
    file : binary file
        Nothing else may move its position between two calls here.
    begin, end : int
        In bytes; None, the default, is the file's end.

    Examples
    --------
    >>> import io
    >>> window = Window(io.BytesIO(b"abcdef"), 1, 4)
    >>> window.read(2), window.read(), window.seek(-1, os.SEEK_END), window.read()
    (b'bc', b'd', 2, b'd')
    """

    def __init__(self, file: BinaryIO, begin: int = 0, end: int | None = None):
        def read(first: int, last: int) -> bytes:
            file.seek(begin + first)
            return file.read(last - first)

        super().__init__((file.seek(0, os.SEEK_END) if end is None else end) - begin, read)
