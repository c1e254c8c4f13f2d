"""Files anywhere fsspec reaches: whole reads, atomic writes, and local copies for libraries that want a path."""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path within it."""
    fs, path = fsspec.core.url_to_fs(url)
    return fs, path


def join(folder: str, name: str) -> str:
    """The URL of a name below a folder."""
    return f"{folder.rstrip('/')}/{name}"


def is_local(url: str) -> bool:
    """Whether a URL is a plain file of this machine."""
    return isinstance(filesystem(url)[0], LocalFileSystem)


def exists(url: str) -> bool:
    """Whether there is a file or folder."""
    fs, path = filesystem(url)
    return bool(fs.exists(path))


def size_bytes(url: str) -> int | None:
    """A file's length, or None where there is no file."""
    fs, path = filesystem(url)
    try:
        return int(fs.size(path))
    except FileNotFoundError:
        return None


def names(folder: str) -> list[str]:
    """The sorted names directly in a folder; none where there is no folder."""
    fs, path = filesystem(folder)
    # Object stores cache listings, and other processes write here.
    fs.invalidate_cache()
    try:
        return sorted(PurePosixPath(found).name for found in fs.ls(path, detail=False))
    except FileNotFoundError:
        return []


def read_bytes(url: str) -> bytes:
    """A whole file."""
    fs, path = filesystem(url)
    return bytes(fs.cat_file(path))


def write_bytes(url: str, content: bytes) -> None:
    """Writes a whole file at once: readers see all of it or none of it."""
    with writing(url) as local:
        local.write_bytes(content)


@contextlib.contextmanager
def writing(url: str) -> Iterator[Path]:
    """Gives a local path to write to, and moves what was written to the URL in one step.

    Where the block raises, nothing appears at the URL. Object stores show an upload once it is complete; locally
    the file is renamed into place.
    """
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            yield unfinished
            with unfinished.open("rb") as written:
                os.fsync(written.fileno())
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)
    else:
        with tempfile.TemporaryDirectory() as folder:
            unfinished = Path(folder) / PurePosixPath(path).name
            yield unfinished
            fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            fs.put_file(str(unfinished), path)


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


def version(info: Mapping[str, Any]) -> str:
    """What changes when a file does, of its entry in a listing: its size, and its time or checksum."""
    return "-".join(str(info[key]) for key in ("size", "mtime", "ETag", "etag", "created", "CRC") if key in info)


def remove(url: str) -> None:
    """Removes a file or a whole folder, if it is there."""
    fs, path = filesystem(url)
    if fs.exists(path):
        fs.rm(path, recursive=True)
