"""What a song costs as a corpus grows: in build, plan, audit and the start of a training.

`make bench-growth` builds corpora of 100, 1,000 and 10,000 synthetic songs of 5 s, each once, and measures the rest on
them, medians of three, each corpus in a fresh process with all cores. What is judged is the cost of a song of the
largest against that of a song of the middle one; the smallest shows what each run costs once. The table goes to
growth.md and growth.json.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks.contests import Row, apart, in_turn, write

_SIZES = (100, 1_000, 10_000)
_SONGS_PER_STYLE = 40
_DURATION_S = 5.0
_TURNS = 3
_AT_MOST = 1.25
_CORES = len(os.sched_getaffinity(0))
_TASKS = {
    "build": "from audio files to `dataset.json`",
    "plan": "compare, group, deal, shard; nothing read",
    "audit": "with all copies looked for again",
    "trainer start": "until the first batch, without imports",
}


def rows(sizes: Sequence[int], seconds: Sequence[dict[str, float]]) -> list[Row]:
    """A row for each task: milliseconds a song of the largest corpus, against those of the one before."""
    made = []
    for task, about in _TASKS.items():
        costs_ms = [1000 * own[task] / size for size, own in zip(sizes, seconds, strict=True)]
        each = ", ".join(
            f"{size:,}: {cost_ms:.2f} ms a song, {own[task]:.2f} s in all"
            for size, cost_ms, own in zip(sizes, costs_ms, seconds, strict=True)
        )
        earlier, later = costs_ms[-2:]
        against, measured = f"of {sizes[-2]:,} songs", f"{task} ({about}), a song of {sizes[-1]:,}"
        made.append(Row(measured, against, later, earlier, "ms", later / earlier, at_most=_AT_MOST, note=each))
    return made


def find_clips(folder: str) -> Any:
    """The songs of which all corpora are made."""
    from tests.benchmarks.clips import synthetic

    return synthetic(folder, _SONGS_PER_STYLE, _DURATION_S)


def measure(songs: int, clips: Any) -> dict[str, float]:
    """Seconds of each task with so many songs."""
    from pipelines.audit import audit
    from pipelines.build.build import build
    from pipelines.common.beam.runners import new_pipelines
    from pipelines.copies.search import find_copies
    from pipelines.dataset import ledger
    from pipelines.split.assign import assign
    from pipelines.split.shards import allot
    from tests.benchmarks.contests import timed
    from tests.benchmarks.program import build_anew, config

    corpus = clips.many(songs)
    work, pipelines = str(Path(clips.folder, "work")), new_pipelines([])
    build_anew(clips.many(20), ["log_mel"], pipelines)  # so that all is loaded and compiled
    begin_s = time.perf_counter()
    built = build(config(corpus, ["log_mel"]), str(Path(clips.folder, f"dataset-{songs}")), pipelines).dataset
    build_s = time.perf_counter() - begin_s
    files = [replace(file, fold="", shard="") for file in ledger.written(built.ledger())]

    def plan() -> None:
        copies = find_copies(built.fingerprints(), work, pipelines)
        allot(assign(files, [], copies, built.config, None), [], {}, built.config)

    def audit_all() -> None:
        audit.of_dataset(built, copies=find_copies(built.fingerprints(), work, pipelines))

    sides = {
        "plan": timed(plan),
        "audit": timed(audit_all),
        "trainer start": lambda: apart(first_batch_s, built.url, cores=_CORES),
    }
    return {"build": build_s, **in_turn(sides, _TURNS)}


def first_batch_s(url: str) -> float:
    """Seconds until a training of a dataset, in a process that has done nothing else, has its first batch."""
    from model.config import Training
    from model.data import batches
    from model.training.run import Run
    from model.training.train import compiled
    from pipelines.audit import audit
    from pipelines.dataset.dataset import Dataset

    begin_s = time.perf_counter()
    dataset = Dataset.load(url)
    run = Run(Training(), dataset, dataset.splits())
    audit.of_dataset(dataset, run.splits)
    compiled(run)
    next(iter(batches.training_batches(dataset, run.splits["train"], run.windows, run.training)))
    return time.perf_counter() - begin_s


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(), help="the table's folder (default: this one)")
    parser.add_argument("--sizes", nargs="+", type=int, default=_SIZES, help="two or more (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = apart(find_clips, folder, cores=_CORES)
        seconds = [apart(measure, size, clips, cores=_CORES) for size in options.sizes]
    about = f"Synthetic songs of {_DURATION_S:g} s"
    print(write(rows(options.sizes, seconds), about, options.output, "growth"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
