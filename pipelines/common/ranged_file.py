"""A file of which stretches are read by a function, wherever they are."""

import errno
import io
import os
from collections.abc import Callable
from typing import Any


class RangedFile(io.RawIOBase):
    """A binary file to read from and to seek in, without a buffer.

    Parameters
    ----------
    size : int
        In bytes.
    read : callable
        Gives the bytes from a begin to before an end, both within the size.

    Examples
    --------
    >>> content = b"abcdef"
    >>> file = RangedFile(len(content), lambda begin, end: content[begin:end])
    >>> file.read(2), file.seek(-1, os.SEEK_END), file.read()
    (b'ab', 5, b'f')
    """

    def __init__(self, size: int, read: Callable[[int, int], bytes]):
        super().__init__()
        self._size = size
        self._read = read
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
        content = self._read(self._at, max(min(self._at + len(buffer), self._size), self._at))
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)
