"""What the steps of a build that one worker does cost as a corpus grows: gathering readings, and the plan.

`python -m tests.benchmarks.steps 10000 1000000` makes up staged readings, with fingerprints of 30 s each, and measures
each step in a process of its own. Memory is that of the whole process, with what the imports take.
"""

import argparse
import itertools
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from pipelines.build.runs.run import Listed, Request, Run
from pipelines.build.steps.gather import gather
from pipelines.build.steps.plan import make_plan
from pipelines.common import parquet, storage
from pipelines.config import BuildConfig
from pipelines.copies.search import COPIES_NAME
from pipelines.dataset.ledger import Copy, File
from pipelines.dataset.readings import StagedReading
from tests.benchmarks import plan
from tests.benchmarks.tables import table

_VALUES = 220  # of a fingerprint of 30 s
_READINGS_IN_TABLE = 5_000
_RECORD_BYTES = 330_000
_HEADER = ["songs", "step", "seconds", "us/song", "peak (MB)"]


def make_up(songs: int, url: str) -> None:
    """A run whose files have been listed and read."""
    run, files = Run(url), plan.corpus(songs)
    output = url.rpartition("/runs/")[0]
    run.begin(
        Request(
            config=BuildConfig(),
            output=output,
            version=1,
            parent="",
            root="/music",
            listing="",
            reading="made-up",
            songs_to_read=songs,
        )
    )
    in_order = sorted(files, key=lambda file: file.uri)
    parquet.write(run.listing, Listed, map(_listed, in_order))
    readings = map(_staged, in_order, itertools.count())
    for number in range(0, songs, _READINGS_IN_TABLE):
        rows = list(itertools.islice(readings, _READINGS_IN_TABLE))
        parquet.write(storage.join(run.staging, f"made-up/{number:07d}-0.parquet"), StagedReading, rows)
    parquet.write(storage.join(run.search, COPIES_NAME), Copy, plan.near_copies(files))


def _listed(file: File) -> Listed:
    location = f"/music/{file.path}"
    return Listed(file.path, file.uri, file.genre, artist=file.artist, location=location, version=_version(file))


def _version(file: File) -> str:
    return f"{round(file.duration_s * 40_000)}-1700000000000000000"


def _staged(file: File, number: int) -> StagedReading:
    values = np.random.default_rng(number).integers(0, 1 << 32, _VALUES, np.uint32)
    return StagedReading(
        file.uri,
        _version(file),
        bytes_hash=file.content_hash,
        duration_s=file.duration_s,
        sample_rate_hz=file.sample_rate_hz,
        channels=file.channels,
        content_hash=file.content_hash,
        fingerprint=values.tobytes(),
        pack=f"/dataset/staging/made-up/{number // _READINGS_IN_TABLE:07d}.records",
        offset=number % _READINGS_IN_TABLE * _RECORD_BYTES,
        length=_RECORD_BYTES,
        genre=file.genre,
    )


def measure(do: Callable[[str], object], url: str) -> tuple[float, float]:
    """Seconds of the processor, and the peak of this process's memory in MB."""
    begin_s = time.process_time()
    do(url)
    return time.process_time() - begin_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


def _rows(songs: int, folder: str) -> Iterator[list[object]]:
    url = str(Path(folder, f"{songs}/runs/made-up"))
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as pool:
        pool.submit(make_up, songs, url).result()
        for what, do in (("gather readings", gather), ("plan", make_plan)):
            seconds, peak_mb = pool.submit(measure, do, url).result()
            yield [f"{songs:,}", what, f"{seconds:.1f}", f"{1e6 * seconds / songs:.0f}", f"{peak_mb:.0f}"]
    outcome = Run(url).outcome()
    if outcome is not None:
        raise RuntimeError(outcome.message)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.steps", description=__doc__)
    parser.add_argument("songs", nargs="*", type=int, default=[10_000, 1_000_000], help="sizes of the corpus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for songs in options.songs for row in _rows(songs, folder)]
    print(table(_HEADER, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
