"""Compiling a function for this machine.

What is compiled is kept on disk, where numba finds room for it: in `NUMBA_CACHE_DIR`, else beside the module, else in
the user's own cache. The first song of a process waits for it: with nine features 2.3 s where nothing is kept yet and
0.2 s where it is, with log-mel alone 0.7 and 0.2 s (seen on a Xeon of 2.6 GHz). The processes of one machine share what
is kept, and it is renewed where the module, the kind of processor or numba is another.
"""

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function as machine code that runs outside of Python's lock, with IEEE 754's own division by zero."""
    try:
        return numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # no folder can be written to
        return numba.njit(nogil=True, error_model="numpy")(function)
