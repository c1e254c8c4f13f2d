"""The errors that a user sees; the command line turns each into one line and an exit code."""

from pipelines.common.reasons import Reason


class SpectroshardError(Exception):
    """The work failed: exit code 1."""

    exit_code = 1


class UsageError(SpectroshardError):
    """The request is wrong (a configuration key, an option, a path that is no dataset): exit code 2."""

    exit_code = 2


class BusyError(SpectroshardError):
    """Another process is at work on the same folder: exit code 3."""

    exit_code = 3


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

    def __str__(self) -> str:
        return f"{self.reason.name}: {self.detail}"
