"""What planning costs as a corpus grows: seconds, microseconds a song and peak memory, with made-up songs.

`python -m tests.benchmarks.plan 10000 1000000` measures each size in a process of its own and prints a table: a plan
from nothing, then one of a version in which a hundredth of the songs is new and a hundredth is gone. Memory is that of
the whole process, the rows included, with what the imports take.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import xxhash
from numpy.typing import NDArray

from pipelines.config import BuildConfig
from pipelines.dataset import ledger
from pipelines.dataset.ledger import Copy, File
from pipelines.split.assign import assign
from pipelines.split.shards import allot
from tests.benchmarks.tables import table

_GENRES, _SONGS_PER_ARTIST, _SHARE_WITH_ARTIST = 20, 12, 0.8
_EXACT_SHARE, _NEAR_SHARE, _CHANGED_SHARE = 0.01, 0.02, 0.01
_HEADER = ["songs", "plan", "seconds", "us/song", "peak (MB)", "written", "shards"]


def corpus(songs: int) -> list[File]:
    """Songs of artists of all sizes, a fifth without a name, a hundredth the same samples as another."""
    rng = np.random.default_rng(songs)
    artists = 1 + songs // _SONGS_PER_ARTIST
    by = _artists_of(songs)
    is_known = rng.random(songs) < _SHARE_WITH_ARTIST
    durations_s = rng.normal(240, 60, songs).clip(10)
    names = [f"Artist No. {number}" for number in range(artists)]
    genres = [f"genre {number:02d}" for number in range(_GENRES)]
    hashes = [xxhash.xxh3_128_hexdigest(str(number).encode()) for number in range(songs)]
    for number, other in _of_one_artist(by, int(songs * _EXACT_SHARE)):
        hashes[number] = hashes[other]
    return [
        File(
            path := f"{genres[artist % _GENRES]}/{names[artist]}/{number:07d} the title.mp3",
            path,
            genres[artist % _GENRES],
            artist=names[artist] if known else "",
            duration_s=duration_s,
            sample_rate_hz=44_100,
            channels=2,
            content_hash=hashes[number],
        )
        for number, (artist, known, duration_s) in enumerate(
            zip(by.tolist(), is_known, durations_s.tolist(), strict=True)
        )
    ]


def near_copies(files: list[File]) -> list[Copy]:
    """Pairs of recordings: every fiftieth song and another of its artist."""
    pairs = _of_one_artist(_artists_of(len(files)), int(len(files) * _NEAR_SHARE))
    hashes = [sorted((files[one].content_hash, files[other].content_hash)) for one, other in pairs]
    return [Copy(first, second, 0.0, 0.0, 200.0, 1.0, 0.02) for first, second in hashes if first != second]


def _artists_of(songs: int) -> NDArray[np.int_]:
    """The number of each song's artist: some have many songs."""
    return ((1 + songs // _SONGS_PER_ARTIST) * np.random.default_rng(0).random(songs) ** 2).astype(int)


def _of_one_artist(by: NDArray[np.int_], count: int) -> Iterator[tuple[int, int]]:
    """Pairs of songs, most of them of one artist."""
    order = np.argsort(by, kind="stable")
    places = np.random.default_rng(count).choice(len(by) - 1, count, replace=False)
    return zip(order[places].tolist(), order[places + 1].tolist(), strict=True)


def measure(songs: int) -> list[list[object]]:
    """The rows of the table for one size."""
    config = BuildConfig()
    files = corpus(songs)
    copies = near_copies(files)
    rows = []
    first_new = int(songs * (1 - _CHANGED_SHARE))
    gone = int(songs * _CHANGED_SHARE)

    begin_s = time.process_time()
    planned = allot(assign(files[:first_new], [], copies, config), [], {}, config)
    rows.append(_row(songs, "from nothing", begin_s, planned))
    sizes = dict.fromkeys({file.shard for file in ledger.written(planned)}, 100_000_000)

    files = files[gone:]
    begin_s = time.process_time()
    earlier = [file for file in planned if file.fold]
    before, planned = ledger.written(planned), []
    files = assign(files, earlier, copies, config, config.folds)
    del earlier
    planned = allot(files, before, sizes, config)
    rows.append(_row(songs, "1 % new, 1 % gone", begin_s, planned))
    return rows


def _row(songs: int, what: str, begin_s: float, planned: list[File]) -> list[object]:
    elapsed_s = time.process_time() - begin_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000
    written = ledger.written(planned)
    shards = len({file.shard for file in written})
    return [
        f"{songs:,}",
        what,
        f"{elapsed_s:.2f}",
        f"{1e6 * elapsed_s / songs:.1f}",
        f"{peak_mb:.0f}",
        len(written),
        shards,
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.plan", description=__doc__)
    parser.add_argument("songs", nargs="*", type=int, default=[10_000, 1_000_000], help="sizes of the corpus")
    options = parser.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as pool:
        print(table(_HEADER, [row for rows in pool.map(measure, options.songs) for row in rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
