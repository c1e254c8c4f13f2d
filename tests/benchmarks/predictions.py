"""Batch prediction: the sink's memory and time with made-up rows, and two ways in which workers can share a network.

`python -m tests.benchmarks.predictions sink 1000000` writes so many made-up predictions through the whole graph, in one
process. `python -m tests.benchmarks.predictions sharing BUNDLE` classifies made-up windows with two threads, by a
network that `Shared` holds as the program does, by one a thread, and by Beam's `RunInference`.
"""

import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from pipelines.common.output.text_table import table
from pipelines.features.schema import Features

GENRES = tuple(f"genre{number}" for number in range(10))
_WINDOWS, _SONGS, _WINDOWS_OF_SONG = 10, 300, 20


def sink(rows: int, folder: str) -> tuple[Predictions, float, float]:
    """Writes made-up predictions, ten windows each; gives what came of it, the seconds and the peak MB."""
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
    started_s = time.monotonic()
    try:
        predictions, _ = predict_into(bundle, [], f"{folder}/predictions", _threads(1))
    finally:
        jobs.list_files, PredictPart._predict, Bundle.check_files = before  # type: ignore[method-assign]
    return predictions, time.monotonic() - started_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


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
        _count_load()
        self.network = shared_network.acquire(self._shared, self.bundle) if self.is_shared else self.bundle.network()

    def process(self, element: Sequence[int]) -> Iterator[int]:
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
            yield PredictionResult(None, len(rows) + 0 * len(windows))


def _windows(bundle: Bundle, number: int) -> Mapping[str, NDArray[np.float32]]:
    shapes = bundle.input_windows().shapes
    rng = np.random.default_rng(number)
    return {name: rng.standard_normal((_WINDOWS_OF_SONG, *shape)).astype(np.float32) for name, shape in shapes.items()}


_loads = threading.Lock(), [0]


def _count_load() -> None:
    with _loads[0]:
        _loads[1][0] += 1


def sharing(url: str, how: str) -> list[str]:
    """Classifies made-up songs in one of three ways; gives the seconds a song, and the peak memory in MB."""
    bundle = Bundle.load(url)
    started_s = time.monotonic()
    with _threads(2)(0) as pipeline:
        if how == "RunInference":
            songs = pipeline | beam.Create(range(_SONGS)) | beam.Reshuffle() | beam.Map(lambda n: _windows(bundle, n))
            _ = songs | RunInference(_Handler(bundle))
        else:
            parts = [range(start, start + 15) for start in range(0, _SONGS, 15)]
            spread = pipeline | beam.Create(parts) | beam.Reshuffle()
            _ = spread | beam.ParDo(_OfThread(bundle, how == "Shared"))
    elapsed_s = time.monotonic() - started_s
    return [how, f"{1000 * elapsed_s / _SONGS:.1f}", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000:.0f}"]


def main() -> None:
    """Prints a row."""
    what, value, *rest = sys.argv[1:]
    if what == "sink":
        with tempfile.TemporaryDirectory() as folder:
            predictions, elapsed_s, peak_mb = sink(int(value), folder)
        cells = [[f"{predictions.totals.songs:,}", f"{predictions.parts}", f"{elapsed_s:.0f}", f"{peak_mb:.0f}"]]
        print(table(["rows", "parts", "seconds", "peak MB"], cells))
    else:
        print(table(["network", "ms a song", "peak MB"], [sharing(value, *rest)]))


if __name__ == "__main__":
    main()
