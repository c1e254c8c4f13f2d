"""What a retraining did: one value for the terminal, for JSON, for pages and for whoever is to be told of it."""

from collections.abc import Callable
from typing import Literal, Self

from pydantic import Field

from model.retraining.drift import Drift
from model.retraining.verdict import Verdict
from pipelines.common.section import Section

What = Literal["nothing_new", "promoted", "kept", "refused", "failed"]


class RunOutcome(Section):
    """What a retraining did.

    Attributes
    ----------
    what : str
        `nothing_new`; `promoted`, where the challenger is the champion now; `kept`, where the champion stays;
        `refused`, where the build or the audit refuse the corpus, so that nothing was trained; `failed`, where an error
        ended it.
    message : str
        The same in a line: why it was kept, refused or failed.
    run : str
        The name of the run, and of its folder in the registry's `runs`; empty where it did not come so far.
    registry, dataset : str
        Where they are, by path or URL.
    dataset_version : int
        The newest version, which the challenger was trained on; 0 where there is none.
    challenger, champion : str
        Versions of bundles in the registry: the one trained by this run, and the champion after it; empty where there
        is none.
    verdict : Verdict or None
        On the challenger: all rules, the figures of both and their intervals.
    drift : Drift or None
        How new songs differ, with its `alarms`; None where there was no champion, or nothing is new.
    songs : dict of int
        Of the dataset: `shown`, `written`, `duplicates`, `rejected`, and `read`, how many this run has read.
    seconds : dict of float
        How long each step took: `build`, `audit`, `train`, `compare`, `report`, as far as they were run.
    sizes : dict of int
        Bytes of what there is: `dataset`, all that its newest version names, and `bundle`.
    started, ended : str
        UTC, in ISO 8601.
    report : str
        The page of this run; empty where there is none.
    """

    what: What
    message: str
    registry: str
    dataset: str
    run: str = ""
    dataset_version: int = 0
    challenger: str = ""
    champion: str = ""
    verdict: Verdict | None = None
    drift: Drift | None = None
    songs: dict[str, int] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)
    sizes: dict[str, int] = Field(default_factory=dict)
    started: str = ""
    ended: str = ""
    report: str = ""

    @property
    def alarms(self) -> tuple[str, ...]:
        """What of the new songs goes beyond what the configuration allows."""
        return self.drift.alarms if self.drift else ()

    @property
    def exit_code(self) -> int:
        """0 where the run did what it was to do, whichever bundle is the champion now."""
        return int(self.what in ("refused", "failed"))

    def to_json(self) -> str:
        """All of it, in a line."""
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` gave."""
        return cls.model_validate_json(text)


Observer = Callable[[RunOutcome], None]
"""Told of a run when it has ended, whatever it did; not where another run is at work. An error of an observer is
told, and changes nothing."""
