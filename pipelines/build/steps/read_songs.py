"""Reading songs: every file that is not known yet is decoded once, and its finished record is staged."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields
from typing import Any

import apache_beam as beam
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection

from pipelines.audio import decode
from pipelines.build.runs import staging
from pipelines.build.runs.progress import READ
from pipelines.build.runs.run import FileToRead, Run
from pipelines.build.steps.counted import SongsDoFn
from pipelines.build.steps.make_record import Made, Recipe, RecordMaker, file_hash, rejected_reading
from pipelines.common import parquet, storage
from pipelines.common.errors import FileError
from pipelines.corpus.forms import archives
from pipelines.corpus.names.spellings import unescaped
from pipelines.dataset.readings import Reading, StagedReading


class ReadSongs(beam.PTransform[PCollection[str], PCollection[int]]):
    """Reads the files that a run is to read, and stages their readings and records."""

    def expand(self, input_or_inputs: PCollection[str]) -> PCollection[int]:
        """The run's URL to how many files each part had."""
        read: PCollection[int] = (
            input_or_inputs
            | "List parts" >> beam.FlatMap(_parts)
            | "Spread parts" >> beam.Reshuffle()
            | "Read songs" >> beam.ParDo(ReadPart())  # type: ignore[no-untyped-call]
        )
        return read


def _parts(url: str) -> Iterator[tuple[str, int]]:
    for part in range(parquet.group_count(Run(url).reads)):
        yield url, part


class ReadPart(SongsDoFn):
    """Reads the files of a part that are not staged yet; counts songs, their seconds, and rejects by reason."""

    step = READ

    def setup(self) -> None:
        self._open = ExitStack()
        self._maker = self._open.enter_context(RecordMaker())
        super().setup()
        self._known: tuple[str, dict[str, Reading]] = "", {}

    def teardown(self) -> None:
        self._open.close()

    def process(self, element: tuple[str, int]) -> Iterator[int]:
        run, part = Run(element[0]), element[1]
        files = parquet.read_group(run.reads, FileToRead, part)
        folder = storage.join(run.staging, f"{run.name}/{part:06d}")
        done = set(_keys(staging.read(staging.tables(folder), ["uri", "version"])))
        recipe, tally = Recipe.of(run.request.config), self.tally(run)
        with run.at_work(), staging.Stage(folder) as stage:
            tally.add(sum((file.uri, file.version) in done for file in files))
            for file in files:
                if (file.uri, file.version) not in done:
                    made = self._read(file, recipe, run, stage)
                    _count(made.reading)
                    stage.add(_staged(file, made), made.length)
                    tally.add(1)
        yield len(files)

    def _read(self, file: FileToRead, recipe: Recipe, run: Run, stage: staging.Stage) -> Made:
        location = unescaped(file.location)
        try:
            with storage.naming(location), decode.local_copy(location) as path:
                known = self._known_readings(run).get(file_hash(path)) if file.may_be_known else None
                made = Made(known) if known else self._maker.make(str(path), file.genre, recipe, stage.pack)
            if not archives.is_tar(run.request.config.corpus.input):  # whose members are read from where they were put
                _refuse_changed(location, file.version)
            return made
        except FileError as error:
            return Made(rejected_reading(error))

    def _known_readings(self, run: Run) -> dict[str, Reading]:
        """The readings, by the hash of their files' bytes, that a file may turn out to have."""
        if self._known[0] != run.url:
            self._known = run.url, {each.bytes_hash: each for each in parquet.read(run.known, Reading)}
        return self._known[1]


def _refuse_changed(location: str, listed_version: str) -> None:
    """Refuses a local file that is not what was listed: what was read may be half of it, or of two of its states.

    Stores tell of that themselves. A file that is gone by now was read whole, or was not there to be read.
    """
    found = storage.version(location) if listed_version and storage.is_local(location) else ""
    if found and found != listed_version:
        sizes = [f"{int(version.split('-')[0]):,} bytes" for version in (listed_version, found)]
        told = f"from {sizes[0]} to {sizes[1]}" if sizes[0] != sizes[1] else "its bytes or its time"
        raise FileError(decode.UNREADABLE, f"it changed since it was listed ({told}); the next build reads it again")


def _staged(file: FileToRead, made: Made) -> StagedReading:
    told = {field.name: getattr(made.reading, field.name) for field in fields(Reading)}
    told |= {"uri": file.uri, "version": file.version}
    return StagedReading(**told, fingerprint=made.fingerprint, genre=file.genre)


def _keys(rows: Any) -> list[tuple[str, str]]:
    return list(zip(rows.column("uri").to_pylist(), rows.column("version").to_pylist(), strict=True))


def _count(reading: Reading) -> None:
    Metrics.counter("spectroshard", "songs").inc()
    Metrics.counter("spectroshard", "seconds").inc(round(reading.duration_s))
    if reading.is_rejected:
        Metrics.counter("spectroshard", f"rejected_{reading.reason}").inc()
