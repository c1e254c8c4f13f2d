"""The status of a dataset: which version is the newest, how its last run ended, or how far the one at work is."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.build.runs.progress import current_step
from pipelines.build.runs.run import REJECTED_NAME, Run, is_run
from pipelines.common import lease, parquet, storage
from pipelines.common.errors import UsageError
from pipelines.dataset import versions
from pipelines.dataset.layout import LEASE_NAME, RUNS
from pipelines.dataset.ledger import REJECTED, File


@dataclass(frozen=True)
class Status:
    """What there is to say, a line each, and the exit code that says it to a scheduler.

    Attributes
    ----------
    lines : tuple of str
    exit_code : int
        0 where the newest version is what the last run was to make, or a run is at work; else that of the last run.
    """

    lines: tuple[str, ...]
    exit_code: int


def status_of(url: str) -> Status:
    """The status of a dataset.

    Raises
    ------
    UsageError
        There is neither a dataset nor a run.
    """
    numbers, run = versions.numbers(url), _newest_run(url)
    if not numbers and run is None:
        raise UsageError(f"{url}: no dataset there, and no build of one")
    lines = [f"{url}: version {numbers[-1]} is the newest of {len(numbers)}" if numbers else f"{url}: no version yet"]
    if run is None:
        return Status(tuple(lines), 0)
    if (outcome := run.outcome()) is not None:
        lines.append(f"run {run.name}: {outcome.status}{outcome.message and f': {outcome.message}'}")
        return Status(tuple(lines), outcome.exit_code)
    lease_url = storage.join(url, LEASE_NAME)
    if holder := lease.holder(lease_url):
        heard_s = (datetime.now(UTC) - holder.renewed).total_seconds()
        lines += [f"run {run.name}: {_progress(run)}", f"at work: {holder}, last heard of {heard_s:.0f} s ago"]
        return Status(tuple(lines), 0)
    last = lease.read(lease_url)
    gone = (
        f"its {last.job} was last heard of at {last.renewed:%Y-%m-%d %H:%M UTC}: see there why, if it is still known;"
        if last and last.job
        else "the command that began it has gone:"
    )
    lines.append(f"run {run.name}: {_progress(run)}; {gone} run the same build again to continue")
    return Status(tuple(lines), 1)


def rejected_of_last_run(url: str) -> list[File] | None:
    """The files that the last run on a dataset rejected, as far as it came; None where there was no run."""
    run = _newest_run(url)
    if run is None:
        return None
    at = run.path(REJECTED_NAME)
    files = parquet.read(at, File) if storage.version(at) else []
    return [file for file in files if file.status == REJECTED]


def is_refusal(url: str, message: str) -> bool:
    """Whether a message is that of the last run on a dataset, which refused its corpus."""
    run = _newest_run(url)
    outcome = run.outcome() if run else None
    return outcome is not None and (outcome.status, outcome.message) == ("refused", message)


def _newest_run(url: str) -> Run | None:
    folder = storage.join(url, RUNS)
    begun = [Run(storage.join(folder, name)) for name in storage.names(folder) if is_run(name)]
    return next((run for run in reversed(begun) if run.is_begun or run.outcome() is not None), None)


def _progress(run: Run) -> str:
    step = current_step(run)
    return f"{step.verb[0].lower()}{step.verb[1:]}: {step.done()} of {step.songs}"
