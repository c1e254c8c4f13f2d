"""What a build asks of an object store: objects, requests and bytes, by arithmetic from the code's own numbers.

`python -m tests.benchmarks.store [SONGS]` prints a table; nothing is built.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.build.begin import files_in_part
from pipelines.build.runs.staging import MOST_BYTES
from pipelines.common.output.text_table import table
from pipelines.config import BuildConfig
from pipelines.split.shards import bytes_per_second

_FOLDS = 10
_FIXED = 12  # the newest version's commit and tables, the copies at the top, an outcome
FILES_A_LISTING = 1_000
_RUN_FILES = 50  # requests of each kind that do not grow with the songs: what the steps of a run leave each other


@dataclass(frozen=True)
class Requests:
    """What a build from nothing asks of a store.

    Attributes
    ----------
    shards : int
    objects_at_rest : int
        After publishing.
    puts, gets, heads, lists : int
        Of each song one asks its size and one reads it; of each record one reads it.
    stored_bytes, peak_bytes : float
        After publishing, and while records are both staged and in shards.
    """

    shards: int
    objects_at_rest: int
    puts: int
    gets: int
    heads: int
    lists: int
    stored_bytes: float
    peak_bytes: float


def requests(songs: int, duration_s: float, config: BuildConfig) -> Requests:
    """What a build of so many songs asks."""
    stored_bytes = songs * duration_s * bytes_per_second(config)
    shards = max(math.ceil(stored_bytes / (config.shards.size_mb * 1e6)), _FOLDS)
    parts = math.ceil(songs / files_in_part(songs))
    packs = parts + math.floor(stored_bytes / MOST_BYTES)
    puts = 2 * packs + 2 * shards + _RUN_FILES  # pack and table; shard and result
    # A song once; each record from its pack; each table of readings by five steps; results; the search's own blocks.
    gets = 2 * songs + 5 * packs + 2 * shards + _RUN_FILES
    heads = songs + 8 * packs + 3 * shards + _RUN_FILES  # what is read whole is asked for its size
    lists = math.ceil(songs / FILES_A_LISTING) + math.ceil(shards / FILES_A_LISTING) + 3 * parts + _RUN_FILES
    return Requests(shards, shards + _FIXED, puts, gets, heads, lists, stored_bytes, 2 * stored_bytes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.store", description=__doc__)
    parser.add_argument("songs", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--duration-s", type=float, default=30.0)
    options = parser.parse_args(arguments)
    config = BuildConfig()
    asked = requests(options.songs, options.duration_s, config)
    rows = [
        ["shards", f"{asked.shards:,}"],
        ["objects at rest", f"{asked.objects_at_rest:,}"],
        ["PUT", f"{asked.puts:,}"],
        ["GET", f"{asked.gets:,}"],
        ["HEAD", f"{asked.heads:,}"],
        ["LIST", f"{asked.lists:,}"],
        ["GB stored", f"{asked.stored_bytes / 1e9:,.0f}"],
        ["GB at the peak", f"{asked.peak_bytes / 1e9:,.0f}"],
    ]
    print(table([f"{options.songs:,} songs of {options.duration_s:g} s, log-mel", ""], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
