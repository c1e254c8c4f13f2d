"""What finding near copies costs as a corpus grows: time and memory a song, with synthetic fingerprints.

`python -m tests.benchmarks.scaling 1000 10000 100000` measures each size in a process of its own and prints a table.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from numpy.typing import NDArray

from pipelines.copies import find_copies
from tests.benchmarks.tables import table
from tests.pipelines.conftest import in_process

_VALUES = 220  # of 30 s
_SHARED_VALUES = 62  # of 10 s
_SONGS_PER_COPY = 100
_BIT_ERROR_RATE = 0.02
_SONGS_PER_BLOCK = 1_000
_HEADER = ["songs", "wall (s)", "ms/song", "peak (MB)", "KB/song", "planted", "recall", "false pairs"]

Fingerprints = NDArray[np.uint32]


def music(rng: np.random.Generator, songs: int) -> Fingerprints:
    """Fingerprints of unrelated songs, shape (songs, values): each bit changes in five values of sixteen."""
    changes = _bits(rng, (songs, _VALUES), "0101")
    changes[:, 0] = _bits(rng, (songs,), "1")
    return np.bitwise_xor.accumulate(changes, axis=1)


def near_copies(rng: np.random.Generator, originals: Fingerprints) -> list[Fingerprints]:
    """Of each song a copy with bit errors, of 10 s or more of it, from anywhere."""
    damaged = originals ^ _bits(rng, originals.shape, "00000101")
    lengths = rng.integers(_SHARED_VALUES, _VALUES, len(damaged), endpoint=True)
    starts = rng.integers(0, _VALUES - lengths, endpoint=True)
    return [values[start : start + length] for values, start, length in zip(damaged, starts, lengths, strict=True)]


def corpus(songs: int) -> tuple[dict[str, bytes], set[tuple[str, str]]]:
    """Fingerprints by name, one in a hundred a copy of another, and the pairs of names that are copies.

    Names are in no order, as content hashes are, so a copy may lie far from its original.
    """
    rng = np.random.default_rng(songs)
    numbers = rng.permutation(songs)
    fingerprints: dict[str, bytes] = {}
    pairs = set()
    for start in range(0, songs, _SONGS_PER_BLOCK):
        names = [f"{number:09d}" for number in numbers[start : start + _SONGS_PER_BLOCK]]
        copied = len(names) // _SONGS_PER_COPY
        originals = music(rng, len(names) - copied)
        copies = near_copies(rng, originals[:copied])
        fingerprints.update(zip(names, (values.tobytes() for values in [*originals, *copies]), strict=True))
        pairs |= {(min(pair), max(pair)) for pair in zip(names, names[len(originals) :], strict=False)}
    return fingerprints, pairs


def measure(songs: int) -> list[object]:
    """One row of the table. Memory is the peak of the process, without what it held before there was a song."""
    before_kb = _peak_kb()
    fingerprints, planted = corpus(songs)
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.monotonic()
        copies = find_copies(fingerprints, folder, in_process())
        elapsed_s = time.monotonic() - started_s
    peak_kb = _peak_kb()
    found = {(copy.first, copy.second) for copy in copies}
    return [
        f"{songs:,}",
        f"{elapsed_s:.1f}",
        f"{1000 * elapsed_s / songs:.2f}",
        f"{peak_kb / 1000:.0f}",
        f"{(peak_kb - before_kb) / songs:.1f}",
        f"{len(planted):,}",
        f"{len(planted & found) / max(len(planted), 1):.1%}",
        len(found - planted),
    ]


def _bits(rng: np.random.Generator, shape: Sequence[int], share: str) -> Fingerprints:
    """Words whose bits are one with a probability given as a binary fraction."""
    words = np.zeros(shape, np.uint32)
    for digit in reversed(share):
        fair = rng.integers(0, 1 << 32, shape, np.uint32)
        words = fair | words if digit == "1" else fair & words
    return words


def _peak_kb() -> int:
    """The largest resident memory of this process and its children so far."""
    return sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scaling", description=__doc__)
    parser.add_argument("songs", nargs="*", type=int, default=[1_000, 10_000, 100_000], help="sizes of the corpus")
    sizes = parser.parse_args().songs
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as pool:
        print(table(_HEADER, list(pool.map(measure, sizes))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
