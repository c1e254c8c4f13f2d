"""A challenger: the dataset is audited, a bundle trained, compared with the champion, and the verdict written down."""

import json
import sys
from collections.abc import Sequence

from model.inference.bundle import Bundle
from model.retraining import journal, registry
from model.retraining.at_work import AtWork, RefusedError
from model.retraining.drift import measure_drift
from model.retraining.journal import Entry
from model.retraining.judge import compare
from model.retraining.verdict import Audited, decide
from model.training import warm_start
from model.training.run import Run
from model.training.train import train
from pipelines.audit import audit
from pipelines.audit.page import PAGE_NAME
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.dataset.dataset import Dataset

_BEGUN_NAME, _TRAINED_NAME = "begun.json", "trained.json"
"""In a run's folder: what its training begins with, and which bundle it gave."""


def new_verdict(at_work: AtWork, dataset: Dataset, run: str) -> Entry:
    """The verdict of a run on the challenger that it trains, as an entry of the journal.

    Raises
    ------
    RefusedError
        The audit found a leak, and the policy requires that it finds none.
    SpectroshardError
        Something is damaged.
    """
    with at_work.step("audit"):
        audited = _audited(at_work, dataset, run)
    if audited.fails and at_work.policy.audit_required:
        raise RefusedError(f"{dataset.name}: {audited.conclusion}; nothing was trained on it")
    with at_work.step("train"):
        challenger = _challenger(at_work, dataset, run)
    while (entry := _judged(at_work, dataset, run, challenger, audited)) is None:
        print("retrain: the champion was changed meanwhile; compare again", file=sys.stderr, flush=True)
    return entry


def _judged(at_work: AtWork, dataset: Dataset, run: str, challenger: Bundle, audited: Audited) -> Entry | None:
    """The verdict as it stands in the journal; None where the champion was changed before it could be written."""
    before = registry.champion(at_work.url)
    champion = _champion(at_work, before)
    with at_work.step("compare"):
        plays = at_work.new_pipeline if at_work.policy.largest_tempo_loss is not None else None
        # In the registry: a cluster's workers need not see the folder that is trained in.
        comparison = compare(challenger, champion, dataset, at_work.in_run(run), plays)
        drift = None
        if champion is not None:
            drift = measure_drift(champion, registry.dataset_version(before), dataset, at_work.config.alarms)
    verdict = decide(at_work.policy, comparison, audited)
    version = registry.name_of(challenger)
    entry = Entry(
        number=0,
        kind="verdict",
        bundle=version,
        champion=version if verdict.promote else before,
        reason=verdict.summary,
        at=journal.now(),
        by=journal.who(),
        run=run,
        dataset_version=dataset.version,
        songs=dataset.songs,
        verdict=verdict,
        drift=drift,
    )
    return _decided(at_work, entry, before)


def _champion(at_work: AtWork, version: str) -> Bundle | None:
    try:
        return registry.load(at_work.url, version) if version else None
    except SpectroshardError as error:
        way_out = f"spectroshard models rollback {at_work.url} --reason WHY"
        raise SpectroshardError(f"the champion cannot be compared with: {error}; or go back: {way_out}") from error


def _audited(at_work: AtWork, dataset: Dataset, run: str) -> Audited:
    names = storage.names(at_work.in_run(run))
    if PAGE_NAME not in names or audit.WORK_NAME in names:
        audit.audit([dataset.name], at_work.in_run(run), at_work.new_pipeline)
    found = json.loads(storage.read_bytes(at_work.in_run(run, audit.JSON_NAME)))
    return Audited(fails=found["fails"], conclusion=found["conclusion"])


def _challenger(at_work: AtWork, dataset: Dataset, run: str) -> Bundle:
    """The run's challenger, in the registry."""
    done = at_work.in_run(run, _TRAINED_NAME)
    if not storage.version(done):
        start = _start(at_work, dataset, run)
        trained = train(at_work.config, dataset, storage.join(at_work.work, run), start=start)
        at_work.once(done, {"bundle": registry.add(at_work.url, trained, dataset.version)})
    return registry.load(at_work.url, json.loads(storage.read_bytes(done))["bundle"])


def _start(at_work: AtWork, dataset: Dataset, run: str) -> Bundle | None:
    """What the run's training begins with, which stays the same when it is killed and the champion changes."""
    if not at_work.retraining.warm_start:
        return None
    wanted = {"start": registry.champion(at_work.url)}
    version = at_work.once(at_work.in_run(run, _BEGUN_NAME), wanted)["start"]
    if not version:
        return None
    start = registry.load(at_work.url, version)
    why = warm_start.mismatch(Run(at_work.config.training, dataset, dataset.splits(at_work.config.folds)), start)
    if why:
        print(f"retrain: trained from nothing, not from {version}: {why}", file=sys.stderr, flush=True)
    return None if why else start


def _decided(at_work: AtWork, entry: Entry, before: str) -> Entry | None:
    """The entry as it is added, unless the champion is not that before any more."""

    def unless_overtaken(entries: Sequence[Entry]) -> Entry | None:
        return entry if (entries[-1].champion if entries else "") == before else None

    return journal.append(at_work.url, unless_overtaken)
