"""What a build of a million songs and more takes, by arithmetic: hours, requests, bytes, shards and money.

`make scale` prints the table of `docs/clusters.md`; nothing is built. What a song costs was measured on one machine,
each figure in the page that is named beside it; what machines, requests and bytes cost are list prices, to be replaced
by one's own. Beyond a million songs nothing was measured.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields

from pipelines.common.output.text_table import table
from pipelines.config import BuildConfig
from tests.benchmarks.store import FILES_A_LISTING, requests

SIZES = (10**6, 10**7, 10**8)


@dataclass(frozen=True)
class Costs:
    """What a song of half a minute costs, as it was measured, and what is paid for it.

    Attributes
    ----------
    read_s : float
        Seconds of a core for a song in a build, its record's copying and its comparison within a small corpus included:
        34 ms of a WAV file (docs/speed.md) and 26 ms more for decoding 30 s of MP3 of 44.1 kHz.
    compare_s : float
        Seconds of a core for comparing its fingerprint with a million (docs/copies.md).
    alone_s : float
        Seconds on one worker, while all others wait, for listing it, gathering its reading, planning and publishing it:
        72, 53, 94 and 35 microseconds of a million songs (docs/clusters.md).
    one_worker_bytes : float
        Memory that the steps on one worker ask for (`pipelines.build.build`); they hold about 2,000 (docs/clusters.md).
    listing_s : float
        Seconds for one listing of a thousand files: an assumption.
    song_bytes : float
        Of its file: 30 s of MP3 at 128 kbit/s.
    cores : int
        A worker has.
    use : float
        The share of a worker's time that it works: an assumption.
    core_hour, gb_hour : float
        Dollars for a core and for a GB of memory in use for an hour.
    worker_gb : float
        Memory of a worker.
    gb_month : float
        Dollars for a GB that is stored for a month.
    million_gets, million_puts : float
        Dollars for a million requests that read, and that write or list.
    """

    read_s: float = 0.060
    compare_s: float = 0.0014
    alone_s: float = 0.000254
    one_worker_bytes: float = 4_000.0
    listing_s: float = 0.2
    song_bytes: float = 480_000.0
    cores: int = 2
    use: float = 0.9
    core_hour: float = 0.056
    gb_hour: float = 0.003557
    worker_gb: float = 7.5
    gb_month: float = 0.020
    million_gets: float = 0.40
    million_puts: float = 5.00


@dataclass(frozen=True)
class Scale:
    """What a build from nothing takes.

    Attributes
    ----------
    songs, workers : int
    hours : float
        From the listing to the version.
    on_one_worker_hours : float
        Of these, where all others wait: listing, gathering, planning and publishing.
    one_worker_gb : float
        Memory of that worker.
    gets, puts : int
        Requests that read, sizes asked included, and that write or list.
    shards : int
    read_gb, stored_gb, peak_gb : float
        The songs' files, the dataset, and the dataset while records are staged too.
    machines, asked, month : float
        Dollars for the workers, for requests, and for a month of the dataset.
    """

    songs: int
    workers: int
    hours: float
    on_one_worker_hours: float
    one_worker_gb: float
    gets: int
    puts: int
    shards: int
    read_gb: float
    stored_gb: float
    peak_gb: float
    machines: float
    asked: float
    month: float


def scale(songs: int, workers: int, costs: Costs) -> Scale:
    """What a build of so many songs of 30 s takes on so many workers.

    Examples
    --------
    >>> round(scale(10**6, 20, Costs()).hours, 2)
    0.6
    """
    asked = requests(songs, 30.0, BuildConfig())
    shared_s = songs * (costs.read_s + costs.compare_s) / (workers * costs.cores * costs.use)
    alone_s = songs * costs.alone_s + math.ceil(songs / FILES_A_LISTING) * costs.listing_s
    hours = (shared_s + alone_s) / 3600
    puts, gets = asked.puts + asked.lists, asked.gets + asked.heads
    return Scale(
        songs=songs,
        workers=workers,
        hours=hours,
        on_one_worker_hours=alone_s / 3600,
        one_worker_gb=songs * costs.one_worker_bytes / 1e9,
        gets=gets,
        puts=puts,
        shards=asked.shards,
        read_gb=songs * costs.song_bytes / 1e9,
        stored_gb=asked.stored_bytes / 1e9,
        peak_gb=asked.peak_bytes / 1e9,
        machines=workers * hours * (costs.cores * costs.core_hour + costs.worker_gb * costs.gb_hour),
        asked=gets / 1e6 * costs.million_gets + puts / 1e6 * costs.million_puts,
        month=asked.stored_bytes / 1e9 * costs.gb_month,
    )


def rows(costs: Costs) -> list[list[str]]:
    """The table's rows: what, and for each size how much."""
    found = [scale(songs, workers, costs) for songs, workers in zip(SIZES, (20, 100, 500), strict=True)]
    return [
        ["workers of 2 cores", *(f"{each.workers:,}" for each in found)],
        ["hours", *(f"{each.hours:.1f}" for each in found)],
        ["of these on one worker", *(f"{each.on_one_worker_hours:.1f}" for each in found)],
        ["GB of memory on that one", *(f"{max(each.one_worker_gb, 4):,.0f}" for each in found)],
        ["requests that read, millions", *(f"{each.gets / 1e6:,.1f}" for each in found)],
        ["requests that write or list", *(f"{each.puts:,}" for each in found)],
        ["shards", *(f"{each.shards:,}" for each in found)],
        ["GB of songs read", *(f"{each.read_gb:,.0f}" for each in found)],
        ["GB of dataset", *(f"{each.stored_gb:,.0f}" for each in found)],
        ["GB at the peak", *(f"{each.peak_gb:,.0f}" for each in found)],
        ["$ for workers", *(f"{each.machines:,.2f}" for each in found)],
        ["$ for requests", *(f"{each.asked:,.2f}" for each in found)],
        ["$ a month for the dataset", *(f"{each.month:,.0f}" for each in found)],
    ]


def markdown(costs: Costs) -> str:
    """The table as `docs/clusters.md` has it."""
    header = ["songs of 30 s, log-mel", *(f"{songs:,}" for songs in SIZES)]
    lines = [header, ["---"] * len(header), *rows(costs)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; every cost is an option."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    for each in fields(Costs):
        parser.add_argument(f"--{each.name.replace('_', '-')}", type=type(each.default), default=each.default)
    parser.add_argument("--markdown", action="store_true")
    options = vars(parser.parse_args(arguments))
    as_markdown, costs = options.pop("markdown"), Costs(**options)
    print(markdown(costs) if as_markdown else table(["", *(f"{songs:,}" for songs in SIZES)], rows(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
