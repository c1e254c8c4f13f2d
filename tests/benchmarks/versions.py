"""What another version of a dataset costs, against a build from nothing, at 10,000 songs and nine features.

`make bench-versions` builds synthetic songs of 5 s once, and then, each once: again with nothing new; with one percent
more; with one percent removed at random; with another number of folds. The start-up of each, which is what the same
step takes on 20 songs, is told apart. The table goes to versions.md and versions.json.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.contests import Row, apart, write

_SONGS, _PERCENT, _FEW = 10_000, 100, 20
_SONGS_PER_STYLE, _DURATION_S = 40, 5.0
_CORES = len(os.sched_getaffinity(0))
_AT_MOST = {
    "one percent more songs": 0.05,
    "one percent of the songs removed": None,
    "another folds.count": 0.10,
}  # of a build from nothing


def find_clips(folder: str) -> Any:
    """The songs of which the corpus is made."""
    from tests.benchmarks.clips import synthetic

    return synthetic(folder, _SONGS_PER_STYLE, _DURATION_S)


@dataclass(frozen=True)
class Step:
    """What a build took, what it read, and what it wrote of the version's bytes and shards."""

    seconds: float
    songs_read: int
    new_bytes: int
    all_bytes: int
    new_shards: int
    all_shards: int


def measure(songs: int, new: int, clips: Any) -> dict[str, Step]:
    """Every step on a corpus of so many songs, of which some are new in the second."""
    from pipelines.build.build import build
    from pipelines.common.beam.runners import new_pipelines
    from pipelines.config import BuildConfig
    from tests.benchmarks.features import NINE
    from tests.benchmarks.program import config

    corpus, later = clips.many(songs + new), Path(clips.folder, f"later-{songs}")
    output, pipelines = str(Path(clips.folder, f"dataset-{songs}")), new_pipelines([])
    later.mkdir()
    arriving = sorted(corpus.rglob("*.wav"))[songs:]

    def built(**changed: Any) -> Step:
        asked = BuildConfig.model_validate(config(corpus, NINE).model_dump() | changed)
        begin_s = time.perf_counter()
        result = build(asked, output, pipelines)
        elapsed_s, dataset = time.perf_counter() - begin_s, result.dataset
        own = [shard for shard in dataset.shards if shard.name.startswith(f"shards/{dataset.version:06d}/")]
        sizes = (sum(shard.bytes for shard in some) for some in (own, dataset.shards))
        return Step(elapsed_s, result.songs_read, *sizes, len(own), len(dataset.shards))

    for path in arriving:
        path.rename(later / path.name)
    steps = {"from nothing": built(), "nothing new": built()}
    for path in arriving:
        (later / path.name).rename(path)
    steps["one percent more songs"] = built()
    for path in random.Random(0).sample(sorted(corpus.rglob("*.wav")), new):
        path.unlink()
    steps["one percent of the songs removed"] = built()
    return steps | {"another folds.count": built(folds={"count": 5})}


def rows(songs: int, small: dict[str, Step], large: dict[str, Step]) -> list[Row]:
    """The rows of the table; what the same step takes on a few songs is its start-up."""
    start, whole = small["from nothing"].seconds, large["from nothing"].seconds
    made = []
    for what, at_most in _AT_MOST.items():
        step, start_up_s = large[what], small[what].seconds
        note = (
            f"{step.new_bytes / 1e6:,.0f} MB of {step.all_bytes / 1e6:,.0f} written, {step.new_shards} shards of"
            f" {step.all_shards}; {step.songs_read} files read; start-up {start_up_s:.1f} s, from nothing {start:.1f} s"
        )
        share = (step.seconds - start_up_s) / (whole - start)
        made.append(Row(what, "a build from nothing", step.seconds, whole, "s", share, at_most=at_most, note=note))
    looked_ms = 1000 * large["nothing new"].seconds / songs
    return [Row("nothing new, a song", "", looked_ms, None, "ms", looked_ms, "ms", at_most=0.2), *made]


def main() -> int:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.versions", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(), help="the table's folder (default: this one)")
    parser.add_argument("--songs", type=int, default=_SONGS, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = apart(find_clips, folder, cores=_CORES)
        small = apart(measure, _FEW, 1, clips, cores=_CORES)
        large = apart(measure, options.songs, options.songs // _PERCENT, clips, cores=_CORES)
    about = f"{options.songs:,} synthetic songs of {_DURATION_S:g} s"
    print(write(rows(options.songs, small, large), about, options.output, "versions"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
