"""What finding near copies costs as a corpus grows: time and memory a song, with synthetic fingerprints.

`python -m tests.benchmarks.scaling 1000 10000 100000` measures each size in a process of its own and prints a table.
"""

import argparse
import itertools
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pipelines.copies.search import find_copies
from tests.benchmarks.tables import table
from tests.pipelines.conftest import in_process

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
_HEADER = ["songs", "of (s)", "wall (s)", "ms/song", "peak (MB)", "KB/song", "planted", "recall", "false pairs"]

Fingerprints = NDArray[np.uint32]


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


def corpus(songs: int, duration_s: int) -> tuple[dict[str, bytes], set[tuple[str, str]]]:
    """Fingerprints by name, one in a hundred a crop of another, and the pairs of names that are copies.

    Names are in no order, as content hashes are, so a copy may lie far from its original.
    """
    rng = np.random.default_rng(songs)
    numbers = rng.permutation(songs)
    fingerprints: dict[str, bytes] = {}
    pairs = set()
    for start in range(0, songs, _SONGS_PER_BLOCK):
        names = [f"{number:09d}" for number in numbers[start : start + _SONGS_PER_BLOCK]]
        copied = len(names) // _SONGS_PER_COPY
        originals = music(rng, len(names) - copied, _VALUES[duration_s])
        copies = crops(rng, originals[:copied])
        fingerprints.update(zip(names, (values.tobytes() for values in [*originals, *copies]), strict=True))
        pairs |= {(min(pair), max(pair)) for pair in zip(names, names[len(originals) :], strict=False)}
    return fingerprints, pairs


def measure(songs: int, duration_s: int) -> list[object]:
    """One row of the table. Memory is the peak of the process, without what it held before there was a song."""
    before_kb = _peak_kb()
    fingerprints, planted = corpus(songs, duration_s)
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.monotonic()
        copies = find_copies(fingerprints, folder, in_process())
        elapsed_s = time.monotonic() - started_s
    peak_kb = _peak_kb()
    found = {(copy.first, copy.second) for copy in copies}
    return [
        f"{songs:,}",
        duration_s,
        f"{elapsed_s:.1f}",
        f"{1000 * elapsed_s / songs:.2f}",
        f"{peak_kb / 1000:.0f}",
        f"{(peak_kb - before_kb) / songs:.1f}",
        f"{len(planted):,}",
        f"{len(planted & found) / max(len(planted), 1):.1%}",
        len(found - planted),
    ]


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
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as pool:
        print(table(_HEADER, list(pool.map(measure, options.songs, itertools.repeat(options.duration_s)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
