"""What a second TaskManager gains: one build on clusters of one and of two, and where the time of each went.

`python -m tests.flink.speedup CLIPS` (`make bench-flink CLIPS=440`) makes so many clips of 30 s, and builds them with
librosa's slow features, a second or so of work each. Each cluster has had a small job before: it is one that runs all
the time. Two idle cores are needed for the figures to mean anything.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.benchmarks import clips
from tests.benchmarks.features import NINE
from tests.benchmarks.tables import table
from tests.flink import cluster as flink
from tests.flink.conftest import spectroshard, wait_until
from tests.flink.with_flink import a_part_is_read, newest_job

_WARMING_UP = 20
_HEADER = ("s", "command", "submits", "first songs", "reads", "after reading", "command ends")


def measured(folder: Path, music: Path, task_managers: int, small: Path) -> list[float]:
    """The seconds of a build on a cluster of so many TaskManagers, and of its parts, as in the header."""
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({"features": {"backend": "librosa", **{name: {} for name in NINE}}}))
    with flink.running(folder / "flink", task_managers) as cluster:
        for corpus, output in ((small, folder / "small"), (music, folder / "dataset")):
            started_s = time.time()
            options = ["--output", output, "--config", config, "--runner", cluster.runner]
            command = spectroshard("build", corpus, *options)
            wait_until(lambda at=output, of=command: a_part_is_read(at)() or of.process.poll() is not None, command)
            first_s = time.time()
            assert command.end() == 0, command.told()
            ended_s = time.time()
        job = cluster.rest(f"/jobs/{newest_job(cluster)['jid']}")
        read_ms = max(step["end-time"] for step in job["vertices"] if "Read songs" in step["name"])
        times = [started_s, job["start-time"] / 1e3, first_s, read_ms / 1e3, job["end-time"] / 1e3, ended_s]
    return [ended_s - started_s, *(later - earlier for earlier, later in itertools.pairwise(times))]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table, and how many times as fast two are."""
    parser = argparse.ArgumentParser(prog="python -m tests.flink.speedup", description=__doc__)
    parser.add_argument("clips", type=int, help=f"how many; {_WARMING_UP} and more")
    parser.add_argument("--corpus", help="a folder of recordings that the clips are made of (default: synthetic ones)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        source = clips.given(options.corpus, name) if options.corpus else clips.synthetic(name)
        music, small = source.many(options.clips), source.many(_WARMING_UP)
        of = {count: measured(_made(Path(name, str(count))), music, count, small) for count in (1, 2)}
    rows = [[f"{count} TaskManager{'s'[: count - 1]}", *(f"{s:.1f}" for s in of[count])] for count in of]
    gains = [f"{one / two:.2f}" for one, two in zip(of[1], of[2], strict=True)]
    print(table(_HEADER, [*rows, ["times as fast", *gains]]))
    return 0


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
