"""Files of a store kept on this machine: by their content, up to a limit, for all processes together.

Each is held by a lock of the system's as long as it may be about to be opened, and lock and process end together. So
one process never removes what another is about to read, and what a killed one has left holds nothing.
"""

import contextlib
import fcntl
import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pipelines.common import checksum, storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import check
from pipelines.dataset.dataset import Shard

FOLDER, LIMIT_GB = "SPECTROSHARD_CACHE", "SPECTROSHARD_CACHE_GB"
"""The environment variables that say where the cache is, and how large it may become."""

_DEFAULT_GB = 50.0
_MOST_HELD = 16
_KEPT, _PART, _LOCK = ".kept", ".part", "lock"
_OURS = re.compile(r"[0-9a-f]{64}(\.kept|-(\d+)\.part)")

_held: deque[IO[bytes]] = deque(maxlen=_MOST_HELD)
"""The files that this process fetched last. One that leaves here is closed, and with that free to be removed."""

_checked: set[Path] = set()
_lock = threading.Lock()


@dataclass(frozen=True)
class Cache:
    """A folder of files that were fetched.

    Attributes
    ----------
    folder : Path
    limit_bytes : float
        How much the files may hold together. What is in use stays, even where that is more.
    """

    folder: Path
    limit_bytes: float

    @classmethod
    def of_environment(cls) -> "Cache":
        """The cache that the environment asks for: by default 50 GB in `~/.cache/spectroshard`.

        Raises
        ------
        UsageError
            The limit is no number, or not above 0.
        """
        limit = os.environ.get(LIMIT_GB) or str(_DEFAULT_GB)
        try:
            limit_bytes = float(limit) * 1e9
        except ValueError:
            limit_bytes = 0.0
        if not limit_bytes > 0:
            raise UsageError(f"{LIMIT_GB}={limit}: expected gigabytes, a number above 0")
        above = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
        return cls(Path(os.environ.get(FOLDER) or above / "spectroshard").expanduser(), limit_bytes)

    def fetch(self, url: str, file: Shard) -> Path:
        """A local copy of a file, which stays there until this process has fetched 16 others.

        Where two processes want the same, one fetches it and the other waits. What was used longest ago makes room.

        Parameters
        ----------
        url : str
            Where it lies.
        file : Shard
            What it must be.

        Raises
        ------
        SpectroshardError
            It is not what it must be.
        OSError
            It cannot be fetched, or there is no space.
        """
        path = self.folder / (file.sha256 + _KEPT)
        part = self.folder / f"{file.sha256}-{file.bytes}{_PART}"
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            if _hold(path) and _is_whole(path, file):
                return path
            with _written_alone(part) as is_ours:
                if is_ours and not path.exists():
                    self._make_room(file.bytes)
                    storage.fetch(url, part, file.bytes)
                    if fault := _damage(part, file):
                        part.unlink()
                        raise SpectroshardError(f"{url}: {fault}; spectroshard verify tells what else is wrong")
                    part.replace(path)

    def _make_room(self, size: int) -> None:
        """Removes what was used longest ago until there is room for the files that are being fetched."""
        with (self.folder / _LOCK).open("ab") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            kept, being_fetched = [], 0
            for path in self.folder.iterdir():
                if (ours := _OURS.fullmatch(path.name)) is None:  # the folder may be of other use too
                    continue
                with contextlib.suppress(FileNotFoundError):  # another process removes it, or has it whole by now
                    if ours[2] is None:
                        kept.append((path.stat().st_atime_ns, path.stat().st_size, path))
                    elif not _remove_unused(path):
                        being_fetched += int(ours[2])
            total = being_fetched + sum(bytes_ for _, bytes_, _ in kept)
            for _, bytes_, path in sorted(kept):
                if total <= self.limit_bytes:
                    break
                if _remove_unused(path):
                    total -= bytes_


def _hold(path: Path) -> bool:
    """Opens a file so that nobody removes it, and notes that it was used; whether it is there."""
    try:
        opened = path.open("rb")
    except FileNotFoundError:
        return False
    fcntl.flock(opened, fcntl.LOCK_SH)
    status = os.fstat(opened.fileno())
    if status.st_nlink == 0:  # it was removed meanwhile
        opened.close()
        return False
    # The time of change stays: it tells readers whether it is still what they have checked.
    os.utime(path, ns=(time.time_ns(), status.st_mtime_ns))
    with _lock:
        if len(_held) == _MOST_HELD:
            _held[0].close()
        _held.append(opened)
    return True


def _is_whole(path: Path, file: Shard) -> bool:
    """Whether what an earlier process has fetched is what it was; what a disk has damaged since is removed."""
    if path not in _checked:
        if _damage(path, file):
            path.unlink(missing_ok=True)
            return False
        _checked.add(path)
    return True


def _damage(path: Path, file: Shard) -> str:
    return check.damage(file, path.stat().st_size, checksum.sha256(str(path)))


@contextlib.contextmanager
def _written_alone(part: Path) -> Iterator[bool]:
    """Waits until no other process writes to a file; gives whether it is still the one of that name."""
    with part.open("ab") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        try:
            yield part.stat().st_ino == os.fstat(opened.fileno()).st_ino
        except FileNotFoundError:
            yield False


def _remove_unused(path: Path) -> bool:
    """Removes a file unless a process holds it."""
    with path.open("rb") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        path.unlink()
        return True
