"""The build: a corpus to a version of a dataset, as one Beam graph that has the same size for every corpus."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult

from pipelines.build import begin
from pipelines.build.runs.progress import RunProgress
from pipelines.build.runs.run import Outcome, Run
from pipelines.build.steps import plan
from pipelines.build.steps.assemble import AssembleShards
from pipelines.build.steps.gather import gather
from pipelines.build.steps.publish import end
from pipelines.build.steps.read_songs import ReadSongs
from pipelines.common import lease, parquet, storage
from pipelines.common.beam import jobs
from pipelines.common.beam.failures import root_cause
from pipelines.common.beam.jobs import Job, UnknownEndError
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.beam.workers import AfterAll, has_fitting_workers, with_memory
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.lease import Lease
from pipelines.config import BuildConfig
from pipelines.copies.search import FindCopies
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.layout import LEASE_NAME, STAGING

_BYTES_A_FILE = 4_000
"""The memory that the steps on one worker ask for, for each file of the corpus: about twice of what they hold."""


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    dataset : Dataset
        The version that it published, or found up to date.
    is_new : bool
        Whether this build has published it.
    songs_read : int
        How many files were read for it.
    elapsed_s : float
    """

    dataset: Dataset
    is_new: bool
    songs_read: int
    elapsed_s: float


def build(config: BuildConfig, output: str, new_pipeline: NewPipeline, *, verify_content: bool = False) -> Built:
    """Builds a dataset, or appends a version to one.

    Parameters
    ----------
    config : BuildConfig
    output : str
        The dataset's folder, by path or fsspec URL: new, empty, or a dataset's, whose build may have been stopped.
    new_pipeline : callable
        Gives an empty pipeline.
    verify_content : bool
        Whether every file and every shard is read, also where size and time are what they were.

    Raises
    ------
    UsageError
        There is no such corpus, the output holds something else, or lies in the music's own folder.
    BusyError
        Another build is at work on the output.
    SpectroshardError
        The corpus cannot be used, or too much of it was rejected. Nothing is published then.
    """
    started_s = time.monotonic()
    output = storage.absolute(output)
    begin.check(config, output)
    with lease.held(storage.join(output, LEASE_NAME), "build") as held:
        run = _begin(config, output, verify_content, held)
        if run is None:
            return Built(versions.load(output), False, 0, time.monotonic() - started_s)
        outcome = _run(run, new_pipeline)
    dataset = versions.version(output, outcome.version)
    return Built(dataset, outcome.status == "published", run.request.songs_to_read, time.monotonic() - started_s)


def submit(config: BuildConfig, output: str, new_pipeline: NewPipeline, *, verify_content: bool = False) -> Job | None:
    """Begins a build on a cluster, and leaves it there.

    Parameters
    ----------
    config, output, new_pipeline, verify_content
        As of `build`.

    Returns
    -------
    Job or None
        None where the dataset is up to date.

    Raises
    ------
    UsageError
        As `build` does; or the pipelines run on this machine.
    BusyError
        Another build is at work on the output.
    """
    jobs.refuse_this_machine(new_pipeline(0))
    output = storage.absolute(output)
    begin.check(config, output)
    with lease.held(storage.join(output, LEASE_NAME), "build") as held:
        run = _begin(config, output, verify_content, held, is_detached=True)
        return _submit(run, new_pipeline)[1] if run else None


def _begin(
    config: BuildConfig, output: str, verify_content: bool, held: Lease, is_detached: bool = False
) -> Run | None:
    parent = begin.parent_of(config, output)
    if parent and parent.url == output:
        versions.mend_copies(parent)
    run = begin.begin(config, output, parent, verify_content, held.token, is_detached)
    if run is None:
        storage.remove(storage.join(output, STAGING))  # of a run that was killed when all was published
    return run


def _submit(run: Run, new_pipeline: NewPipeline) -> tuple[PipelineResult, Job | None]:
    """Hands the graph to its runner; a cluster's job holds the lease from then on."""
    pipeline = new_pipeline(0)  # what its workers read, they read in child processes
    add_graph(pipeline, run)
    result, job = jobs.submit(pipeline, "build")
    if job:
        lease.hand_over(_lease_url(run), run.request.lease, str(job))
    return result, job


def _run(run: Run, new_pipeline: NewPipeline) -> Outcome:
    """Runs the graph; gives how it has ended, if well."""
    try:
        with RunProgress(run):
            _wait(run, *_submit(run, new_pipeline))
    except Exception as error:
        if run.outcome() is None and run.is_superseded():
            raise SpectroshardError(run.superseded(root_cause(error)).message) from error
        raise
    outcome = run.outcome() or (run.superseded() if run.is_superseded() else None)
    if outcome is None:
        raise SpectroshardError(f"{run.url}: the pipeline has ended without an outcome; run the same command again")
    if outcome.exit_code:
        raise (UsageError if outcome.exit_code == UsageError.exit_code else SpectroshardError)(outcome.message)
    run.tidy()
    return outcome


def _wait(run: Run, result: PipelineResult, job: Job | None) -> None:
    """Waits for the end of a run; its lease is this process's again, unless its job may be at work still."""
    has_ended = True
    try:
        jobs.wait(result, job)
    except (UnknownEndError, KeyboardInterrupt):
        has_ended = False
        raise
    finally:
        if job and has_ended:
            lease.hand_over(_lease_url(run), run.request.lease, "")


def _lease_url(run: Run) -> str:
    return storage.join(run.request.output, LEASE_NAME)


def add_graph(pipeline: beam.Pipeline, run: Run) -> None:
    """Adds the graph of a run to a pipeline; it ends with the run's outcome."""
    files = parquet.count_rows(run.listing) if has_fitting_workers(pipeline) else 0

    def on_one_worker(step: beam.PTransform[Any, Any]) -> beam.PTransform[Any, Any]:
        return with_memory(step, files * _BYTES_A_FILE) if files else step

    begun = pipeline | "Begin" >> beam.Create([run.url], reshuffle=False)
    songs = begun | "Read songs" >> ReadSongs()
    read = (begun, songs) | "All are read" >> AfterAll()
    gathered = read | "Gather readings" >> on_one_worker(beam.Map(_working, gather))
    copies = gathered | "Find copies" >> FindCopies(_at_work_on_search, on_one_worker)
    compared = (begun, copies) | "All are compared" >> AfterAll()
    planned = compared | "Plan" >> on_one_worker(beam.Map(_working, plan.make_plan))
    shards = planned | "Assemble shards" >> AssembleShards()
    written = (planned, shards) | "All are written" >> AfterAll()
    _ = written | "Publish" >> on_one_worker(beam.Map(end))


def _working(url: str, step: Callable[[str], str]) -> str:
    with Run(url).at_work():
        return step(url)


def _at_work_on_search(folder: str) -> AbstractContextManager[None]:
    return Run(folder.rpartition("/")[0]).at_work()
