"""The build: a corpus to a version of a dataset, as one Beam graph that has the same size for every corpus."""

import time
from dataclasses import dataclass

import apache_beam as beam

from pipelines.build import begin
from pipelines.build.runs.progress import RunProgress
from pipelines.build.runs.run import Run
from pipelines.build.steps import plan
from pipelines.build.steps.assemble import AssembleShards
from pipelines.build.steps.gather import gather
from pipelines.build.steps.publish import publish
from pipelines.build.steps.read_songs import ReadSongs
from pipelines.common import lease, storage
from pipelines.common.beam.failures import root_cause
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.beam.workers import AfterAll
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import BuildConfig
from pipelines.copies.search import FindCopies
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.layout import LEASE_NAME, STAGING


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    dataset : Dataset
        The newest version.
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
    with lease.held(storage.join(output, LEASE_NAME), "build"):
        parent = begin.parent_of(config, output)
        if parent and parent.url == output:
            versions.mend_copies(parent)
        run = begin.begin(config, output, parent, verify_content)
        if run is None:
            storage.remove(storage.join(output, STAGING))  # of a run that was killed when all was published
        is_new, songs_read = (_run(run, new_pipeline), run.request.songs_to_read) if run else (False, 0)
    newest = versions.newest(output)
    assert newest is not None  # it was published, or nothing was new
    return Built(newest, is_new, songs_read, time.monotonic() - started_s)


def _run(run: Run, new_pipeline: NewPipeline) -> bool:
    """Runs the graph; gives whether it has published a version."""
    pipeline = new_pipeline(0)  # what its workers read, they read in child processes
    add_graph(pipeline, run)
    try:
        with RunProgress(run):
            pipeline.run().wait_until_finish()
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
    return outcome.status == "published"


def add_graph(pipeline: beam.Pipeline, run: Run) -> None:
    """Adds the graph of a run to a pipeline; it ends with the run's outcome."""
    begun = pipeline | "Begin" >> beam.Create([run.url], reshuffle=False)
    readings = begun | "Read songs" >> ReadSongs() | "All are read" >> AfterAll(run.url)
    copies = readings | "Gather readings" >> beam.Map(gather) | "Find copies" >> FindCopies()
    planned = copies | "All are compared" >> AfterAll(run.url) | "Plan" >> beam.Map(plan.make_plan)
    shards = planned | "Assemble shards" >> AssembleShards() | "All are written" >> AfterAll(run.url)
    _ = shards | "Publish" >> beam.Map(publish)
