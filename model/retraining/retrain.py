"""A retraining: the corpus is listed, and what is new becomes a version, a challenger, a verdict.

Each step leaves what it made under a name that its content or the run gives, and finds it there the next time: the next
run goes on wherever one was killed. A run has one verdict, an entry of the journal.
"""

import contextlib
from collections.abc import Sequence

from model.config import Config
from model.retraining import journal, pages, registry
from model.retraining.at_work import AtWork, RefusedError
from model.retraining.journal import Entry
from model.retraining.outcome import Observer, RunOutcome
from model.retraining.registry import LEASE_NAME, OUTCOME_NAME, REPORT_NAME
from pipelines.build.build import build
from pipelines.build.runs.status import is_refusal
from pipelines.common import lease, storage
from pipelines.common.beam.failures import root_cause
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import BusyError
from pipelines.common.output import log


def retrain(config: Config, new_pipeline: NewPipeline, observers: Sequence[Observer] = ()) -> RunOutcome:
    """Retrains where there is something new; promotes the challenger where the policy allows it.

    Parameters
    ----------
    config : Config
        With its sections `retraining` and `promotion`.
    new_pipeline : callable
        Returns an empty pipeline.
    observers : sequence of callable
        Each is told of the run's outcome, whatever it is.

    Returns
    -------
    RunOutcome

    Raises
    ------
    UsageError
        The configuration lacks something, or the registry's folder is somebody else's.
    BusyError
        Another retraining is at work on the registry, or another build on the dataset. Nobody is told of the run then.
    SpectroshardError
        The corpus was refused, or something failed. The champion stays as it is, and observers were told.
    """
    at_work = AtWork.of(config, new_pipeline)
    lease_url = storage.join(at_work.url, LEASE_NAME)
    with lease.held(lease_url, "retraining", instead="it goes on without this one"):
        registry.mend(at_work.url)
        try:
            return _run(at_work, observers)
        except BusyError:
            raise
        except Exception as error:
            is_refused = isinstance(error, RefusedError) or is_refusal(at_work.retraining.dataset, str(error))
            outcome = at_work.outcome("refused" if is_refused else "failed", root_cause(error))
            with contextlib.suppress(OSError):  # what ended the run says more
                _write_last(at_work, outcome)
            _tell(observers, outcome)
            raise


def _run(at_work: AtWork, observers: Sequence[Observer]) -> RunOutcome:
    known = journal.entries(at_work.url)
    last = next((entry for entry in reversed(known) if entry.kind == "verdict"), None)
    killed = _finish(at_work.anew(), last, observers) if last and not _is_finished(at_work, last.run) else None
    with at_work.step("build"):
        built = build(at_work.config, at_work.retraining.dataset, at_work.new_pipeline)
    dataset, run = built.dataset, at_work.run_name(built.dataset)
    at_work.told |= {"run": run, "champion": known[-1].champion if known else ""}
    at_work.tell_of(dataset)
    at_work.told["songs"]["read"] = built.songs_read
    if killed and killed.run == run:
        return killed
    if _is_finished(at_work, run):
        outcome = at_work.outcome("nothing_new", f"nothing new since version {dataset.version} of {dataset.url}")
        _write_last(at_work, outcome)
        _tell(observers, outcome)
        return outcome
    from model.retraining.challenger import new_verdict  # loads TensorFlow, which a week without news need not

    return _finish(at_work, new_verdict(at_work, dataset, run), observers)


def _is_finished(at_work: AtWork, run: str) -> bool:
    return bool(storage.version(at_work.in_run(run, OUTCOME_NAME)))


def _finish(at_work: AtWork, entry: Entry, observers: Sequence[Observer]) -> RunOutcome:
    """What follows from a verdict: the copy of the champion's name, the pages, the outcome; and the work is cleared."""
    assert entry.verdict is not None
    with at_work.step("report"):
        registry.mend(at_work.url)
        report = at_work.in_run(entry.run, REPORT_NAME)
        pages.write_report(report, entry)
        pages.write_history(at_work.url)
    sizes = storage.sizes(registry.bundle_url(at_work.url, entry.bundle))
    at_work.told |= {
        "run": entry.run,
        "dataset_version": entry.dataset_version,
        "challenger": entry.bundle,
        "champion": registry.champion(at_work.url),
        "verdict": entry.verdict,
        "drift": entry.drift,
        "report": report,
    }
    at_work.told.setdefault("sizes", {})["bundle"] = sum(sizes.values())
    words = f"{entry.bundle} {'is the champion' if entry.verdict.promote else 'is not promoted'}: {entry.reason}"
    outcome = at_work.outcome("promoted" if entry.verdict.promote else "kept", words)
    _write_last(at_work, outcome)
    _tell(observers, outcome)
    at_work.tidy()
    # Last: without it, the next run finishes this one, and tells of it again.
    storage.write_bytes(at_work.in_run(entry.run, OUTCOME_NAME), outcome.to_json().encode())
    return outcome


def _write_last(at_work: AtWork, outcome: RunOutcome) -> None:
    storage.write_bytes(storage.join(at_work.url, OUTCOME_NAME), outcome.to_json().encode())


def _tell(observers: Sequence[Observer], outcome: RunOutcome) -> None:
    for observer in observers:
        try:
            observer(outcome)
        except Exception as error:
            log.event(f"retrain: the outcome could not be told: {root_cause(error)}", "error")
