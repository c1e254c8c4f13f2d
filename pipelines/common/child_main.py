"""What the process of a `pipelines.common.child.Child` does: it answers calls until it is ended."""

import contextlib
import ctypes
import mmap
import os
import pickle
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from pipelines.common.child import UNLIMITED, ChildCrashed

_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def serve() -> None:
    """Takes the function, then answers each request. The arguments: the connection's descriptor, and who started it."""
    descriptor, parent = map(int, sys.argv[1:])
    _end_with(parent)
    os.set_inheritable(descriptor, False)
    os.dup2(2, 1)  # what is printed last tells why the process ended
    # The descriptor itself stays open until the process is gone, so that no other end of it is seen.
    connection: Connection[Any, Any] = Connection(os.dup(descriptor))
    with contextlib.suppress(EOFError, ConnectionError):
        function = pickle.loads(connection.recv_bytes())
        connection.send_bytes(b"ready")
        while True:
            connection.send_bytes(_answer(function, connection.recv_bytes()))


def _end_with(parent: int) -> None:
    """Has the system end this process when the other ends."""
    with contextlib.suppress(AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the process that started this one has ended")


def _answer(function: Callable[[Any], Any], request: bytes) -> bytes:
    """A call's result and error, pickled: one of them is None."""
    memory_bytes = UNLIMITED
    try:
        argument, memory_bytes = pickle.loads(request)
        _limit_memory(memory_bytes)
        return pickle.dumps((function(argument), None))
    except MemoryError as error:
        _limit_memory(UNLIMITED)
        if _machine_gives(memory_bytes):
            return pickle.dumps((None, ChildCrashed(f"needs more than {memory_bytes / 1e6:,.0f} MB of memory")))
        return pickle.dumps((None, _told(error)))
    except Exception as error:
        return pickle.dumps((None, _told(error)))


def _limit_memory(count: int) -> None:
    most = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (count if most == UNLIMITED or 0 <= count < most else most, most))


def _machine_gives(count: int) -> bool:
    """Whether the machine would give so many bytes of memory."""
    if count == UNLIMITED:
        return False
    try:
        mmap.mmap(-1, count, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return False
    return True


def _told(error: Exception) -> Exception:
    """An exception as it can be pickled, with its traceback as a note."""
    # Beam tells of an error with notes only the last line.
    note = f"In a child process:\n{''.join(traceback.format_exception(error)).rstrip()}"
    try:
        error.add_note(note)
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note(note)
    return error
