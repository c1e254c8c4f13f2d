"""Publishing: what a run has made is committed as a version, if it is new and nobody else was faster."""

from pipelines.build.runs.run import Outcome, Run
from pipelines.build.steps.describe import describe
from pipelines.common import lease, storage
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.layout import LEASE_NAME, STAGING


def publish(url: str) -> str:
    """Commits a run's version, unless its plan was refused, and writes the outcome.

    Parameters
    ----------
    url : str
        The run's.

    Returns
    -------
    str
        The same.

    Raises
    ------
    SpectroshardError
        A shard is missing, or is not what its writer said.
    """
    run = Run(url)
    if (outcome := run.outcome()) is None:
        dataset, outcome = _committed(run)
        run.end(outcome)
    elif outcome.exit_code:
        return url
    else:  # an attempt before this one may have been killed before all below was done
        dataset = versions.version(run.request.output, outcome.version)
    # A late attempt finds a newer version: its copies at the top, and what is staged, are not this run's.
    if not outcome.exit_code and max(versions.numbers(dataset.url), default=0) <= dataset.version:
        versions.mend_copies(dataset)
        storage.remove(storage.join(dataset.url, STAGING))
    return url


def _committed(run: Run) -> tuple[Dataset, Outcome]:
    """Commits what a run has made; gives the version that is the newest for it, and how it has ended."""
    dataset, parent = describe(run), run.parent
    if parent and parent.url == dataset.url and _says_the_same(dataset, parent):
        return parent, Outcome(status="up to date", version=parent.version)
    if versions.commit(dataset):
        return dataset, Outcome(status="published", version=dataset.version)
    return dataset, run.superseded()


def end(url: str) -> str:
    """Publishes a run; of one that nobody waits for, the leavings are removed and the lease is given back."""
    run = Run(url)
    if not run.is_begun:
        return url  # a late second attempt: all is done
    request = run.request
    with run.at_work():
        publish(url)
    if request.is_detached:
        if (outcome := run.outcome()) is not None and not outcome.exit_code:
            run.tidy()
        lease_url = storage.join(request.output, LEASE_NAME)
        lease.end(lease_url, request.lease)
    return url


def _says_the_same(dataset: Dataset, parent: Dataset) -> bool:
    same = {"version": parent.version, "ancestors": parent.ancestors, "config": parent.config}
    return dataset.config.makes_the_same_as(parent.config) and dataset.model_copy(update=same) == parent
