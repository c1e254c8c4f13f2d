"""All of the project's figures in one run: `make bench`, or `python -m tests.benchmarks.bench [CLIPS]`.

CLIPS is a folder, a glob, a manifest or an archive of recordings, as a build takes it; without it, songs of the demo's
synthesiser are measured with. Each benchmark runs in a process of its own, confined to one core (two for two workers),
in which the competitors take turns: a first turn of each does not count, as libraries load and compile in it; what is
told is the median of five or more. The table goes to bench.md and bench.json.

Ends with 0 where all was measured, whether or not the table's last column but one says that a requirement is met; with
1 where a measurement failed.
"""

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks.contests import Row, apart, write


@dataclass(frozen=True)
class Benchmark:
    """A function that measures some rows of the table, by module and name, and how many cores it may use."""

    module: str
    function: str
    cores: int = 1


BENCHMARKS: Mapping[str, Benchmark] = {
    "log-mel": Benchmark("features", "log_mel"),
    "medians": Benchmark("features", "medians"),
    "nine": Benchmark("features", "nine"),
    "first-use": Benchmark("features", "first_use"),
    "compressed": Benchmark("features", "compressed"),
    "program-nine": Benchmark("program", "nine"),
    "program-log-mel": Benchmark("program", "log_mel"),
    "beam": Benchmark("program", "beam_against_a_loop"),
    "workers": Benchmark("program", "two_workers", cores=2),
    "memory": Benchmark("memory", "memory"),
    "seed-network": Benchmark("training", "seed_network"),
    "default-network": Benchmark("training", "default_network"),
    "predict": Benchmark("training", "predict_files"),
}


def measure(benchmark: Benchmark, clips: Any) -> list[Row]:
    """Runs a benchmark in this process."""
    module = import_module(f"tests.benchmarks.{benchmark.module}")
    rows: list[Row] = getattr(module, benchmark.function)(clips)
    return rows


def find_clips(source: str, folder: str) -> Any:
    """The recordings to measure with."""
    from tests.benchmarks import clips

    return clips.given(source, folder) if source else clips.synthetic(folder)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("clips", nargs="?", default="", metavar="CLIPS", help="recordings (default: synthetic songs)")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--output", type=Path, default=Path(), help="the table's folder (default: this one)")
    options = parser.parse_args()
    rows: list[Row] = []
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        clips = apart(find_clips, options.clips, folder, cores=2)
        for name in options.only or BENCHMARKS:
            begin_s = time.monotonic()
            try:
                rows += apart(measure, BENCHMARKS[name], clips, cores=BENCHMARKS[name].cores)
            except Exception:  # one that fails must not cost the others
                traceback.print_exc()
                failed.append(name)
            print(f"{name}: {time.monotonic() - begin_s:.0f} s", file=sys.stderr, flush=True)
    print(write(rows, clips.source, options.output, "bench"), end="")
    if failed:
        print(f"could not measure {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
