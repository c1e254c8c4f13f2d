"""Work on a file that may end its process, never end, or take all memory: in a process of its own, and tried twice."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pipelines.audio.messages import steady
from pipelines.audio.schema import AudioConfig
from pipelines.common.child import ChildCrashed, ChildKilled, Limits
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

CRASHED = Reason(
    "crashed", "reading the file ended the process that read it, twice, or took too long or too much memory"
)

# An hour of nine features takes 220 MB. By the backend `librosa`, ten minutes take 1.6 GB, in proportion to the length.
_MEMORY_BYTES = 1 << 31
_ATTEMPTS = 2
# Nine features of a second of music take 3 ms, and 80 ms by the backend `librosa`, on a core of 2.6 GHz.
_LEAST_TIMEOUT_S, _TIMEOUT_PER_S = 300, 1

ResultT = TypeVar("ResultT")


def limits(config: AudioConfig) -> Limits:
    """What work on a file may take.

    Five minutes, and a second more for each second of `audio.max_duration_s`: a hundred times of what is needed, since
    a slow or busy machine must lose no song. 2 GiB of memory, of which the features of a song of any length need a
    tenth.

    >>> limits(AudioConfig())
    Limits(timeout_s=900.0, memory_bytes=2147483648)
    """
    return Limits(_LEAST_TIMEOUT_S + _TIMEOUT_PER_S * config.max_duration_s, _MEMORY_BYTES)


def twice(path: Path, call: Callable[[], ResultT]) -> ResultT:
    """Calls a child process to work on a file, and once more if that ends the process.

    Parameters
    ----------
    path : Path
        The file, which messages must not name.
    call : callable
        Calls the process.

    Raises
    ------
    FileError
        `CRASHED`: twice the process ended, or went beyond a limit.
    ChildKilled
        The process was killed from outside, twice.
    Exception
        Whatever the work raised.
    """
    end: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            return call()
        except (ChildCrashed, ChildKilled) as error:
            end = error
    if isinstance(end, ChildKilled):
        raise end
    raise FileError(CRASHED, steady(f"reading it {end}", [str(path)]))
