"""Whole reads, reads of a range, and local copies for libraries that need a path."""

import contextlib
import errno
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from fsspec.archive import AbstractArchiveFileSystem
from fsspec.implementations.local import LocalFileSystem

from pipelines.common.ranged_file import RangedFile
from pipelines.common.storage.faults import naming
from pipelines.common.storage.filesystems import OBJECT_STORES, filesystem, is_of
from pipelines.common.storage.retries import retried

_PIECE = 64 << 20
"""How many bytes of a file are fetched from an object store at once."""


@retried
def read_bytes(url: str, begin: int | None = None, end: int | None = None) -> bytes:
    """A file, or its bytes from `begin` to before `end`.

    Raises
    ------
    OSError
        It cannot be read, or not all of these bytes came; the error names the URL.
    """
    fs, path = filesystem(url)
    if end is not None and end <= (begin or 0):
        return b""
    # With several connections s3fs would ask for the size first, and what came is held against it here anyway.
    keys = {"max_concurrency": 1} if is_of(fs, ("s3",)) else {}
    with naming(url) if isinstance(fs, LocalFileSystem) else contextlib.nullcontext():
        content = bytes(fs.cat_file(path, start=begin, end=end, **keys))
    is_known_whole = isinstance(fs, LocalFileSystem) if end is None else len(content) == end - (begin or 0)
    if not is_known_whole:
        size = fs.info(path)["size"]
        if end is not None and size is not None and size < end:
            raise OSError(errno.EINVAL, f"it has {size} bytes, expected {end} and more", url)
        _check_came(url, len(content), size if end is None else end, begin or 0)
    return content


def _check_came(url: str, came: int, end: int | None, begin: int = 0) -> None:
    """Refuses what a store cut short, where it is known how much was to come."""
    if end is not None and came != end - begin:
        raise OSError(errno.EIO, f"{came} bytes came of {end - begin}", url)


@contextlib.contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A local path to read a file from: its own, or a copy that lives as long as the block."""
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        yield Path(path)
        return
    with tempfile.NamedTemporaryFile(suffix=PurePosixPath(path).suffix) as copy:
        fetch(url, Path(copy.name))
        yield Path(copy.name)


@retried
def fetch(url: str, local: Path, size: int | None = None) -> None:
    """Copies a file to a local path, at which nobody else looks meanwhile.

    Parameters
    ----------
    url : str
    local : Path
    size : int, optional
        How many bytes it has. Default: the store is asked.
    """
    fs, path = filesystem(url)
    expected: int = fs.info(path)["size"] if size is None else size
    with local.open("wb") as copy:
        for piece in _pieces(url, expected):
            with naming(str(local)):
                copy.write(piece)
                copy.flush()
        _check_came(url, copy.tell(), expected)


def _pieces(url: str, size: int) -> Iterator[bytes]:
    fs, path = filesystem(url)
    if is_of(fs, OBJECT_STORES):
        yield from (read_bytes(url, begin, min(begin + _PIECE, size)) for begin in range(0, size, _PIECE))
    else:
        with fs.open(path, "rb") as source:
            yield from iter(lambda: source.read(1 << 20), b"")


def opened(url: str, ahead: int = 1 << 20) -> BinaryIO:
    """A file to read from and to seek in, for libraries that take one.

    Parameters
    ----------
    url : str
    ahead : int
        How many bytes are fetched from a store at once; each time is tried again as `read_bytes` is.
    """
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem | AbstractArchiveFileSystem) or is_of(fs, ("http", "https")):
        return cast(BinaryIO, fs.open(path, "rb"))  # not every web server gives parts
    return io.BufferedReader(RangedFile(_size(url), lambda begin, end: read_bytes(url, begin, end)), ahead)


@retried
def _size(url: str) -> int:
    fs, path = filesystem(url)
    return int(fs.info(path)["size"])
