"""A stretch of a file as a file of its own."""

import errno
import io
import os
from typing import Any, BinaryIO


class Window(io.RawIOBase):
    """A stretch of an open file, to read from and to seek in; closing it leaves the file open.

    Parameters
    ----------
    file : binary file
        Nothing else may move its position between two calls here.
    begin, end : int
        In bytes; None, the default, is the file's end.

    Examples
    --------
    >>> window = Window(io.BytesIO(b"abcdef"), 1, 4)
    >>> window.read(2), window.read(), window.seek(-1, os.SEEK_END), window.read()
    (b'bc', b'd', 2, b'd')
    """

    def __init__(self, file: BinaryIO, begin: int = 0, end: int | None = None):
        super().__init__()
        self._file = file
        self._begin = begin
        self._size = (file.seek(0, os.SEEK_END) if end is None else end) - begin
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, "a position before the beginning")
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        self._file.seek(self._begin + self._at)
        content = self._file.read(max(min(len(buffer), self._size - self._at), 0))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
