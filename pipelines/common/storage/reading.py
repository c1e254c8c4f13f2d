"""Whole reads, reads of a range, and local copies for libraries that need a path."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from fsspec.implementations.local import LocalFileSystem

from pipelines.common.storage.filesystems import filesystem


def read_bytes(url: str, begin: int | None = None, end: int | None = None) -> bytes:
    """A file, or its bytes from `begin` to before `end`."""
    fs, path = filesystem(url)
    return bytes(fs.cat_file(path, begin, end))


@contextlib.contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A local path to read a file from: its own, or a copy that lives as long as the block."""
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        yield Path(path)
        return
    with tempfile.NamedTemporaryFile(suffix=PurePosixPath(path).suffix) as copy:
        with fs.open(path, "rb") as source:
            shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        yield Path(copy.name)
