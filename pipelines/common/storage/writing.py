"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from pipelines.common.storage.faults import naming
from pipelines.common.storage.filesystems import OBJECT_STORES, filesystem, is_of
from pipelines.common.storage.retries import retried

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}")


def write_bytes(url: str, content: bytes, *, is_lasting: bool = True) -> None:
    """Writes a whole file in one step, as `writing` does: readers see all of it or none of it."""
    with writing(url, is_lasting=is_lasting) as local:
        local.write_bytes(content)


@contextlib.contextmanager
def writing(url: str, *, is_lasting: bool = True) -> Iterator[Path]:
    """Gives a local path to write to, and moves what was written to the URL in one step, as `put_new` does.

    Where the block raises, nothing appears at the URL.

    Parameters
    ----------
    url : str
    is_lasting : bool
        Whether the file is to survive a power cut on a local disk, which takes as long as the disk takes to write it.
        One that is not may then be missing or hold anything, and whoever reads it must notice.

    Raises
    ------
    OSError
        It cannot be written; the error names the file, also where the system's does not.
    """
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        with beside(path) as unfinished:
            yield unfinished
            _rename(unfinished, Path(path), is_lasting)
    else:
        with tempfile.TemporaryDirectory() as folder:
            unfinished = Path(folder) / PurePosixPath(path).name
            with naming(str(unfinished)):
                yield unfinished
            _upload(url, unfinished)


def put_new(local: Path, url: str) -> None:
    """Moves a finished local file to a URL in one step: nobody ever sees a part of it.

    Locally it is renamed, from another disk copied beside its place first; it survives a power cut from then on.
    Object stores show an upload once it is complete; on others it is uploaded beside its place and renamed.

    Raises
    ------
    OSError
        It cannot be written; the error names the file. The local one is still there then.
    """
    fs, path = filesystem(url)
    if not isinstance(fs, LocalFileSystem):
        _upload(url, local)
        local.unlink()
        return
    with beside(path) as unfinished:
        try:
            _rename(local, Path(path))
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copyfile(local, unfinished)
            _rename(unfinished, Path(path))
            local.unlink()


@contextlib.contextmanager
def beside(path: str) -> Iterator[Path]:
    """A name for an unfinished file in the folder of a local one, which is made; nothing is left of it after the block.

    Errors within the block that name no path, or the unfinished one, name the file's.
    """
    target = Path(path)
    unfinished = target.with_name(_unfinished_name(target.name))
    with naming(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield unfinished
        finally:
            unfinished.unlink(missing_ok=True)


def _unfinished_name(name: str) -> str:
    return f".{name}.{uuid.uuid4().hex}"


def is_unfinished(name: str) -> bool:
    """Whether a file is what a process that was killed left of `writing`.

    >>> is_unfinished(f".songs.parquet.{uuid.uuid4().hex}"), is_unfinished("songs.parquet")
    (True, False)
    """
    return _UNFINISHED.fullmatch(name) is not None


def _rename(finished: Path, target: Path, is_lasting: bool = True) -> None:
    """Renames a file; of one that is to last, neither the content nor the name is lost in a power cut."""
    if is_lasting:
        sync(finished)
    finished.replace(target)
    if is_lasting:
        sync(target.parent)


def sync(path: Path) -> None:
    """Waits until a local file or a folder's list of names is on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    except OSError as error:
        # Some network disks keep folders by themselves, and answer so.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(opened)


@retried
def _upload(url: str, local: Path) -> None:
    fs, path = filesystem(url)
    if is_of(fs, OBJECT_STORES):
        fs.put_file(str(local), path)
        return
    place = PurePosixPath(path)
    unfinished = str(place.with_name(_unfinished_name(place.name)))
    fs.makedirs(str(place.parent), exist_ok=True)
    try:
        fs.put_file(str(local), unfinished)
        _move(fs, unfinished, path)
    except BaseException:
        with contextlib.suppress(Exception):
            fs.rm_file(unfinished)
        raise


def _move(fs: Any, source: str, target: str) -> None:
    if type(fs).mv is not AbstractFileSystem.mv:
        fs.mv(source, target)
        return
    # fsspec's own would take brackets in a name for a pattern.
    fs.cp_file(source, target)
    fs.rm_file(source)


@retried
def remove(url: str) -> None:
    """Removes a file or a whole folder, if it is there."""
    fs, path = filesystem(url)
    try:
        fs.rm(path, recursive=True)
    except FileNotFoundError:
        if isinstance(fs, LocalFileSystem) and fs.exists(path):  # another process removes the folder too
            raise
