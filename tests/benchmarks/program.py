"""The whole program, from WAV files to a dataset: against the script that people write, and by one worker and two."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from pipelines.build.build import build
from pipelines.common.beam.runners import NewPipeline, new_pipelines
from pipelines.common.beam.tasks import TaskDoFn
from pipelines.config import BuildConfig
from tests.benchmarks.clips import Clips
from tests.benchmarks.contests import Row, faster, in_turn, longer, timed
from tests.benchmarks.features import NINE, Arrays, naive_log_mel, naive_nine

IMAGE = (288, 432)

# As many as take some seconds: what a build does once, whatever its size, weighs in a corpus of a few clips alone.
_BUILT_NINE, _SCRIPTED_NINE = 200, 5
_BUILT_LOG_MEL, _SCRIPTED_LOG_MEL = 400, 40
_LOOPED, _SHARED = 500, 1_000


def config(folder: Path, features: Sequence[str]) -> BuildConfig:
    """A build's configuration, all default but for the features."""
    return BuildConfig.model_validate({"corpus": {"input": str(folder)}, "features": {name: {} for name in features}})


def build_anew(folder: Path, features: Sequence[str], new_pipeline: NewPipeline) -> None:
    """Builds a dataset of a folder, and throws it away."""
    with tempfile.TemporaryDirectory() as output:
        build(config(folder, features), output, new_pipeline)


def script(paths: Sequence[Path], compute: Callable[..., Arrays], is_resized: bool = True) -> None:
    """As people write it: librosa, each feature resized to a picture by `tf.image.resize`, a float list, a writer."""
    import librosa
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, tf.io.TFRecordWriter(f"{folder}/songs.tfrecord") as writer:
        for path in paths:
            y, sr = librosa.load(path)
            pictures = [feature.T[..., np.newaxis] for feature in compute(y, sr).values()]
            if is_resized:
                pictures = [tf.image.resize(picture, IMAGE).numpy() for picture in pictures]
            values = np.concatenate([picture.ravel() for picture in pictures])
            entries = {
                "spectrogram": tf.train.Feature(float_list=tf.train.FloatList(value=values)),
                "genre": tf.train.Feature(bytes_list=tf.train.BytesList(value=[path.parent.name.encode()])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=entries))
            writer.write(example.SerializeToString())


def nine(clips: Clips) -> list[Row]:
    """WAV files to TFRecords of nine features."""
    return [_against_script(clips, "nine features", NINE, naive_nine, _BUILT_NINE, _SCRIPTED_NINE, 40)]


def log_mel(clips: Clips) -> list[Row]:
    """WAV files to TFRecords of log-mel."""
    return [_against_script(clips, "log-mel", ["log_mel"], naive_log_mel, _BUILT_LOG_MEL, _SCRIPTED_LOG_MEL, 3)]


def _against_script(
    clips: Clips,
    what: str,
    features: Sequence[str],
    compute: Callable[..., Arrays],
    built: int,
    scripted: int,
    at_least: float,
) -> Row:
    folder = clips.many(built)
    paths = sorted(folder.rglob("*.wav"))
    some = paths[:: len(paths) // scripted]
    sides = {
        "ours": timed(partial(build_anew, folder, features, new_pipelines([], 1)), len(paths)),
        "reference": timed(partial(script, some, compute), len(some)),
        "unresized": timed(partial(script, some, compute, is_resized=False), len(some)),
    }
    seconds = in_turn(sides)
    return faster(
        f"WAV to TFRecord, {what}, whole program, a clip of {built}",
        f"librosa, `tf.image.resize` to {IMAGE[0]} x {IMAGE[1]}, float list, `TFRecordWriter`",
        seconds,
        at_least=at_least,
        note=f"ours keeps every frame and bin, and fingerprints; against the script without resizing"
        f" {seconds['unresized'] / seconds['ours']:.3g}x",
    )


def build_by_loop(folder: Path, features: Sequence[str]) -> None:
    """A build whose tasks a for loop runs, without a pipeline; the comparison of fingerprints, which has none, and
    all else are as ever."""

    def loop(_: None, names: Sequence[str], worker: TaskDoFn[Any, Any]) -> None:
        worker.setup()
        for name in names:
            list(worker.process(name))

    opened: Iterator[Callable[[], Any]] = iter(
        (contextlib.nullcontext, partial(new_pipelines([], 1), 0), contextlib.nullcontext)
    )
    with mock.patch("pipelines.common.beam.tasks.spread", loop):
        build_anew(folder, features, lambda _: next(opened)())


def beam_against_a_loop(clips: Clips) -> list[Row]:
    """One worker's pipelines against the same tasks in a for loop."""
    folder = clips.many(_LOOPED)
    sides = {
        "ours": timed(partial(build_anew, folder, ["log_mel"], new_pipelines([], 1)), _LOOPED),
        "reference": timed(partial(build_by_loop, folder, ["log_mel"]), _LOOPED),
    }
    measured = f"Beam, one worker, {_LOOPED} clips to log-mel, a clip"
    return [longer(measured, "a for loop over the same tasks", in_turn(sides), at_most=1.07)]


def two_workers(clips: Clips) -> list[Row]:
    """Two workers against one."""
    folder = clips.many(_SHARED)
    sides = {
        name: timed(partial(build_anew, folder, ["log_mel"], new_pipelines([], workers)), _SHARED)
        for name, workers in {"ours": 2, "reference": 1}.items()
    }
    return [faster(f"two workers, {_SHARED:,} clips to log-mel, a clip", "one worker", in_turn(sides), at_least=1.5)]
