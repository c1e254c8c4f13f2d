"""Assembling shards: records' bytes are copied from where they lie, and each shard gets the name of its content."""

import errno
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import apache_beam as beam
import numpy as np
import pydantic
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection
from numpy.typing import NDArray

from pipelines.build.runs.progress import WRITE, Tally
from pipelines.build.runs.run import RECORDS, Run
from pipelines.build.steps.counted import SongsDoFn
from pipelines.build.steps.make_record import Recipe, RecordMaker
from pipelines.build.steps.plan import RecordToWrite, digest_of
from pipelines.common import checksum, parquet, storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.section import Section
from pipelines.corpus import root
from pipelines.corpus.forms import archives
from pipelines.corpus.names.spellings import unescaped
from pipelines.dataset import tfrecord
from pipelines.dataset.dataset import Shard
from pipelines.dataset.layout import SHARDS, STAGING
from pipelines.dataset.records import StoredRecord
from pipelines.dataset.sums import RunningSums, Sums
from pipelines.split.shards import SUFFIX

_ADDED_BYTES = 1 << 22  # of values, to the sums at once


class Assembled(Section):
    """A shard that was written.

    Attributes
    ----------
    planned : str
        What the plan called it.
    shard : Shard
    lengths : tuple of int
        The bytes of each record, its framing included, in their order.
    sums : dict of Sums
        Of each feature.
    """

    planned: str
    shard: Shard
    lengths: tuple[int, ...]
    sums: dict[str, Sums]


class AssembleShards(beam.PTransform[PCollection[str], PCollection[str]]):
    """Writes the shards that are new."""

    def expand(self, input_or_inputs: PCollection[str]) -> PCollection[str]:
        """The run's URL to what the plan called each shard."""
        written: PCollection[str] = (
            input_or_inputs
            | "List shards" >> beam.FlatMap(_shards)
            | "Spread shards" >> beam.Reshuffle()
            | "Write shards" >> beam.ParDo(AssembleShard())  # type: ignore[no-untyped-call]
        )
        return written


def _shards(url: str) -> Iterator[tuple[str, int]]:
    run = Run(url)
    if run.outcome() is None:
        for number in range(parquet.group_count(run.plan(RECORDS))):
            yield url, number


class AssembleShard(SongsDoFn):
    """Writes a shard, unless it is there; counts its records."""

    step = WRITE

    def setup(self) -> None:
        super().setup()
        self._open = ExitStack()
        self._maker = self._open.enter_context(RecordMaker())
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))

    def teardown(self) -> None:
        self._open.close()

    def process(self, element: tuple[str, int]) -> Iterator[str]:
        run, number = Run(element[0]), element[1]
        rows = parquet.read_group(run.plan(RECORDS), RecordToWrite, number)
        if not rows:
            return
        planned, tally = rows[0].shard, self.tally(run)
        with run.at_work():
            if found := _assembled_before(run, planned):
                tally.add(found.shard.songs)
            else:
                result = self._assemble(run, rows, tally)
                storage.write_bytes(result_url(run, planned), result.model_dump_json().encode())
        yield planned

    def _assemble(self, run: Run, rows: list[RecordToWrite], tally: Tally) -> Assembled:
        path, sums, lengths = self._folder / "shard", Totals(), []
        written = Metrics.counter("spectroshard", "written_songs")
        with storage.naming(str(path)), checksum.HashedFile(path) as sink:
            for row in rows:
                lengths.append(self._append(sink, row, run, sums))
                written.inc()
                tally.add(1)
        shard = _named(rows[0], len(rows), path.stat().st_size, sink.sha256, run)
        storage.put_new(path, storage.join(run.request.output, shard.name))
        return Assembled(planned=rows[0].shard, shard=shard, lengths=tuple(lengths), sums=sums.of_features())

    def _append(self, sink: IO[bytes], row: RecordToWrite, run: Run, sums: "Totals") -> int:
        """Writes one record, and gives how many bytes that took."""
        framed, record = self._record(row, run)
        sums.add(record)
        if record.genre == row.genre:
            return sink.write(framed)
        pieces = record.with_genre(row.content_hash, row.genre)
        return tfrecord.write_record(sink, sum(map(len, pieces)), pieces)

    def _record(self, row: RecordToWrite, run: Run) -> tuple[bytes, StoredRecord]:
        """A record, with its framing and without: copied; where it is no more, made again."""
        if row.url:
            try:
                return _checked(storage.read_bytes(row.url, row.offset, row.offset + row.length), row)
            except (FileNotFoundError, SpectroshardError):
                pass  # it was pruned, or what an earlier run left is damaged: the song itself is there
            except OSError as error:
                if error.errno != errno.EINVAL:  # it is shorter than it was
                    raise
        path, location = self._folder / "record", self._location(row.uri, run)
        path.unlink(missing_ok=True)
        made = self._maker.make(location, row.genre, Recipe.of(run.request.config), path)
        if made.reading.content_hash != row.content_hash or not made.length:
            found_now = made.reading.error or "it holds other audio"
            raise SpectroshardError(
                f"{location}: is not what it was when it was read ({found_now}); nothing is published,"
                " run the same command again"
            )
        return _checked(path.read_bytes(), row)

    def _location(self, uri: str, run: Run) -> str:
        """Where a song's file can be read: links of an archive are followed, a member of a tar archive is unpacked."""
        location, archive = root.absolute(uri, run.request.root), run.request.config.corpus.input
        if archives.is_archive(archive):
            location = archives.location_of(location, archive)
        if not archives.is_tar(archive):
            return unescaped(location)
        return archives.unpack(archive, {location}, str(self._folder)).get(location, location)


