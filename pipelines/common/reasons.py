"""Why a file is rejected: each reason is a constant of the module that gives it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """A reason to reject a file.

    Attributes
    ----------
    name : str
        What the ledger, the counters and the predictions call it.
    meaning : str
        What it says of the file, for the documentation.
    """

    name: str
    meaning: str
