"""The build: a corpus to a dataset, in three pipelines; what was stopped goes on where it was.

The first reads every file once and says what it is, or why it cannot be used; the second compares their fingerprints.
Then the plan is made, here and at once: groups, folds, shards. The third writes each shard in one worker.
`dataset.json` comes last.
"""

import time
from dataclasses import dataclass

from pipelines.build import refusals
from pipelines.build.description import describe_dataset
from pipelines.build.plan import Plan, plan
from pipelines.build.read_files import ReadFiles
from pipelines.build.write_shards import ShardTask, WriteShards, shard_tasks
from pipelines.common import output_folder, parquet, storage
from pipelines.common.beam import tasks
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import UsageError
from pipelines.config import BuildConfig
from pipelines.corpus import listing
from pipelines.dataset import ledger
from pipelines.dataset.dataset import COPIES_NAME, LEDGER_NAME, Dataset
from pipelines.dataset.ledger import Copy
from pipelines.split import history, shards

WORK_NAME = "_build"
"""The folder of a build that is not finished."""


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    dataset : Dataset
    is_new : bool
        False where the dataset was there already, of this corpus and configuration.
    elapsed_s : float
    """

    dataset: Dataset
    is_new: bool
    elapsed_s: float


def build(config: BuildConfig, output: str, new_pipeline: NewPipeline) -> Built:
    """Builds a dataset.

    Parameters
    ----------
    config : BuildConfig
    output : str
        The dataset's folder, by path or fsspec URL: new, empty, or left by a build that was stopped.
    new_pipeline : callable
        Gives an empty pipeline; it is asked for three.

    Raises
    ------
    UsageError
        There is no such corpus, or the output holds something else or lies in the music's own folder.
    SpectroshardError
        The corpus cannot be used, or too much of it was rejected. Nothing is published then.
    """
    started_s = time.monotonic()
    output = storage.absolute(output)
    existing = _existing(output, config)
    folder = storage.join(output, WORK_NAME)
    earlier = history.earlier_files(config.build.previous, config)
    entries = listing.list_files(config.corpus, storage.join(folder, "unpacked"))
    planned = plan(entries, earlier, config, folder, new_pipeline)
    if existing is None:
        work = shard_tasks(planned.files, {entry.file.path: entry.location for entry in entries}, config)
        dataset = _write(planned, work, config, output, new_pipeline)
    else:
        _refuse_other_files(existing, planned)
        dataset = existing
    storage.remove(folder)
    return Built(dataset, existing is None, time.monotonic() - started_s)


def _existing(output: str, config: BuildConfig) -> Dataset | None:
    """The dataset at the output, if there is one; refuses an output that this build did not begin."""
    if Dataset.json_name() in storage.names(output):
        existing = Dataset.load(output)
        refusals.refuse_other_config(existing, config)
        return existing
    refusals.refuse_output_in_corpus(output, config.corpus.input)
    output_folder.refuse_other_files(output, "build", work=WORK_NAME)
    return None


def _refuse_other_files(existing: Dataset, planned: Plan) -> None:
    try:
        refusals.refuse_other_files(existing, planned.digest, planned.files)
    except UsageError:
        storage.remove(storage.join(existing.url, WORK_NAME))
        raise


def _write(
    planned: Plan, work: list[ShardTask], config: BuildConfig, output: str, new_pipeline: NewPipeline
) -> Dataset:
    """Writes a planned dataset, `dataset.json` last."""
    folder, ledger_url = storage.join(output, WORK_NAME), storage.join(output, LEDGER_NAME)
    ledger.write(ledger_url, planned.files)
    refusals.refuse_rejects(planned.files, config, ledger_url)
    refusals.refuse_unbalanced(planned.files, config, ledger_url)
    results = tasks.run(new_pipeline, WriteShards(folder, output), work)
    late = {reject.path: reject for result in results for reject in result.rejected}
    if late:
        tasks.forget(folder, ReadFiles.kind)  # what was read is no longer so
    files = [
        file.rejected_by_name(late[file.path].reason, late[file.path].error) if file.path in late else file
        for file in planned.files
    ]
    ledger.write(ledger_url, files)
    refusals.refuse_rejects(files, config, ledger_url)
    refusals.refuse_lost_originals(files, ledger_url)
    forgotten = history.forgotten(planned.earlier, files)
    history.save(output, forgotten)
    parquet.write(storage.join(output, COPIES_NAME), Copy, planned.copies)
    dataset = describe_dataset(files, planned.digest, history.digest_of(forgotten), work, results, config, output)
    _remove_unlisted_shards(dataset)
    dataset.save()
    return dataset


def _remove_unlisted_shards(dataset: Dataset) -> None:
    """Removes shards of a stopped build of another configuration, and what a killed process had not finished."""
    named = {shard.name for shard in dataset.shards}
    for name in storage.names(dataset.url):
        if (name.endswith(shards.SUFFIX) and name not in named) or storage.is_unfinished(name):
            storage.remove(storage.join(dataset.url, name))