def _checked(framed: bytes, row: RecordToWrite) -> tuple[bytes, StoredRecord]:
    record = StoredRecord(tfrecord.content_of(framed))
    record.require_recording(row.content_hash)
    return framed, record


def _named(row: RecordToWrite, songs: int, size: int, sha256: str, run: Run) -> Shard:
    """A shard with the name of its content; one that is mended must have the name that it had."""
    name = f"{SHARDS}/{run.request.version:06d}/{row.fold}-{sha256[:16]}{SUFFIX}"
    if row.shard in run.request.broken:
        if row.shard.rpartition("/")[2] != name.rpartition("/")[2]:
            raise SpectroshardError(
                f"{row.shard}: is missing or damaged, and cannot be made again as it was ({name} came of it);"
                " restore it from a copy, or build the dataset anew with it as --previous"
            )
        name = row.shard
    return Shard(name=name, fold=row.fold, songs=songs, bytes=size, sha256=sha256)


class Totals:
    """Each feature's sums over the frames of some records, as a reader will see them.

    Short records are added some at a time, as workers that are threads wait for each other at every compiled loop.
    """

    def __init__(self) -> None:
        self._sums: dict[str, RunningSums] = {}
        self._pending: dict[str, list[NDArray[Any]]] = defaultdict(list)
        self._pending_bytes = 0

    def add(self, record: StoredRecord) -> None:
        """Adds a record's; a long one does not stay in memory."""
        is_over = False
        for name, chunks in record.chunks():
            for values in chunks:
                self._pending[name].append(values)
                self._pending_bytes += values.nbytes
                if self._pending_bytes > _ADDED_BYTES:
                    self._add_pending()
                    is_over = True
        if is_over:
            self._add_pending()

    def of_features(self) -> dict[str, Sums]:
        """All of each feature."""
        self._add_pending()
        return {name: running.total() for name, running in sorted(self._sums.items())}

    def _add_pending(self) -> None:
        for name, some in self._pending.items():
            values = np.concatenate(some)
            if name not in self._sums:
                self._sums[name] = RunningSums(values.shape[1])
            self._sums[name].add(values)
        self._pending.clear()
        self._pending_bytes = 0


def _assembled_before(run: Run, planned: str) -> Assembled | None:
    """What an earlier attempt, or a run that was stopped, has left of this shard, if its file is what it says."""
    url = result_url(run, planned)
    try:
        result = Assembled.model_validate_json(storage.read_bytes(url))
        found = checksum.sha256(storage.join(run.request.output, result.shard.name))
    except (FileNotFoundError, pydantic.ValidationError):
        return None
    return result if found == result.shard.sha256 else None


def result_url(run: Run, planned: str) -> str:
    """Where the result of a planned shard is."""
    name = planned.rpartition("/")[2]
    return storage.join(run.request.output, f"{STAGING}/shards/{digest_of(run)[:16]}/{name}.json")
