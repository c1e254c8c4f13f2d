"""A part of a batch prediction: predicted file by file, staged as it goes, and published as one table."""

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
from apache_beam.metrics.metric import Metrics
from apache_beam.utils.shared import Shared

from model.inference import columns, shared_network
from model.inference.batch.job import FAILURES, SONGS, Failure, Job, Listed, Request
from model.inference.bundle import Bundle
from model.inference.prediction import REJECTED, Prediction
from model.inference.totals import Totals
from pipelines.common import parquet, storage
from pipelines.common.beam.workers import WorkerDoFn
from pipelines.common.errors import SpectroshardError
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT
from pipelines.corpus.names.spellings import escape_undecodable, unescaped

if TYPE_CHECKING:
    from model.inference.predictor import Predictor

_MOST_ROWS, _MOST_S = 256, 20.0
_VERSION = "version"


class PredictPart(WorkerDoFn):
    """Predicts the files of a part that are not predicted yet, and publishes the part's tables."""

    def __init__(self) -> None:
        self._shared = Shared()
        self._predictor: Predictor | None = None

    def process(self, element: tuple[str, int]) -> Iterator[tuple[int, str]]:
        job, part = Job(element[0]), element[1]
        request = job.request()
        listed = {file.path: file for file in parquet.read_group(job.listing, Listed, part)}
        published = _published(job, part, request)
        known = _wanted([published, *_staged(job, part, request)], listed)
        done = set(known.column("path").to_pylist())
        missing = [file for path, file in listed.items() if path not in done]
        failures: list[Failure] = []
        if missing:
            stage = Stage(job, part, request)
            for prediction in self._predict(missing, request):
                Metrics.counter("spectroshard", "songs").inc()
                if prediction.status == REJECTED:
                    Metrics.counter("spectroshard", f"rejected_{prediction.reason}").inc()
                    failures.append(Failure(prediction.path, prediction.reason, prediction.error))
                stage.add(prediction, listed[prediction.path].version)
            stage.flush()
            known = _wanted([published, *_staged(job, part, request)], listed)
        failures.sort(key=lambda failure: failure.path)
        if failures != _published_failures(job, part) or not known.equals(published):
            publish_part(job, part, known, failures)
        yield part, _totals(known, failures, request).model_dump_json()

    def _predict(self, files: Sequence[Listed], request: Request) -> Iterator[Prediction]:
        readable = {unescaped(file.path): file for file in files if not file.fault}
        for file in files:
            if file.fault:
                yield Prediction(path=file.path, status=REJECTED, reason=OUTSIDE_ROOT.name, error=file.fault)
        for prediction in self._predictor_of(request).stream(readable):
            file = readable[prediction.path]
            told = {"path": file.path, "year": file.year or prediction.year}
            yield prediction.model_copy(update=told | {"error": escape_undecodable(prediction.error)})

    def _predictor_of(self, request: Request) -> "Predictor":
        from model.inference.predictor import Predictor

        if self._predictor is None or self._predictor.bundle.digest != request.bundle:
            bundle = Bundle.load(request.bundle_url)
            if bundle.digest != request.bundle:
                raise SpectroshardError(f"{bundle.url}: is another bundle than the one that the prediction began with")
            self._predictor = Predictor(bundle, lambda: shared_network.acquire(self._shared, bundle))
        return self._predictor


class Stage:
    """Where a worker stages what it has predicted of a part.

    Parameters
    ----------
    job : Job
    part : int
    request : Request
    """

    def __init__(self, job: Job, part: int, request: Request):
        self._folder, self._genres = _folder(job, part), request.genres
        self._begin()

    def _begin(self) -> None:
        self._rows: list[tuple[Prediction, str]] = []
        self._files = 0
        self._since_s = time.monotonic()

    def add(self, prediction: Prediction, version: str) -> None:
        """Adds what was told of a file; what is in hand is flushed when it is due. Failures are counted alone."""
        self._files += 1
        if prediction.status != REJECTED:
            self._rows.append((prediction, version))
        if self._files >= _MOST_ROWS or time.monotonic() - self._since_s > _MOST_S:
            self.flush()

    def flush(self) -> None:
        """Stages what was added since the last time, in a table whose name says of how many files it tells."""
        if self._files:
            rows = columns.table([prediction for prediction, _ in self._rows], self._genres)
            versions = pa.array([version for _, version in self._rows], pa.string())
            content = columns.encoded(rows.append_column(_VERSION, versions))
            storage.write_bytes(storage.join(self._folder, f"{uuid.uuid4().hex}-{self._files}.parquet"), content)
        self._begin()


def files_staged(job: Job) -> int:
    """How many files have been worked on since the job began."""
    names = (path.rpartition("/")[2] for path in storage.sizes(job.staged))
    return sum(int(name.removesuffix(".parquet").partition("-")[2]) for name in names if name.endswith(".parquet"))


def publish_part(job: Job, part: int, songs: pa.Table, failures: Sequence[Failure]) -> None:
    """Writes the tables of a part, each in one step."""
    storage.write_bytes(job.part(SONGS, part), columns.encoded(songs))
    parquet.write(job.part(FAILURES, part), Failure, failures)


def _totals(songs: pa.Table, failures: Sequence[Failure], request: Request) -> Totals:
    rejected = Counter(failure.reason for failure in failures)
    return Totals.of(songs, request.genres).model_copy(update={"rejected": dict(sorted(rejected.items()))})


def _wanted(tables: Sequence[pa.Table], listed: dict[str, Listed]) -> pa.Table:
    """The rows of files that are listed, and are what they were, by path; of several of one file, the first."""
    rows = pa.concat_tables(tables)
    places: dict[str, int] = {}
    for place, (path, version) in enumerate(
        zip(rows.column("path").to_pylist(), rows.column(_VERSION).to_pylist(), strict=True)
    ):
        if path in listed and listed[path].version == version:
            places.setdefault(path, place)
    return rows.take(pa.array([places[path] for path in sorted(places)], pa.int64())).combine_chunks()


def _published(job: Job, part: int, request: Request) -> pa.Table:
    """The part's songs as they were published; none where it was not."""
    try:
        return _intact(storage.read_bytes(job.part(SONGS, part)), request)
    except FileNotFoundError:
        return _schema(request).empty_table()


def _published_failures(job: Job, part: int) -> list[Failure] | None:
    """The part's failures as they were published; None where there are none that can be read."""
    try:
        return parquet.read(job.part(FAILURES, part), Failure)
    except SpectroshardError:
        return None


def _staged(job: Job, part: int, request: Request) -> list[pa.Table]:
    folder = _folder(job, part)
    names = [name for name in storage.names(folder) if name.endswith(".parquet")]
    return [_intact(storage.read_bytes(storage.join(folder, name)), request) for name in names]


def _intact(content: bytes, request: Request) -> pa.Table:
    """A table of predictions. A damaged one counts as none: what it told is predicted again."""
    schema = _schema(request)
    try:
        rows = parquet.table(content)
    except pa.ArrowException:
        return schema.empty_table()
    return rows if rows.schema.equals(schema) else schema.empty_table()


def _schema(request: Request) -> pa.Schema:
    return columns.schema(request.genres).append(pa.field(_VERSION, pa.string()))


def _folder(job: Job, part: int) -> str:
    return storage.join(job.staged, f"{part:05d}")
