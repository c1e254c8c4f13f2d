"""Batch prediction: the sink's memory and time with made-up rows, and two ways in which workers can share a network.

`python -m tests.benchmarks.predictions sink 1000000` writes so many made-up predictions through the whole graph, in one
process. `python -m tests.benchmarks.predictions sharing BUNDLE` classifies made-up windows with two threads, by a
network that `Shared` holds as the program does, by one a thread, and by Beam's `RunInference`: the last argument is
`Shared`, `each` or `RunInference`.
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import ModelHandler, PredictionResult, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.shared import Shared
from numpy.typing import NDArray

from model.config import Training
from model.inference import shared_network
from model.inference.batch import job as jobs
from model.inference.batch.job import Listed, Predictions, Request
from model.inference.batch.part import PredictPart
from model.inference.batch.predict import predict_into
from model.inference.bundle import Bundle
from model.inference.classify import WindowArrays, classify
from model.inference.prediction import Prediction, TimelinePoint
from pipelines.audio.schema import AudioConfig
from pipelines.common.beam.workers import call_glibc
from pipelines.common.output.text_table import table
from pipelines.features.schema import Features

GENRES = tuple(f"genre{number}" for number in range(10))
_WINDOWS, _SONGS, _WINDOWS_OF_SONG = 10, 300, 20


@dataclass(frozen=True)
class Sunk:
    """What came of made-up predictions.

    Attributes
    ----------
    predictions : Predictions
        What was published.
    elapsed_s : float
    listing_mb, graph_mb : float
        The peak memory of the process while it listed the files, and from then on.
    """

    predictions: Predictions
    elapsed_s: float
    listing_mb: float
    graph_mb: float


def sink(rows: int, folder: str) -> Sunk:
    """Writes made-up predictions, of ten windows each."""
    bundle = Bundle(
        url=folder,
        training=Training(),
        audio=AudioConfig(),
        features=Features.model_validate({"log_mel": {}}),
        genres=GENRES,
        windows={},
        splits={},
        dataset="",
        trained=(),
        validation={},
    )
    before = jobs.list_files, PredictPart._predict, Bundle.check_files
    jobs.list_files = lambda urls: [Listed(f"/music/{number:09d}.mp3", "1-1") for number in range(rows)]
    PredictPart._predict = _made_up  # type: ignore[method-assign]
    Bundle.check_files = lambda self: None  # type: ignore[method-assign]
    started_s, listing_mb = time.monotonic(), 0.0

    def pipeline(files: int) -> beam.Pipeline:
        nonlocal listing_mb
        listing_mb = _peak_mb()
        call_glibc("malloc_trim", 0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        return _threads(1)(files)

    try:
        predictions, _ = predict_into(bundle, [], f"{folder}/predictions", pipeline)
    finally:
        jobs.list_files, PredictPart._predict, Bundle.check_files = before  # type: ignore[method-assign]
    return Sunk(predictions, time.monotonic() - started_s, listing_mb, _peak_mb())


def _peak_mb() -> float:
    """The peak memory of this process, or since it was told to begin anew."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1000


def _made_up(self: PredictPart, files: Sequence[Listed], request: Request) -> Iterator[Prediction]:
    shares = {genre: round((number + 1) / 55, 6) for number, genre in enumerate(GENRES)}
    for number, file in enumerate(files):
        yield Prediction.model_construct(
            path=file.path,
            genre=GENRES[-1],
            probability=shares[GENRES[-1]],
            is_confident=number % 2 == 0,
            duration_s=30.0,
            year=1970 + number % 50,
            probabilities=shares,
            timeline=tuple(
                TimelinePoint.model_construct(start_s=3.0 * n, probabilities=shares) for n in range(_WINDOWS)
            ),
        )


def _threads(count: int) -> Callable[[int], beam.Pipeline]:
    flags = ["--runner=FnApiRunner", "--direct_running_mode=multi_threading", f"--direct_num_workers={count}"]
    return lambda files: beam.Pipeline(options=PipelineOptions(flags))


class _OfThread(beam.DoFn):
    """Classifies parts of songs with a network of its own thread's, or with the process's."""

    def __init__(self, bundle: Bundle, is_shared: bool):
        self.bundle, self.is_shared, self._shared = bundle, is_shared, Shared()

    def setup(self) -> None:
        self.network = shared_network.acquire(self._shared, self.bundle) if self.is_shared else self.bundle.network()

    def process(self, element: list[int]) -> Iterator[int]:
        songs = ((number, _windows(self.bundle, number)) for number in element)
        yield sum(len(rows) for _, rows in classify(self.network, songs))


class _Handler(ModelHandler[WindowArrays, PredictionResult, Any]):
    """The same network for `RunInference`, an element a song."""

    def __init__(self, bundle: Bundle):
        super().__init__(max_batch_size=4)
        self.bundle = bundle

    def load_model(self) -> Any:
        return self.bundle.network()

    def run_inference(
        self, batch: Sequence[WindowArrays], model: Any, inference_args: dict[str, Any] | None = None
    ) -> Iterator[PredictionResult]:
        for (_, rows), windows in zip(classify(model, enumerate(batch)), batch, strict=True):
            yield PredictionResult(windows, rows)


def _windows(bundle: Bundle, number: int) -> Mapping[str, NDArray[np.float32]]:
    shapes = bundle.input_windows().shapes
    rng = np.random.default_rng(number)
    return {name: rng.standard_normal((_WINDOWS_OF_SONG, *shape)).astype(np.float32) for name, shape in shapes.items()}


def sharing(url: str, how: str) -> list[str]:
    """Classifies made-up songs in one of three ways; gives what that took a song, and the peak memory."""
    bundle = Bundle.load(url)
    started_s, used_s = time.monotonic(), time.process_time()
    with _threads(2)(0) as pipeline:
        if how == "RunInference":
            songs = pipeline | beam.Create(range(_SONGS)) | beam.Reshuffle() | beam.Map(lambda n: _windows(bundle, n))
            _ = songs | RunInference(_Handler(bundle))
        else:
            parts = [list(range(start, start + 15)) for start in range(0, _SONGS, 15)]
            spread = pipeline | beam.Create(parts) | beam.Reshuffle()
            _ = spread | beam.ParDo(_OfThread(bundle, how == "Shared"))
    elapsed_s, cpu_s = time.monotonic() - started_s, time.process_time() - used_s
    each = [f"{1000 * seconds / _SONGS:.1f}" for seconds in (elapsed_s, cpu_s)]
    return [how, *each, f"{_peak_mb():.0f}"]


def main() -> None:
    """Prints a row."""
    what, value, *rest = sys.argv[1:]
    if what == "sink":
        with tempfile.TemporaryDirectory() as folder:
            sunk = sink(int(value), folder)
        totals, parts = sunk.predictions.totals, sunk.predictions.parts
        figures = (totals.songs, parts, sunk.elapsed_s, sunk.listing_mb, sunk.graph_mb)
        cells = [f"{figure:,.0f}" for figure in figures]
        print(table(["rows", "parts", "seconds", "peak MB, listing", "peak MB, predicting"], [cells]))
    else:
        print(table(["network", "ms a song", "CPU ms a song", "peak MB"], [sharing(value, *rest)]))


if __name__ == "__main__":
    main()
