"""What stands around the networks: the stream against what they consume, a streamed step, prediction of files."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import librosa
import numpy as np
import tensorflow as tf

from model.config import Config, Training
from model.data import batches as stream
from model.inference.bundle import MODEL_NAME, Bundle
from model.inference.predict import predict
from model.inference.prediction import Prediction
from model.networks import registry
from model.training.run import Run
from model.training.train import compiled, train
from pipelines.audio.schema import AudioConfig
from pipelines.build.build import build
from pipelines.common.beam.runners import new_pipelines
from pipelines.config import FoldsConfig
from tests.benchmarks.clips import Clips
from tests.benchmarks.contests import Difference, Row, faster, in_turn, longer, timed
from tests.benchmarks.features import naive_log_mel
from tests.benchmarks.program import config

_SONGS = 60
_PREDICTED, _PREDICTED_ONE_BY_ONE = 200, 15
_STREAMED_BATCHES = 20
_WARM_UP_STEPS = 2
_EPOCHS = 10_000  # the stream is not to end


def seed_network(clips: Clips) -> list[Row]:
    """The seed network, and nine channels streamed to it."""
    with tempfile.TemporaryDirectory() as folder:
        run = _run(clips, "seed_cnn", folder)
        seconds = _step_seconds(run, steps=3, and_stream=True)
    size = run.training.batch_size
    rate, consumed = size / seconds["stream"], size / seconds["reference"]
    measured = f"`tf.data`, nine channels, windows of {run.training.window_s:g} s"
    consumer = "what the seed network consumes, training"
    return [
        Row(measured, consumer, rate, consumed, "windows/s", rate / consumed, at_least=15),
        _step_row(run, seconds, 1.05),
    ]


def default_network(clips: Clips) -> list[Row]:
    """The default network."""
    with tempfile.TemporaryDirectory() as folder:
        run = _run(clips, Training().network, folder)
        return [_step_row(run, _step_seconds(run, steps=30), 1.15)]


def _step_row(run: Run, seconds: dict[str, float], at_most: float) -> Row:
    measured = f"training step of `{run.training.network}`, batch {run.training.batch_size}, streamed"
    return longer(measured, "a constant batch", seconds, at_most=at_most)


def _run(clips: Clips, network: str, folder: str) -> Run:
    """The training of a network, on a dataset of some clips that is built for it."""
    build_config = config(clips.many(_SONGS), registry.NETWORKS[network].features)
    dataset = build(build_config, folder, new_pipelines([], 1)).dataset
    return Run(Training(network=network, epochs=_EPOCHS), dataset, dataset.splits())


def _step_seconds(run: Run, steps: int, and_stream: bool = False) -> dict[str, float]:
    """Of a training step on the stream, of one on a constant batch, and, if wanted, of a batch of the stream alone."""
    model = compiled(run)
    model.make_train_function()

    def batches() -> Any:
        return stream.training_batches(run.dataset, run.splits["train"], run.windows, run.training)

    constant = tf.data.Dataset.from_tensors(next(iter(batches()))).repeat()

    def train_on(batch: Iterator[Any]) -> None:
        float(model.train_function(batch)["loss"])  # the step is over when its loss is known

    sides = {
        "ours": partial(_repeated, lambda: iter(batches()), train_on, steps),
        "reference": partial(_repeated, lambda: iter(constant), train_on, steps),
    }
    if and_stream:
        sides["stream"] = partial(_repeated, lambda: iter(batches()), next, _STREAMED_BATCHES)
    return in_turn(sides)


def _repeated(begin: Callable[[], Any], do: Callable[[Any], object], times: int) -> float:
    """Seconds of doing something with an iterator, once it has begun and is at its pace."""
    iterator = begin()
    for _ in range(_WARM_UP_STEPS):
        do(iterator)
    begin_s = time.perf_counter()
    for _ in range(times):
        do(iterator)
    return (time.perf_counter() - begin_s) / times


def predict_files(clips: Clips) -> list[Row]:
    """A batch of files against one after another, by the default network."""
    paths = [str(path) for path in sorted(clips.many(_PREDICTED).rglob("*.wav"))]
    some = paths[:: len(paths) // _PREDICTED_ONE_BY_ONE]
    with tempfile.TemporaryDirectory() as folder:
        dataset = build(config(clips.many(_SONGS), ["log_mel"]), f"{folder}/dataset", new_pipelines([], 1)).dataset
        # Without validation no temperature is fitted, so that both sides give the network's own probabilities.
        configuration = Config(training=Training(epochs=1), folds=FoldsConfig(validation=()))
        bundle = train(configuration, dataset, f"{folder}/bundle")
        ours = partial(predict, bundle, paths, None, new_pipelines([], 1))
        one_by_one = partial(_one_by_one, bundle, some)
        difference = _largest_difference(ours(), some, one_by_one(), bundle)
        seconds = in_turn({"ours": timed(ours, len(paths)), "reference": timed(one_by_one, len(some))})
    return [
        faster(
            f"`predict`, {len(paths)} files, a file",
            "`librosa.load`, log-mel, `model.inference.predict`, one by one",
            seconds,
            at_least=10,
            differences={"probability": Difference(difference, 0.01)},
        )
    ]


def _one_by_one(bundle: Bundle, paths: Sequence[str]) -> list[Any]:
    """As people write it: each file's distribution, once the model is loaded."""
    model = keras.models.load_model(Path(bundle.url, MODEL_NAME), compile=False)
    windows = bundle.input_windows()
    found = []
    for path in paths:
        y, sr = librosa.load(path, sr=AudioConfig().sample_rate_hz)
        tiled = windows.tile(windows.normalise(naive_log_mel(y, sr)))
        found.append(model.predict(tiled, verbose=0).mean(axis=0))
    return found


def _largest_difference(
    predictions: Sequence[Prediction], some: Sequence[str], wanted: Sequence[Any], bundle: Bundle
) -> float:
    found = {
        prediction.path: [prediction.probabilities[genre] for genre in bundle.genres] for prediction in predictions
    }
    return max(float(np.abs(np.array(found[path]) - row).max()) for path, row in zip(some, wanted, strict=True))
