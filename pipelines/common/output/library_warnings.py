"""Keeping libraries' warnings from the terminal."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def suppressed() -> Iterator[None]:
    """Suppresses, while a block runs, warnings, logged ones among them, and what native code writes to standard error.

    What Python code writes to standard error still gets there. Where logging shows INFO, as with `-v`, nothing is
    suppressed.
    """
    if logging.getLogger().isEnabledFor(logging.INFO):
        yield
        return
    with warnings.catch_warnings(action="ignore"):
        disabled = logging.root.manager.disable
        logging.disable(max(disabled, logging.WARNING))
        terminal, kept = sys.stderr, os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            sys.stderr = of_its_own(terminal)
            os.dup2(nowhere, 2)
            yield
        finally:
            logging.disable(disabled)
            os.dup2(kept, 2)
            sys.stderr = terminal
            os.close(kept)
            os.close(nowhere)


def of_its_own(terminal: TextIO) -> TextIO:
    """A stream to the same place, which stays there when the system's standard error is turned elsewhere."""
    if _descriptor(terminal) != 2:
        return terminal
    return os.fdopen(os.dup(2), "w", buffering=1, encoding=terminal.encoding, errors=terminal.errors)


def _descriptor(file: TextIO) -> int | None:
    try:
        return file.fileno()
    except (AttributeError, OSError):  # in a notebook or a test it may be none of the system's
        return None
