"""The errors that a user meets; the command line turns each into one line and an exit code."""

import traceback
from pathlib import Path

from pipelines.common.reasons import Reason

FAILED = Reason("failed", "an error that nobody foresaw; the ledger keeps it")


class SpectroshardError(Exception):
    """The work failed: exit code 1."""

    exit_code = 1


class UsageError(SpectroshardError):
    """It was asked wrongly (a configuration key, an option, a path that is no dataset): exit code 2."""

    exit_code = 2


class FileError(Exception):
    """A file cannot be used.

    Parameters
    ----------
    reason : Reason
    detail : str
        What was found and what was expected.
    """

    def __init__(self, reason: Reason, detail: str):
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def of_unforeseen(error: Exception) -> FileError:
    """The rejection of a song by an error that no code foresaw: it names the error and where it rose."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return FileError(FAILED, f"{type(error).__name__}: {error} ({Path(frame.filename).name}, line {frame.lineno})")
