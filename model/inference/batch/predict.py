"""Batch prediction as one Beam graph: files to partitioned Parquet, of which only counts come back."""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.transforms.combiners import ToList

from model.inference import columns
from model.inference.batch.job import FAILURES, LEASE_NAME, SONGS, WORK_NAME, Job, Predictions, part_name, part_of
from model.inference.batch.part import PredictPart, files_staged
from model.inference.bundle import Bundle
from model.inference.prediction import REJECTED, Prediction
from model.inference.totals import Totals
from pipelines.common import lease, storage
from pipelines.common.beam import jobs
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SpectroshardError
from pipelines.common.output.progress import Progress


def predict_into(
    bundle: Bundle, urls: Sequence[str], output: str, new_pipeline: NewPipeline
) -> tuple[Predictions, bool]:
    """Predicts files into a folder, or brings the predictions in it up to date with the files.

    Parameters
    ----------
    bundle : Bundle
    urls : sequence of str
        Audio files, folders, globs, manifests.
    output : str
        The folder, on storage that all workers reach: new, of the same bundle's predictions, or left by a run that was
        stopped. Files that have a prediction, and are what they were, are not predicted again.
    new_pipeline : callable
        Returns an empty pipeline.

    Returns
    -------
    Predictions
        What is in the folder now.
    bool
        Whether there was anything to do.

    Raises
    ------
    UsageError
        The folder holds something else, or predictions of another bundle; or there is no audio.
    BusyError
        Another prediction is at work there.
    """
    job = Job(storage.absolute(output))
    bundle.check_files()  # so that a damaged bundle is reported here, and not by every worker
    job.refuse_others(bundle)
    with lease.held(storage.join(job.url, LEASE_NAME), "prediction"):
        is_new = job.begin(bundle, urls)
        if is_new:
            files = job.request().files
            progress = Progress("Predict", files, lambda: min(files_staged(job), files))
            with progress, jobs.running(new_pipeline(files), "predict") as pipeline:
                add_graph(pipeline, job)
    storage.remove(storage.join(job.url, WORK_NAME))
    return Predictions.load(job.url), is_new


def add_graph(pipeline: beam.Pipeline, job: Job) -> None:
    """Adds the graph of a job that has begun to a pipeline: it has one size, whatever the number of files."""
    begun = pipeline | "Begin" >> beam.Create([job.url], reshuffle=False)
    parts: Any = begun | "List parts" >> beam.FlatMap(_parts) | "Spread parts" >> beam.Reshuffle()
    done = parts | "Predict" >> beam.ParDo(PredictPart())
    _ = done | "All are predicted" >> ToList() | "Publish" >> beam.Map(publish, job.url)


def _parts(url: str) -> Iterator[tuple[str, int]]:
    for part in range(Job(url).request().parts):
        yield url, part


def publish(parts: Sequence[tuple[int, str]], url: str) -> None:
    """Adds up the parts' totals, and writes `predictions.json`."""
    job = Job(url)
    request = job.request()
    # One by one: a part tells of every year, and there may be thousands of parts.
    total = Totals.sum((Totals.model_validate_json(told) for _, told in sorted(parts)), request.genres)
    if (len(parts), total.songs + total.failures) != (request.parts, request.files):
        raise SpectroshardError(
            f"{url}: {total.songs + total.failures} files were told of, expected {request.files};"
            " run the same command again"
        )
    told = {name: getattr(request, name) for name in ("bundle", "genres", "parts", "listing")}
    Predictions(url=url, totals=total, **told).save()
    storage.remove(job.staged)


def first_predictions(predictions: Predictions, songs: int, timelines: int, failures: int) -> list[Prediction]:
    """The first predictions by path, for people to look at.

    Parameters
    ----------
    predictions : Predictions
    songs : int
        How many songs are given.
    timelines : int
        How many of them have their timelines.
    failures : int
        How many failures follow them.
    """
    plain = [name for name in columns.schema(predictions.genres).names if name != "timeline"]
    rows = _first_rows(predictions, SONGS, songs, plain)
    first = columns.predictions_of(rows, predictions.genres)
    drawn = {prediction.path: prediction for prediction in _with_timelines(predictions, first[:timelines])}
    rejected = _first_rows(predictions, FAILURES, failures, ["path", "reason", "error"]).to_pylist()
    return [drawn.get(each.path, each) for each in first] + [Prediction(status=REJECTED, **row) for row in rejected]


def _first_rows(predictions: Predictions, kind: str, count: int, names: Sequence[str]) -> pa.Table:
    first = []
    for part in range(predictions.parts):
        first.append(_read(predictions, kind, part, names).slice(0, count))
        if len(first) > 1 and sum(map(len, first)) > 2 * count:
            first = [pa.concat_tables(first).sort_by("path").slice(0, count)]
    return pa.concat_tables(first).sort_by("path").slice(0, count)


def _with_timelines(predictions: Predictions, chosen: Sequence[Prediction]) -> Iterator[Prediction]:
    paths = {each.path for each in chosen}
    for part in sorted({part_of(path, predictions.parts) for path in paths}):
        rows = _read(predictions, SONGS, part, columns.schema(predictions.genres).names)
        is_chosen = pa.array([path in paths for path in rows.column("path").to_pylist()], pa.bool_())
        yield from columns.predictions_of(rows.filter(is_chosen), predictions.genres)


def _read(predictions: Predictions, kind: str, part: int, names: Sequence[str]) -> pa.Table:
    with storage.opened(storage.join(predictions.url, f"{kind}/{part_name(part)}")) as stream:
        return pq.ParquetFile(stream).read(list(names), use_threads=False)
