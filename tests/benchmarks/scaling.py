"""What finding near copies costs as a corpus grows: time and memory, with synthetic fingerprints.

`python -m tests.benchmarks.scaling 1000 10000 100000` measures each size twice, in processes of their own: where all
songs are new, and where one in a hundred is. It prints a table.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipelines.common import parquet
from pipelines.common.beam.runners import new_pipelines
from pipelines.common.output.progress import Progress
from pipelines.copies.search import COPIES_NAME, Comparison, FindCopies, share_done
from pipelines.dataset.ledger import Copy
from pipelines.dataset.readings import Fingerprint
from tests.benchmarks.tables import table

_VALUES = {30: 220, 240: 1_920}  # by seconds
_SHARED_VALUES = 62  # of 10 s
_SONGS_PER_COPY = 100
_BIT_ERROR_RATE = 0.08
_SONGS_PER_BLOCK = 1_000
# How often each bit of a value differs from that of the value before, and how strongly the bits depend on each other
# (so that as many pairs of songs meet as do in real music): measured on 307 tracks of ten game soundtracks.
_CHANGE_RATES = (
    *(0.14, 0.10, 0.05, 0.04, 0.29, 0.22, 0.14, 0.10, 0.17, 0.12, 0.20, 0.12, 0.30, 0.25, 0.14, 0.09),
    *(0.30, 0.22, 0.06, 0.04, 0.09, 0.05, 0.20, 0.15, 0.17, 0.11, 0.04, 0.03, 0.05, 0.03, 0.04, 0.03),
)
_MIXING = 0.75
_HEADER = [
    "songs",
    "of (s)",
    "new",
    "wall (s)",
    "CPU (s)",
    "ms/song",
    "peak (MB)",
    "more (MB)",
    "planted",
    "recall",
    "false pairs",
]

Fingerprints = NDArray[np.uint32]
Pairs = set[tuple[str, str]]


@dataclass(frozen=True)
class Block:
    """Some songs of a made-up corpus; the names are in no order, as content hashes are.

    Attributes
    ----------
    names : list of str
    fingerprints : list of array
        The last of them are crops of the first ones.
    crops : int
        How many.
    """

    names: list[str]
    fingerprints: list[Fingerprints]
    crops: int

    @property
    def pairs(self) -> Pairs:
        """The copies, each with its original."""
        copies = self.names[len(self.names) - self.crops :]
        return {(min(pair), max(pair)) for pair in zip(copies, self.names, strict=False)}

    @property
    def new(self) -> slice:
        """Which songs are new where one in a hundred is: as many as there are crops, one of them a crop."""
        first_crop = len(self.names) - self.crops
        return slice(first_crop + 1 - self.crops, first_crop + 1)


def music(rng: np.random.Generator, songs: int, count: int) -> Fingerprints:
    """Fingerprints of unrelated songs, shape (songs, count), that are as like each other as real music's.

    A bit is the sign of a Gaussian process that forgets at the bit's own rate (P(change) = arccos(correlation) / pi),
    and the 32 processes are correlated. Were all values equally likely, songs would hardly ever agree by chance, and
    finding copies would look cheaper than it is.
    """
    kept = np.cos(np.pi * np.array(_CHANGE_RATES, np.float32))
    renewed = np.sqrt(1 - kept**2)
    mixing = np.eye(32) + _MIXING / np.sqrt(32) * np.random.default_rng(0).standard_normal((32, 32))
    mixing = (mixing / np.linalg.norm(mixing, axis=0)).astype(np.float32)
    levels = rng.standard_normal((songs, 32), np.float32) @ mixing
    values = np.zeros((songs, count), np.uint32)
    for position in range(count):
        values[:, position] = _words(levels > 0)
        levels = kept * levels + renewed * (rng.standard_normal((songs, 32), np.float32) @ mixing)
    return values


def crops(rng: np.random.Generator, originals: Fingerprints) -> Fingerprints:
    """Of each song 10 s from anywhere, with bit errors."""
    begins = rng.integers(0, originals.shape[1] - _SHARED_VALUES, len(originals), endpoint=True)
    cut = np.stack([values[begin : begin + _SHARED_VALUES] for values, begin in zip(originals, begins, strict=True)])
    return cut ^ _words(rng.random((*cut.shape, 32), np.float32) < _BIT_ERROR_RATE)


def blocks(songs: int, duration_s: int) -> Iterator[Block]:
    """A made-up corpus, in which one song in a hundred is a crop of another."""
    rng = np.random.default_rng(songs)
    numbers = rng.permutation(songs)
    for start in range(0, songs, _SONGS_PER_BLOCK):
        names = [f"{number:09d}" for number in numbers[start : start + _SONGS_PER_BLOCK]]
        copied = len(names) // _SONGS_PER_COPY
        with threadpool_limits(1):  # matrices are so small that threads would wait for each other most of the time
            originals = music(rng, len(names) - copied, _VALUES[duration_s])
        yield Block(names, [*originals, *crops(rng, originals[:copied])], copied)


def write_corpus(folder: str, songs: int, duration_s: int) -> tuple[Pairs, set[str]]:
    """Writes a corpus to two tables, of known and of new songs; gives the pairs that are copies, and which are new."""
    schema = parquet.schema(Fingerprint)
    pairs: Pairs = set()
    new: set[str] = set()
    with (
        pq.ParquetWriter(Path(folder, "known.parquet"), schema) as known_table,
        pq.ParquetWriter(Path(folder, "new.parquet"), schema) as new_table,
    ):
        for block in blocks(songs, duration_s):
            rows = pa.table([block.names, [values.tobytes() for values in block.fingerprints]], schema=schema)
            first, end, _ = block.new.indices(rows.num_rows)
            known_table.write_table(pa.concat_tables([rows[:first], rows[end:]]))
            new_table.write_table(rows[first:end])
            pairs |= block.pairs
            new |= set(block.names[block.new])
    return pairs, new


@dataclass(frozen=True)
class Cost:
    """What a search took, with the pairs that it found; memory is the peak of its process, before and after."""

    elapsed_s: float
    cpu_s: float
    before_kb: int
    peak_kb: int
    found: Pairs


def search(folder: str, songs: int, known: tuple[str, ...], new: tuple[str, ...]) -> Cost:
    """Searches a corpus that was written to a folder."""
    before_kb = _peak_kb()
    work = str(Path(folder, f"{len(known)} known"))
    urls = [tuple(str(Path(folder, name)) for name in names) for names in (known, new)]
    Comparison(*urls).save(work)
    started_s, started_cpu_s = time.monotonic(), time.process_time()
    with (
        Progress("Compare fingerprints", songs, lambda: int(songs * share_done(work))),
        new_pipelines(["--runner=FnApiRunner"])(songs) as pipeline,
    ):
        _ = pipeline | beam.Create([work], reshuffle=False) | FindCopies()
    elapsed_s, cpu_s = time.monotonic() - started_s, time.process_time() - started_cpu_s
    peak_kb = _peak_kb()
    copies = parquet.read(str(Path(work, COPIES_NAME)), Copy)
    return Cost(elapsed_s, cpu_s, before_kb, peak_kb, {(copy.first, copy.second) for copy in copies})


def measure(songs: int, duration_s: int) -> list[list[object]]:
    """Two rows of the table: all songs new, and one in a hundred."""
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as folder:
        planted, new = _in_a_process(write_corpus, folder, songs, duration_s)
        for known_tables, new_tables in (
            ((), ("known.parquet", "new.parquet")),
            (("known.parquet",), ("new.parquet",)),
        ):
            cost = _in_a_process(search, folder, songs, known_tables, new_tables)
            expected = {pair for pair in planted if not known_tables or not new.isdisjoint(pair)}
            rows.append(
                [
                    f"{songs:,}",
                    duration_s,
                    f"{len(new):,}" if known_tables else "all",
                    f"{cost.elapsed_s:.1f}",
                    f"{cost.cpu_s:.1f}",
                    f"{1000 * cost.cpu_s / songs:.2f}",
                    f"{cost.peak_kb / 1000:.0f}",
                    f"{(cost.peak_kb - cost.before_kb) / 1000:.0f}",
                    f"{len(expected):,}",
                    f"{len(expected & cost.found) / max(len(expected), 1):.1%}",
                    len(cost.found - planted),
                ]
            )
    return rows


def _in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function gives in a process of its own, which has its own peak of memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _words(bits: NDArray[np.bool_]) -> Fingerprints:
    """Bits, shape (..., 32), as numbers, shape (...)."""
    return np.packbits(bits, axis=-1, bitorder="little").view("<u4")[..., 0]


def _peak_kb() -> int:
    """The largest resident memory of this process and its children so far."""
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scaling", description=__doc__)
    sizes = [1_000, 10_000, 100_000, 1_000_000]
    parser.add_argument("songs", nargs="*", type=int, default=sizes, help="sizes of the corpus")
    parser.add_argument("--duration-s", type=int, choices=_VALUES, default=30, help="how long each song is")
    options = parser.parse_args()
    print(table(_HEADER, [row for songs in options.songs for row in measure(songs, options.duration_s)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
