"""Whole reads, reads of a range, and local copies for libraries that need a path."""

import contextlib
import errno
import io
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from fsspec.archive import AbstractArchiveFileSystem
from fsspec.asyn import sync
from fsspec.implementations.local import LocalFileSystem

from pipelines.common.ranged_file import RangedFile
from pipelines.common.storage.faults import naming
from pipelines.common.storage.filesystems import OBJECT_STORES, filesystem, is_of
from pipelines.common.storage.retries import retried

_PIECE = 64 << 20
"""How many bytes of a file are fetched from an object store at once."""


@dataclass(frozen=True)
class _Content:
    """What came of a file, and what S3 told with it of the whole: a checksum, and how many bytes; of others nothing."""

    content: bytes
    etag: str = ""
    size: str = ""


def read_bytes(url: str, begin: int | None = None, end: int | None = None) -> bytes:
    """A file, or its bytes from `begin` to before `end`.

    Raises
    ------
    OSError
        It cannot be read, or not all of these bytes came; the error names the URL.
    """
    return _whole(url, begin, end).content


@retried
def _whole(url: str, begin: int | None, end: int | None) -> _Content:
    fs, path = filesystem(url)
    if end is not None and end <= (begin or 0):
        return _Content(b"")
    came = _read(url, begin, end)
    is_known_whole = isinstance(fs, LocalFileSystem) if end is None else len(came.content) == end - (begin or 0)
    if not is_known_whole:
        info = fs.info(path)
        size = info["size"]
        if end is not None and size is not None and size < end:
            raise OSError(errno.EINVAL, f"it has {size} bytes, expected {end} and more", url)
        _check_came(url, len(came.content), size if end is None else end, begin or 0)
        _check_same(url, came, info)
    return came


def _read(url: str, begin: int | None, end: int | None) -> _Content:
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        with naming(url):
            return _Content(_read_local(Path(path), begin or 0, end))
    if not is_of(fs, ("s3",)):
        return _Content(bytes(fs.cat_file(path, start=begin, end=end)))
    bucket, key, version = fs.split_path(path)
    asked = {"VersionId": version} if version else {}
    if begin is not None or end is not None:
        asked["Range"] = f"bytes={begin or 0}-{'' if end is None else end - 1}"
    answer = fs.call_s3("get_object", Bucket=bucket, Key=key, **asked)  # cat_file does not tell the ETag
    told = answer.get("ETag", ""), answer.get("ContentRange", "").rpartition("/")[2]
    return _Content(sync(fs.loop, answer["Body"].read), *told)


def _read_local(path: Path, begin: int, end: int | None) -> bytes:
    # To open a file through fsspec takes longer than to read a record of it.
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(-1 if end is None else end - begin)


def _check_came(url: str, came: int, end: int | None, begin: int = 0) -> None:
    """Refuses what a store cut short, where it is known how much was to come."""
    if end is not None and came != end - begin:
        raise OSError(errno.EIO, f"{came} bytes came of {end - begin}", url)


def _check_same(url: str, came: _Content, info: Mapping[str, Any]) -> None:
    """Refuses what is of another object, or of another version of it, than the store tells of."""
    for what, told, expected in (("ETag", came.etag, info.get("ETag")), ("size", came.size, str(info["size"]))):
        if told and expected and told != expected:
            raise OSError(errno.EIO, f"another object came: its {what} is {told}, expected {expected}", url)


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
    info = fs.info(path) if size is None else {"size": size}
    with local.open("wb") as copy:
        for piece in _pieces(url, info["size"]):
            _check_same(url, piece, info)
            with naming(str(local)):
                copy.write(piece.content)
                copy.flush()
        _check_came(url, copy.tell(), info["size"])


def _pieces(url: str, size: int) -> Iterator[_Content]:
    fs, path = filesystem(url)
    if is_of(fs, OBJECT_STORES):
        yield from (_whole(url, begin, min(begin + _PIECE, size)) for begin in range(0, size, _PIECE))
    else:
        with fs.open(path, "rb") as source:
            yield from map(_Content, iter(lambda: source.read(1 << 20), b""))


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
