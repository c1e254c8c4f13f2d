"""What another version of a dataset costs, against a build from nothing, at 10,000 songs and nine features.

`make bench-versions` builds synthetic songs of 5 s once, and then, each once: again with nothing new; with one percent
more; with one percent removed at random; with another number of folds. The start-up of a run, as one that has nothing
to do but look takes it, is told apart. The table goes to versions.md and versions.json.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.contests import Row, apart, write

_SONGS, _PERCENT = 10_000, 100
_SONGS_PER_STYLE, _DURATION_S = 40, 5.0
_CORES = len(os.sched_getaffinity(0))


def find_clips(folder: str) -> Any:
    """The songs of which the corpus is made."""
    from tests.benchmarks.clips import synthetic

    return synthetic(folder, _SONGS_PER_STYLE, _DURATION_S)


def measure(songs: int, clips: Any) -> list[Row]:
    """The rows of the table."""
    from pipelines.build.build import Built, build
    from pipelines.common.beam.runners import new_pipelines
    from pipelines.config import BuildConfig
    from tests.benchmarks.features import NINE
    from tests.benchmarks.program import build_anew, config

    corpus, pipelines = clips.many(songs + songs // _PERCENT), new_pipelines([])
    output = str(Path(clips.folder, "dataset"))
    build_anew(clips.many(20), NINE, pipelines)  # so that all is loaded and compiled

    def built(**changed: Any) -> tuple[float, Built]:
        asked = config(corpus, NINE)
        asked = BuildConfig.model_validate(asked.model_dump() | changed)
        begin_s = time.perf_counter()
        result = build(asked, output, pipelines)
        return time.perf_counter() - begin_s, result

    later = sorted(corpus.rglob("*.wav"))[songs:]
    apart_folder = Path(clips.folder, "later")
    apart_folder.mkdir()
    for path in later:
        path.rename(apart_folder / path.name)
    nothing_s, first = built()
    unchanged_s, _ = built()
    begin_s = time.perf_counter()
    build_anew(clips.many(20), NINE, pipelines)
    start_s = time.perf_counter() - begin_s
    for path in later:
        (apart_folder / path.name).rename(path)
    extended_s, extended = built()
    for path in random.Random(0).sample(sorted(corpus.rglob("*.wav")), songs // _PERCENT):
        path.unlink()
    removed_s, removed = built()
    refolded_s, refolded = built(folds={"count": 5})

    def row(what: str, seconds: float, result: Built, at_most: float | None) -> Row:
        own = [s for s in result.dataset.shards if s.name.split("/")[1] == f"{result.dataset.version:06d}"]
        note = (
            f"{sum(s.bytes for s in own) / 1e6:,.0f} MB of {sum(s.bytes for s in result.dataset.shards) / 1e6:,.0f}"
            f" in {len(own)} new shards of {len(result.dataset.shards)}; {seconds:.1f} s, of which {start_s:.1f} s"
            f" is what a build of 20 songs takes; {result.songs_read} files read"
        )
        share = (seconds - start_s) / (nothing_s - start_s)
        return Row(what, "a build from nothing", seconds, nothing_s, "s", share, at_most=at_most, note=note)

    looked_ms = 1000 * unchanged_s / songs
    return [
        Row("nothing new, a song", "", looked_ms, None, "ms", looked_ms, "ms", at_most=0.2),
        row("one percent more songs", extended_s, extended, 0.05),
        row("one percent of the songs removed", removed_s, removed, None),
        row("another folds.count", refolded_s, refolded, 0.10),
        Row("from nothing, a song", "", 1000 * nothing_s / songs, None, "ms", 1000 * nothing_s / songs, "ms",
            note=f"{len(first.dataset.shards)} shards"),
    ]  # fmt: skip


def main() -> int:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.versions", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(), help="the table's folder (default: this one)")
    parser.add_argument("--songs", type=int, default=_SONGS, help="default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = apart(find_clips, folder, cores=_CORES)
        rows = apart(measure, options.songs, clips, cores=_CORES)
    print(write(rows, f"{options.songs:,} synthetic songs of {_DURATION_S:g} s", options.output, "versions"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
