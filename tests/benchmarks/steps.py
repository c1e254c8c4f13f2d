"""What each step of a build, and each command on its dataset, costs as a corpus grows: processor time and memory.

`python -m tests.benchmarks.steps 10000 1000000` makes up corpora whose songs have all been read, as a build leaves them
that was killed after that: empty files, their readings with fingerprints of 30 s, and records of three frames, of which
a shard holds as many as one of 128 MB does of true ones. All else is the program itself: it lists, finds copies,
plans, writes shards and publishes, is asked about the dataset, audits and verifies it, and adds a version with
a hundredth more songs. Each step runs in a process of its own. Memory is the peak of that process, or of the largest
that it started, with what the imports take.

`python -m tests.benchmarks.steps 100000 --leave DIR` makes up a corpus and leaves the rest to `spectroshard build
--config DIR/build.yaml --output DIR/dataset`, for example on a cluster.
"""

import argparse
import contextlib
import functools
import io
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import xxhash

from pipelines.build import begin
from pipelines.build.runs.run import Request, Run
from pipelines.build.steps.assemble import AssembleShards
from pipelines.build.steps.gather import gather
from pipelines.build.steps.plan import make_plan
from pipelines.build.steps.publish import end
from pipelines.common import parquet, storage
from pipelines.common.beam.runners import new_pipelines
from pipelines.config import BuildConfig
from pipelines.copies.search import FindCopies
from pipelines.dataset import records, tfrecord, versions
from pipelines.dataset.ledger import record_id
from pipelines.dataset.readings import StagedReading
from pipelines.dataset.records import Record
from spectroshard import cli
from tests.benchmarks.scaling import crops
from tests.benchmarks.tables import table

_VALUES = 220  # of a fingerprint of 30 s
_FRAMES, _HOP_LENGTH, _SHARD_MB = 3, 330_750, 0.2
_SONGS_AT_ONCE = 300  # what a worker reads before it stages
_GENRES, _SONGS_PER_ARTIST, _SHARE_WITH_ARTIST = 20, 12, 0.8
# Of a hundred songs one has the same samples as that before it, and one is a crop of that before it.
_ORIGINALS, _SAME = slice(0, None, 100), slice(1, None, 100)
_LONGER, _CROPS = slice(2, None, 100), slice(3, None, 100)
_MORE = 100  # one in so many songs comes with the second version
_HEADER = ["songs", "step", "CPU (s)", "us/song", "peak (MB)"]

Step = Callable[[], object]


def make_up(folder: str, numbers: range, artists: int) -> None:
    """Adds songs to the music of a folder, and their readings to what a build of its dataset has staged.

    Parameters
    ----------
    folder : str
        The music is in its folder `music`, the configuration in `build.yaml`; the build writes to `dataset`.
    numbers : range
        Those of the songs.
    artists : int
        How many the corpus has: some have many songs, and of a fifth of the songs nobody knows whose they are.
    """
    storage.write_bytes(
        storage.join(folder, "build.yaml"), _config(folder).model_dump_json(exclude_unset=True).encode()
    )
    for first in range(numbers.start, numbers.stop, _SONGS_AT_ONCE):
        _stage(Path(folder), range(first, min(first + _SONGS_AT_ONCE, numbers.stop)), artists)


def _stage(folder: Path, numbers: range, artists: int) -> None:
    rng, config = np.random.default_rng(numbers.start), _config(str(folder))
    by = (artists * rng.random(len(numbers)) ** 2).astype(int)
    is_known = rng.random(len(numbers)) < _SHARE_WITH_ARTIST
    durations_s = rng.normal(30, 3, len(numbers)).clip(10)
    mels = rng.standard_normal((len(numbers), _FRAMES, config.features.chosen["log_mel"].bins), np.float32)
    values = rng.integers(0, 1 << 32, (len(numbers), _VALUES), np.uint32)
    contents = np.array([xxhash.xxh3_128_hexdigest(str(number).encode()) for number in numbers])
    for told in (by, durations_s, mels, values, contents):
        told[_SAME] = told[_ORIGINALS][: len(told[_SAME])]
    by[_CROPS] = by[_LONGER][: len(by[_CROPS])]
    fingerprints = list(values)
    fingerprints[_CROPS] = crops(rng, values[_LONGER][: len(values[_CROPS])])
    pack, readings = io.BytesIO(), []
    url = storage.join(_staging(str(folder)), f"made-up/{numbers.start:07d}")
    original = folder / "originals" / str(numbers.start)
    original.parent.mkdir(exist_ok=True)
    original.touch()
    for index, number in enumerate(numbers):
        genre, artist, offset = f"genre {by[index] % _GENRES:02d}", f"Artist No. {by[index]}", pack.tell()
        uri, content = f"{genre}/{artist}/{number:07d} the title.mp3", str(contents[index])
        record = Record(record_id(content, genre), genre, {"log_mel": mels[index]})
        length = tfrecord.write_record(pack, *records.serialise(record, config.shards.dtype))
        readings.append(
            StagedReading(
                uri,
                _add_file(original, folder / "music" / uri),
                bytes_hash=content,
                duration_s=float(durations_s[index]),
                sample_rate_hz=44_100,
                channels=2,
                content_hash=content,
                artist=artist if is_known[index] else "",
                fingerprint=fingerprints[index].tobytes(),
                pack=f"{url}.records",
                offset=offset,
                length=length,
                genre=genre,
            )
        )
    storage.write_bytes(f"{url}.records", pack.getvalue())
    parquet.write(f"{url}-{pack.tell()}.parquet", StagedReading, readings)


