"""A process of one's own for work that may end its process, never end, or take all memory.

The process is started once and used for many calls. It is a plain Python that imports what the function needs and
nothing else, so a Beam worker, a notebook and a script start it alike. It ends with whoever started it, and all that it
has started itself ends with it.
"""

import contextlib
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from pipelines.common.errors import SpectroshardError

UNLIMITED = resource.RLIM_INFINITY

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")

_START = "from pipelines.common import child_main; child_main.serve()"
# Whoever runs the machine sends these, or the system when memory runs out; nothing that a process does to itself.
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_KEPT_BYTES = 4_096  # of what the process writes to its standard error
_DRAINED_AFTER_S = 1.0
_STARTED_WITHIN_S = 300.0  # a second or two, where the machine is not very busy
_LARGE_BYTES = 1 << 22  # above the arrays of a short song, for which a mapping each would cost time

# The callers share out the cores: threads of BLAS's own would fight for them, and round by their number. Large arrays
# go back to the system when they are freed, whatever lies beyond them: glibc reads the last two.
_SETTINGS = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "MALLOC_MMAP_THRESHOLD_": str(_LARGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(2 * _LARGE_BYTES),
}


class ChildCrashed(Exception):  # noqa: N818 - it says what happened
    """The work ended its process, or went beyond a limit; the message says how."""


class ChildKilled(SpectroshardError):  # noqa: N818
    """The process was killed from outside, of which its work is no cause: a fault of the machine."""


@dataclass(frozen=True)
class Limits:
    """What a call may take.

    Attributes
    ----------
    timeout_s : float
        Of the wall's time.
    memory_bytes : int
        Of the process's own memory, which holds all that it writes to (`RLIMIT_DATA`): libraries that are mapped from
        files do not count, as they would in the address space (`RLIMIT_AS`), of which numba and BLAS take 350 MB. What
        the process starts has the same limit for itself.
    """

    timeout_s: float
    memory_bytes: int = UNLIMITED


class Child(Generic[ArgumentT, ResultT]):
    """Calls a function in a process of its own, which is started by the first call and after each crash.

    A thread uses it alone. `close` ends the process, and so does the end of this object or of its own process.

    Parameters
    ----------
    function : callable
        A function of a module, of one argument. Argument, result and exceptions are pickled.

    Examples
    --------
    >>> import math
    >>> with Child(math.sqrt) as child:
    ...     child.call(16.0, Limits(timeout_s=60))
    4.0
    """

    def __init__(self, function: Callable[[ArgumentT], ResultT]):
        self._function = pickle.dumps(function)
        self._process: _Process | None = None
        self._end: Callable[[], object] = lambda: None

    def call(self, argument: ArgumentT, limits: Limits) -> ResultT:
        """Calls the function.

        Raises
        ------
        ChildCrashed
            The call ended the process, or took longer or more memory than it may. A `MemoryError` counts as the limit's
            where the machine would still give as much as the limit allows; otherwise it is raised as it is.
        ChildKilled
            Somebody killed the process, or the system did when memory ran out.
        Exception
            Whatever the function raised, with its traceback as a note.
        """
        request = pickle.dumps((argument, limits.memory_bytes))
        process = self._ready()
        try:
            reply = process.ask(request, limits.timeout_s)
        except BaseException:  # also where the caller is interrupted: a late answer must not be taken for another's
            self.close()
            raise
        result: ResultT
        result, error = pickle.loads(reply)
        if isinstance(error, ChildCrashed):
            self.close()
        if error is not None:
            raise error
        return result

    def start(self) -> None:
        """Starts the process, if there is none, without waiting until it is ready."""
        if self._process is None or not self._process.is_alive():
            self.close()
            self._process = _started()
            self._end = weakref.finalize(self, self._process.end)
            self._process.tell(self._function)

    def close(self) -> None:
        """Ends the process; a further call starts another."""
        self._process = None
        self._end()

    def __enter__(self) -> "Child[ArgumentT, ResultT]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> "_Process":
        self.start()
        assert self._process is not None
        try:
            self._process.wait_until_ready()
        except ChildCrashed as crash:
            self.close()
            raise RuntimeError(f"a child process could not start: it {crash}") from crash
        return self._process


@dataclass
class _Process:
    """A process that runs. Its attendant is a thread that started it and reads its standard error to the end."""

    popen: "subprocess.Popen[bytes]"
    connection: "Connection[Any, Any]"
    attendant: threading.Thread
    errors: bytearray
    is_ready: bool = field(default=False)

    def is_alive(self) -> bool:
        return self.popen.poll() is None

    def tell(self, message: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # that it is gone, waiting for the answer will say
            self.connection.send_bytes(message)

    def ask(self, request: bytes, timeout_s: float) -> bytes:
        self.errors.clear()
        self.tell(request)
        if not self.connection.poll(timeout_s):
            raise ChildCrashed(f"took longer than {timeout_s:g} s")
        return self._received()

    def wait_until_ready(self) -> None:
        if not self.is_ready:
            if not self.connection.poll(_STARTED_WITHIN_S):
                raise ChildCrashed(f"took longer than {_STARTED_WITHIN_S:g} s")
            self._received()
            self.is_ready = True

    def _received(self) -> bytes:
        try:
            return self.connection.recv_bytes()
        except (EOFError, ConnectionError):
            self.end()
        raise _of_end(self.popen.returncode, _last_line(bytes(self.errors)))

    def end(self) -> None:
        """Ends the process and its group; after that its exit code is known."""
        if self.popen.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
        self.connection.close()
        self.attendant.join(_DRAINED_AFTER_S)


def _of_end(code: int, last_line: str) -> Exception:
    """The error that tells of a process's end."""
    if code >= 0:
        end = f"ended with exit code {code}"
    else:
        number = signal.Signals(-code)
        end = f"was ended by {number.name}"
        if number in _FROM_OUTSIDE:
            memory = ", as happens when memory runs out" if number == signal.SIGKILL else ""
            return ChildKilled(f"a child process {end}{memory}; run the same command again, best with fewer --workers")
    return ChildCrashed(f"{end} ({last_line})" if last_line else end)


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _started() -> _Process:
    ours, theirs = Pipe()
    with theirs:
        started: Future[subprocess.Popen[bytes]] = Future()
        errors = bytearray()
        attendant = threading.Thread(target=_attend, args=(theirs.fileno(), started, errors), daemon=True)
        attendant.start()
        try:
            popen = started.result()
        except BaseException:
            ours.close()
            raise
    return _Process(popen, ours, attendant, errors)


def _attend(connection: int, started: "Future[subprocess.Popen[bytes]]", errors: bytearray) -> None:
    """Starts a process and keeps the end of what it writes to its standard error.

    The system ends the process with the thread that started it: a caller's thread may end before its process.
    """
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _START, str(connection), str(os.getpid())],
            env=os.environ | python_path() | _SETTINGS,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[connection],
            process_group=0,
        )
    except BaseException as error:
        started.set_exception(error)
        return
    started.set_result(process)
    stream: IO[bytes] | None = process.stderr
    assert stream is not None
    with stream:
        while chunk := os.read(stream.fileno(), _KEPT_BYTES):
            errors += chunk
            del errors[:-_KEPT_BYTES]


def python_path() -> dict[str, str]:
    """The environment in which another Python finds the modules that this one finds.

    Python would look into the working folder first, where a `model.py` of the user's own may lie.
    """
    return {"PYTHONSAFEPATH": "1", "PYTHONPATH": os.pathsep.join(str(Path(path).absolute()) for path in sys.path)}
