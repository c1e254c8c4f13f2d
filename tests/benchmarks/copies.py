"""How many planted near copies of real music are found, kind by kind, and what else is.

`python -m tests.benchmarks.copies MANIFEST` prints a table and ends with 1 where a listed kind is found too seldom, or
unrelated recordings are paired.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar
from unittest import mock

import numpy as np

from pipelines.audio.schema import AudioConfig
from pipelines.audit.read_files import read_file
from pipelines.common import storage
from pipelines.common.output.progress import Progress
from pipelines.copies.search import find_copies
from pipelines.corpus.forms import manifest
from pipelines.dataset.ledger import Copy
from pipelines.dataset.readings import Reading
from tests.benchmarks.changes import EXCERPTS, HARD, LISTED, SHARED_S, Change, convert
from tests.benchmarks.tables import table
from tests.pipelines.conftest import in_process

LEAST_RECALL = 0.99

_LEAST_S = 2 * SHARED_S
_SEED = 0

Songs = frozenset[str]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Clip:
    """A recording of the corpus: where it lies, what songs it is an excerpt of, how long it is, its fingerprint."""

    path: str
    songs: Songs
    duration_s: float
    fingerprint: bytes


@dataclass(frozen=True)
class Planted:
    """A near copy: second t of it is second `begin_s + tempo * t` of its original. Names are content hashes."""

    original: str
    copy: str
    begin_s: float
    tempo: float
    songs: Songs
    fingerprints: Mapping[str, bytes]


@dataclass(frozen=True)
class Row:
    """What became of the copies of one kind."""

    kind: str
    is_listed: bool
    planted: int
    found: int
    found_straight: int | None
    error_rates: Sequence[float]
    offset_errors_s: Sequence[float]
    false_pairs: Sequence[str]
    missed: Sequence[str]

    @property
    def recall(self) -> float:
        return self.found / max(self.planted, 1)

    @property
    def passes(self) -> bool:
        return not self.false_pairs and (self.recall >= LEAST_RECALL or not self.is_listed)

    def cells(self) -> list[object]:
        return [
            self.kind,
            self.planted,
            self.found,
            f"{self.recall:.1%}",
            "" if self.found_straight is None else f"{self.found_straight / max(self.planted, 1):.1%}",
            *(f"{figure(self.error_rates):.3f}" if self.found else "" for figure in (median, max)),
            f"{median(self.offset_errors_s):.2f}" if self.found else "",
            len(self.false_pairs),
        ]


_HEADER = [
    "kind",
    "planted",
    "found",
    "recall",
    "straight only",
    "error rate",
    "largest",
    "offset off by (s)",
    "false pairs",
]


class Benchmark:
    """Plants copies of clips of a corpus, and looks for them among all of its clips."""

    def __init__(self, corpus: Mapping[str, Clip], folder: str):
        self.corpus, self.folder = corpus, folder
        self.own_pairs = self._find({})
        same = [(clip.songs, clip.songs) for clip in corpus.values()]
        near = [(corpus[copy.first].songs, corpus[copy.second].songs) for copy in self.own_pairs]
        self.related = {frozenset((a, b)) for first, second in same + near for a in first for b in second}

    def run(self, change: Change, originals: Sequence[str], is_listed: bool) -> Row:
        """Plants one kind of copy of some clips, and finds them."""
        planted = [one for one in in_threads(lambda name: self._plant(change, name), originals) if one is not None]
        found = self._find({name: values for one in planted for name, values in one.fingerprints.items()})
        by_pair = {frozenset((copy.first, copy.second)): copy for copy in found}
        pairs = [by_pair.get(frozenset((one.original, one.copy))) for one in planted]
        hits = [(one, pair) for one, pair in zip(planted, pairs, strict=True) if pair is not None]
        return Row(
            change.name,
            is_listed,
            len(planted),
            len(hits),
            None if is_listed else self._found_straight(planted),
            [pair.error_rate for _, pair in hits],
            [_offset_error_s(one, pair) for one, pair in hits],
            self._unrelated(found, planted),
            [" + ".join(sorted(one.songs)) for one, pair in zip(planted, pairs, strict=True) if pair is None],
        )

    def own_rows(self) -> list[list[object]]:
        """The pairs of different songs that share a recording in the corpus itself, each by its best pair of clips."""
        rows = {}
        for copy in sorted(self.own_pairs, key=lambda copy: copy.error_rate, reverse=True):
            songs = sorted(" = ".join(sorted(self.corpus[name].songs)) for name in (copy.first, copy.second))
            if not self.corpus[copy.first].songs & self.corpus[copy.second].songs:
                rows[tuple(songs)] = [*songs, f"{copy.duration_s:.1f}", copy.tempo, f"{copy.error_rate:.3f}"]
        return [row for _, row in sorted(rows.items())]

    def _find(self, planted: Mapping[str, bytes]) -> list[Copy]:
        corpus = {name: clip.fingerprint for name, clip in self.corpus.items()}
        return find_copies({**corpus, **planted}, str(Path(self.folder, "work")), in_process())

    def _found_straight(self, planted: Sequence[Planted]) -> int:
        """How many are found where no other tempo is tried, as plain Chromaprint would."""
        straight = (1.0,)
        with (
            mock.patch("pipelines.copies.alignment.TEMPOS", straight),
            mock.patch("pipelines.copies.matching.TEMPOS", straight),
        ):
            found = self._find({name: values for one in planted for name, values in one.fingerprints.items()})
        pairs = {frozenset((copy.first, copy.second)) for copy in found}
        return sum(frozenset((one.original, one.copy)) in pairs for one in planted)

    def _plant(self, change: Change, name: str) -> Planted | None:
        """A copy of a clip, as a build reads it; None where a build rejects it."""
        clip = self.corpus[name]
        rng = np.random.default_rng([_SEED, zlib.crc32(f"{change.name} {name}".encode())])
        with storage.local_copy(clip.path) as source, tempfile.TemporaryDirectory(dir=self.folder) as folder:
            target = Path(folder, f"copy.{change.suffix}")
            if change.name == EXCERPTS:
                spare_s = clip.duration_s - SHARED_S
                begin_s = float(rng.uniform(spare_s / 4, 3 * spare_s / 4))
                beginning = dataclasses.replace(change, crop_s=begin_s + SHARED_S)
                original = _read(convert(source, Path(folder, "first.wav"), beginning))
            else:
                begin_s = float(rng.uniform(0, clip.duration_s - change.crop_s)) if change.crop_s else 0.0
                original = Reading(content_hash=name), b""
            copy = _read(convert(source, target, change, begin_s))
        if any(reading.is_rejected for reading, _ in (original, copy)):
            return None
        return Planted(
            original[0].content_hash,
            copy[0].content_hash,
            begin_s - change.tempo * change.silence_s,
            change.tempo,
            clip.songs,
            {reading.content_hash: values for reading, values in (original, copy) if values},
        )

    def _unrelated(self, found: Iterable[Copy], planted: Sequence[Planted]) -> list[str]:
        songs = {name: clip.songs for name, clip in self.corpus.items()}
        songs |= {name: one.songs for one in planted for name in one.fingerprints}
        lines = []
        for copy in found:
            first, second = songs[copy.first], songs[copy.second]
            if not any(frozenset((a, b)) in self.related for a in first for b in second):
                lines.append(f"{' + '.join(sorted(first))} and {' + '.join(sorted(second))}: {copy}")
        return lines


def in_threads(do: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(do, items))


def read_corpus(url: str) -> dict[str, Clip]:
    """The clips of a manifest by content hash, as a build reads them; those with the same samples are one."""
    entries = [entry for entry in manifest.entries(url, "") if not entry.file.reason]
    readings = in_threads(lambda entry: _read(entry.location), entries)
    songs: dict[str, set[str]] = {}
    for entry, (reading, _) in zip(entries, readings, strict=True):
        songs.setdefault(reading.content_hash, set()).add(entry.file.song_or_path)
    return {
        reading.content_hash: Clip(
            entry.location,
            frozenset(songs[reading.content_hash]),
            reading.duration_s,
            values,
        )
        for entry, (reading, values) in zip(entries, readings, strict=True)
        if not reading.is_rejected
    }


def draw(corpus: Mapping[str, Clip], count: int) -> list[str]:
    """Names of clips that are long enough, at random, no two of one song."""
    names = sorted(name for name, clip in corpus.items() if clip.duration_s >= _LEAST_S)
    drawn: list[str] = []
    seen: set[str] = set()
    for index in np.random.default_rng(_SEED).permutation(len(names)):
        if not corpus[names[index]].songs & seen:
            drawn.append(names[index])
            seen |= corpus[names[index]].songs
    return drawn[:count]


def _read(location: str | Path) -> tuple[Reading, bytes]:
    return read_file(str(location), AudioConfig())


def _offset_error_s(planted: Planted, pair: Copy) -> float:
    """How far from where the found stretch begins in the original it really does."""
    is_first = pair.first == planted.original
    original_s, copy_s = (pair.first_s, pair.second_s) if is_first else (pair.second_s, pair.first_s)
    return abs(planted.begin_s + planted.tempo * copy_s - original_s)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.copies", description=__doc__)
    parser.add_argument("manifest", help="path, genre, song of a corpus, as a build takes it")
    parser.add_argument("--songs", type=int, default=100, help="how many are copied (default: 100)")
    parser.add_argument("--output", type=Path, help="a JSON file of the same figures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        benchmark = Benchmark(read_corpus(options.manifest), folder)
        originals = draw(benchmark.corpus, options.songs)
        rows: list[Row] = []
        with Progress("Plant copies", len(LISTED + HARD), lambda: len(rows)):
            for change in LISTED + HARD:
                rows.append(benchmark.run(change, originals, change in LISTED))
    own = table(["the corpus itself: one song", "another", "shared (s)", "tempo", "error rate"], benchmark.own_rows())
    print(table(_HEADER, [row.cells() for row in rows]), own, sep="\n\n")
    for row in rows:
        for pair in row.false_pairs:
            print(f"{row.kind}: unrelated: {pair}")
        for song in row.missed if row.is_listed else ():
            print(f"{row.kind}: missed: {song}")
    if options.output:
        options.output.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    return int(not all(row.passes for row in rows))


if __name__ == "__main__":
    sys.exit(main())
