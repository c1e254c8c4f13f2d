"""A retraining that is at work: what it was asked for, where its files are, and what is known of its outcome."""

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from model.config import Config, Promotion, Retraining
from model.retraining import journal, registry
from model.retraining.outcome import RunOutcome, What
from model.retraining.registry import RUNS, WORK
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output import log
from pipelines.common.redaction import redacted
from pipelines.common.section import digest
from pipelines.dataset.dataset import Dataset


class RefusedError(SpectroshardError):
    """The corpus is not one to be trained on: exit code 1."""


@dataclass
class AtWork:
    """A retraining that is at work.

    Attributes
    ----------
    config : Config
    retraining : Retraining
        Its places are absolute.
    policy : Promotion
    new_pipeline : callable
        Returns an empty pipeline.
    told : dict
        What is known so far of the run's outcome, as fields of `RunOutcome`.
    """

    config: Config
    retraining: Retraining
    policy: Promotion
    new_pipeline: NewPipeline
    told: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, new_pipeline: NewPipeline) -> "AtWork":
        """A retraining by a configuration.

        Raises
        ------
        UsageError
            The configuration lacks something, or the registry's folder is somebody else's.
        """
        if config.retraining is None or config.promotion is None:
            missing = " and ".join(name for name in ("retraining", "promotion") if getattr(config, name) is None)
            raise UsageError(
                f"the configuration has no section {missing}; a retraining needs retraining.dataset and"
                " retraining.registry, and every threshold of promotion: see docs/retraining.md"
            )
        places = config.retraining.model_dump(include={"dataset", "registry", "work"})
        absolute = {name: storage.absolute(place) for name, place in places.items() if place}
        found = cls(config, config.retraining.model_copy(update=absolute), config.promotion, new_pipeline)
        registry.check(found.url)
        found.told |= {"registry": found.url, "dataset": found.retraining.dataset, "started": journal.now()}
        return found

    @property
    def url(self) -> str:
        """The registry's folder."""
        return self.retraining.registry

    @property
    def work(self) -> str:
        """The folder that challengers are trained in, each in a folder of its run's name."""
        return self.retraining.work or storage.join(self.url, WORK)

    def tidy(self) -> None:
        """Removes what runs of this registry have left in the folder of work."""
        runs = storage.names(storage.join(self.url, RUNS))
        for name in storage.names(self.work):
            if name in runs:
                storage.remove(storage.join(self.work, name))

    def run_name(self, dataset: Dataset) -> str:
        """What the retraining on a version is called: after the version, and all that its training depends on."""
        splits = dataset.splits(self.config.folds)
        depends_on = [self.config.training.digest(), dataset.digest, splits, self.retraining.warm_start]
        return f"{dataset.version:06d}-{digest(depends_on)[:12]}"

    def in_run(self, run: str, name: str = "") -> str:
        """The URL of a run's folder, or of a file in it."""
        return storage.join(self.url, f"{RUNS}/{run}/{name}".rstrip("/"))

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measures a step, and says that it begins."""
        log.event(f"retrain: {name}", step=name)
        started_s = time.monotonic()
        try:
            yield
        finally:
            self.told.setdefault("seconds", {})[name] = round(time.monotonic() - started_s, 3)

    def once(self, url: str, value: dict[str, Any]) -> dict[str, Any]:
        """Decides something for a run, unless it is decided already; gives what was decided."""
        storage.create(url, json.dumps(value).encode())
        decided: dict[str, Any] = json.loads(storage.read_bytes(url))
        return decided

    def anew(self) -> "AtWork":
        """The same, of whose outcome no more is known than at the beginning."""
        told = {name: self.told[name] for name in ("registry", "dataset", "started")}
        return replace(self, told=told)

    def tell_of(self, dataset: Dataset) -> None:
        """Adds to the outcome what a version of the dataset holds."""
        self.told["dataset_version"] = dataset.version
        self.told["songs"] = {
            "shown": dataset.shown,
            "written": dataset.songs,
            "duplicates": dataset.duplicates,
            "rejected": sum(dataset.rejected.values()),
        }
        self.told["sizes"] = {"dataset": sum(file.bytes for file in dataset.files)}

    def outcome(self, what: What, message: str) -> RunOutcome:
        """The run's outcome."""
        return RunOutcome(what=what, message=redacted(message), ended=journal.now(), **self.told)
