"""A run's figures as a file for Prometheus' textfile collector."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from model.retraining.outcome import RunOutcome
from model.telling.figures import Figure, figures
from pipelines.common import storage
from pipelines.common.errors import UsageError

_PREFIX = "spectroshard_"
_ENDED, _SUCCEEDED = "retraining_ended_timestamp_seconds", "retraining_succeeded_timestamp_seconds"


def check(url: str) -> None:
    """Refuses a name that the collector would not read."""
    if not url.endswith(".prom"):
        raise UsageError(f"telling.metrics: {url}: expected a file that ends in .prom, as the collector reads no other")


def write(url: str, outcome: RunOutcome) -> None:
    """Writes the figures of a run to a file, in one step."""
    try:
        before = storage.read_bytes(url).decode(errors="replace")
    except FileNotFoundError:
        before = ""
    storage.write_bytes(url, text(outcome, before).encode())


def text(outcome: RunOutcome, before: str = "") -> str:
    """The figures of a run in Prometheus' text format.

    Source of the format: https://prometheus.io/docs/instrumenting/exposition_formats

    Parameters
    ----------
    outcome : RunOutcome
    before : str
        What the run before this one has written, from which a failed one takes when a retraining last succeeded.

    Examples
    --------
    >>> outcome = RunOutcome(what="failed", message="", registry="songs", dataset="", dataset_version=7)
    >>> print(text(outcome).splitlines()[-1])
    spectroshard_dataset_version{registry="songs"} 7.0
    """
    told = list(figures(outcome))
    told += _succeeded(outcome, told, before)
    lines = []
    for name, group in groupby(told, key=lambda figure: figure.name):
        of_name = list(group)
        lines += [f"# HELP {_PREFIX}{name} {of_name[0].about}", f"# TYPE {_PREFIX}{name} gauge"]
        lines += [f"{_PREFIX}{name}{_labels(outcome.registry, figure)} {float(figure.value)!r}" for figure in of_name]
    return "\n".join(lines) + "\n"


def _succeeded(outcome: RunOutcome, told: Iterable[Figure], before: str) -> Iterator[Figure]:
    if outcome.exit_code == 0:
        found = next((figure.value for figure in told if figure.name == _ENDED), None)
    else:
        line = re.search(rf"^{_PREFIX}{_SUCCEEDED}{{.*}} (\S+)$", before, re.MULTILINE)
        found = float(line[1]) if line else None
    if found is not None:
        yield Figure(_SUCCEEDED, "When a retraining last ended without a fault.", found)


def _labels(registry: str, figure: Figure) -> str:
    # Several registries of a machine have a file each, and no two of its files may hold the same series.
    labels = {"registry": registry, **figure.labels}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
