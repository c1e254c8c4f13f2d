"""What an error of a file tells."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
_VOLUME = " (volume "


def is_of_the_path(error: OSError) -> bool:
    """Whether an error tells of the path alone: nothing is there, or it may not be read.

    Any other tells of the machine or the store: no space, a failing disk, a lost connection, a server that refuses.

    Examples
    --------
    >>> is_of_the_path(FileNotFoundError("a.wav"))
    True
    >>> is_of_the_path(OSError(errno.ENOSPC, "No space left on device"))
    False
    """
    is_known = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError)
    return is_known or error.errno in (errno.ELOOP, errno.ENAMETOOLONG)


@contextlib.contextmanager
def naming(path: str) -> Iterator[None]:
    """Has errors of the system within the block name a local path where the system names none, as where a disk is full.

    One that names the unfinished file beside it names the path too. Where no space is left, the volume is told.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise
        name = error.filename
        if error.errno in _FULL:  # of two that are named, one is copied to the other
            name = error.filename2 or name
        if name is None or Path(str(name)).name.startswith(f".{Path(path).name}."):
            name = path
        fault = error.strerror
        if error.errno in _FULL and _VOLUME not in fault:
            fault += f"{_VOLUME}{_volume(str(name))})"
        if (name, fault) == (error.filename, error.strerror):
            raise
        raise OSError(error.errno, fault, name) from error


def _volume(path: str) -> str:
    """Where the disk that a local path is on, or is to be on, is mounted."""
    place = Path(path).absolute()
    return next(str(folder) for folder in (place, *place.parents) if folder.is_mount())
