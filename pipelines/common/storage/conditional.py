"""Files that are made once: of all who try, one succeeds."""

import errno
import fcntl
import os
import threading
import uuid
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.common.errors import UsageError
from pipelines.common.storage.filesystems import filesystem, is_of
from pipelines.common.storage.retries import retried
from pipelines.common.storage.writing import beside, sync

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS)
_METADATA = {"s3": "Metadata", "gs": "metadata"}
"""What a store's `pipe_file` calls the words that it keeps with an object."""
_in_memory = threading.Lock()


def create(url: str, content: bytes) -> bool:
    """Makes a file unless there is one: in one step, whole, and by one alone of all processes that try.

    Returns
    -------
    bool
        Whether this call made it. Where it did not, what is there stays as it is.

    Raises
    ------
    UsageError
        The store knows no conditional creation.
    OSError
        It cannot be written; the error names the file.
    """
    return _create(url, content, uuid.uuid4().hex)


@retried
def _create(url: str, content: bytes, creator: str) -> bool:
    fs, path = filesystem(url)
    if isinstance(fs, LocalFileSystem):
        return _create_file(path, content)
    if isinstance(fs, MemoryFileSystem):
        return _create_in_memory(fs, path, content)
    for protocol, metadata in _METADATA.items():
        if is_of(fs, (protocol,)):
            made = _create_object(fs, path, content, {metadata: {"creator": creator}})
            # A request whose answer was lost is repeated, and refused then for the object that it made itself.
            return made or _creator(fs, path) == creator
    raise _refusal(url, "is not known for it")


def _refusal(url: str, found: str) -> UsageError:
    needed = "versions need a store that makes a file only where there is none, as local disks, S3 and GCS do"
    return UsageError(f"{url}: {needed}; this one {found}")


def _create_file(path: str, content: bytes) -> bool:
    target = Path(path)
    with beside(path) as unfinished:
        unfinished.write_bytes(content)
        sync(unfinished)
        try:
            target.hardlink_to(unfinished)
        except FileExistsError:
            # A network disk whose answer was lost says so too of the link that it made.
            return unfinished.stat().st_nlink == 2
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _create_without_links(unfinished, target)
        sync(target.parent)
        return True


def _create_without_links(unfinished: Path, target: Path) -> bool:
    """Looks and renames while no other process does, on a disk such as an exFAT one."""
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # until it is closed, however the process ends
        if os.path.lexists(target):
            return False
        unfinished.replace(target)
        os.fsync(folder)
        return True
    finally:
        os.close(folder)


def _create_in_memory(fs: Any, path: str, content: bytes) -> bool:
    with _in_memory:
        try:
            fs.info(path)
        except FileNotFoundError:
            fs.pipe_file(path, content)
            return True
        return False


def _create_object(fs: Any, path: str, content: bytes, metadata: dict[str, Any]) -> bool:
    made = _put_once(fs, path, content, metadata)
    if made and _put_once(fs, path, content, metadata):
        raise _refusal(fs.unstrip_protocol(path), "made it a second time")
    return made


def _put_once(fs: Any, path: str, content: bytes, metadata: dict[str, Any]) -> bool:
    """Whether a store accepted an object on the condition that there is none."""
    try:
        fs.pipe_file(path, content, mode="create", **metadata)
    except FileExistsError:
        return False
    except OSError as error:
        response = getattr(error.__cause__, "response", None) or {}
        # Not every store that speaks S3's language names the condition that failed.
        if response.get("Error", {}).get("Code") in ("PreconditionFailed", "412"):
            return False
        if error.errno == errno.ENOSYS:
            raise _refusal(fs.unstrip_protocol(path), f"answers: {error}") from error
        raise
    return True


def _creator(fs: Any, path: str) -> str:
    """Who made an object; nothing where that is not noted, or it is gone already."""
    try:
        return str(fs.getxattr(path, "creator"))
    except (KeyError, FileNotFoundError):
        return ""