def _add_file(original: Path, path: Path) -> str:
    """Makes a file and gives its version: a link, as a disk is slow to make many files, and without content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.hardlink_to(original)
    return storage.local_version(str(path))


def _config(folder: str) -> BuildConfig:
    return BuildConfig.model_validate(
        {
            "corpus": {"input": storage.join(folder, "music")},
            "features": {"log_mel": {"hop_length": _HOP_LENGTH}},
            "shards": {"size_mb": _SHARD_MB},
        }
    )


def _staging(folder: str) -> str:
    config = _config(folder)
    return Request(
        config=config,
        output=storage.join(folder, "dataset"),
        version=1,
        parent="",
        root=config.corpus.input,
        listing="",
        reading=begin.reading_digest(config),
        songs_to_read=0,
    ).staging


def steps(folder: str, songs: int) -> Iterator[tuple[str, Step]]:
    """The steps of a build of so many songs, and the commands on its dataset; each is to be run before the next."""
    artists = 1 + songs // _SONGS_PER_ARTIST
    dataset = storage.join(folder, "dataset")
    make_up(folder, range(songs), artists)
    yield "list", functools.partial(begin.begin, _config(folder), dataset, None, False)
    run = storage.join(dataset, f"runs/{storage.names(storage.join(dataset, 'runs'))[-1]}")
    yield "gather readings", functools.partial(gather, run)
    yield "find copies", functools.partial(_run, Run(run).search, FindCopies)
    yield "plan", functools.partial(make_plan, run)
    yield "assemble shards", functools.partial(_run, run, AssembleShards)
    yield "publish", functools.partial(end, run)
    yield "load the ledger", functools.partial(_load, dataset)
    build = ["build", "--config", storage.join(folder, "build.yaml"), "--output", dataset]
    for what, arguments in {
        "build, nothing new": build,
        "status": ["status", dataset],
        "versions": ["versions", dataset],
        "inspect": ["inspect", dataset],
        "verify": ["verify", dataset],
        "audit": ["audit", dataset, "--output", storage.join(folder, "audit")],
    }.items():
        yield what, functools.partial(_command, arguments)
    make_up(folder, range(songs, songs + songs // _MORE), artists)
    yield "build, 1 % more", functools.partial(_command, build)


def leave(folder: str, songs: int) -> None:
    """Makes up a corpus of so many songs, and what a build leaves that was killed when it had read them."""
    make_up(folder, range(songs), 1 + songs // _SONGS_PER_ARTIST)
    Path(Run.new(storage.join(folder, "dataset")).url).mkdir(parents=True)


def _run(value: str, step: Callable[[], beam.PTransform[Any, Any]]) -> None:
    with new_pipelines([], 1)(0) as pipeline:
        _ = pipeline | beam.Create([value], reshuffle=False) | step()


def _load(dataset: str) -> None:
    newest = versions.newest(dataset)
    assert newest is not None
    newest.ledger()


def _command(arguments: list[str]) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = cli.main(arguments)
    if code:
        raise RuntimeError(f"spectroshard {' '.join(arguments)}: exit code {code}, expected 0; {said.getvalue()}")


def measure(step: Step) -> tuple[float, float]:
    """Seconds of the processor, and the peak of memory in MB, of this process and those that it has started."""
    begin_s = time.process_time()
    step()
    used_s = time.process_time() - begin_s
    started = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak_kb = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, started.ru_maxrss)
    return used_s + started.ru_utime + started.ru_stime, peak_kb / 1_000


def _rows(songs: int) -> Iterator[list[str]]:
    fresh = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as pool,
    ):
        for what, step in steps(folder, songs):
            seconds, peak_mb = pool.submit(measure, step).result()
            row = [f"{songs:,}", what, f"{seconds:.1f}", f"{1e6 * seconds / songs:.0f}", f"{peak_mb:.0f}"]
            print(*row, sep="  ", file=sys.stderr, flush=True)
            yield row


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.steps", description=__doc__)
    parser.add_argument("songs", nargs="*", type=int, default=[10_000, 100_000, 1_000_000], help="sizes of the corpus")
    parser.add_argument("--leave", metavar="DIR", help="make up a corpus there, and measure nothing")
    options = parser.parse_args()
    if options.leave:
        (songs,) = options.songs
        leave(storage.absolute(options.leave), songs)
    else:
        print(table(_HEADER, [row for songs in options.songs for row in _rows(songs)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
