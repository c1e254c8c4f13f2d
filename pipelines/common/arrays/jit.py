"""Just-in-time compilation by numba, with a cache on disk.

Compiled code is cached where numba finds a writable folder: `NUMBA_CACHE_DIR`, else `__pycache__` beside the module,
else the user's cache folder. The processes of a machine share the cache, and numba renews it when the module, the kind
of processor or numba itself changes. The first song of a process waits for compilation: with nine features 2.3 s
without a cache and 0.2 s with one, with log-mel alone 0.7 s and 0.2 s (on a Xeon of 2.6 GHz).
"""

import contextlib
import fcntl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numba


def _load_without_blas() -> None:
    """Loads what numba would load with the first call, but for scipy's BLAS, which takes a fifth of a second.

    numba imports it to see whether it is there, and once more for a loop that calls it, as none of ours does. Another
    thread might want it meanwhile, and not get it: then all is loaded.
    """
    if "scipy.linalg" in sys.modules or threading.active_count() > 1:
        return
    sys.modules["scipy.linalg"] = cast(ModuleType, None)  # an import of it fails
    try:
        from numba.np import arraymath
    finally:
        del sys.modules["scipy.linalg"]
    arraymath._HAVE_BLAS = True


_load_without_blas()


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function, which then releases the GIL and divides by zero as IEEE 754 says."""
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no folder for the cache can be written to
        return numba.njit(nogil=True, error_model="numpy")(function)


@contextlib.contextmanager
def by_one_process() -> Iterator[None]:
    """Lets one process of the machine at a time run the block, in which numba fills its cache.

    Where several compile the same generalised ufunc at once, what they leave in the cache can crash every process that
    loads it. Source: https://github.com/numba/numba/issues/10128.
    """
    with Path(numba.__file__).open() as file:
        with contextlib.suppress(OSError):  # a network disk need not lock what is open for reading
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
