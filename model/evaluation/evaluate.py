"""Evaluation: a bundle's figures over songs that it never saw."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.data import batches
from model.evaluation import robustness
from model.evaluation.metrics import FileScore, measure
from model.inference import calibration
from model.inference.bundle import Bundle
from model.networks.windows import Rows, Windows
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Dataset

METRICS_NAME = "metrics.json"
_WINDOWS_AT_ONCE = 64

Key = TypeVar("Key")


def evaluate(
    bundle: Bundle, dataset: Dataset, new_pipeline: NewPipeline | None = None
) -> tuple[dict[str, Any], list[FileScore]]:
    """Scores a bundle on its test songs, at its temperature, and writes `metrics.json` into it.

    Parameters
    ----------
    bundle : Bundle
    dataset : Dataset
    new_pipeline : callable, optional
        Gives an empty pipeline, in which the songs are played at other tempos too; without it they are not.

    Returns
    -------
    metrics : dict
        As `model.evaluation.metrics.measure` gives them, and the dataset's fingerprint and the test folds;
        `calibration`, as `model.inference.calibration.reliability` gives it, with the `temperature`; `doubt`, as
        `model.inference.calibration.risk_taken` does, where the bundle can doubt; `tempo`, as
        `model.evaluation.robustness.measure_tempi` does.
    scores : list of FileScore

    Raises
    ------
    UsageError
        The bundle was trained on another dataset, whose train songs may be among these.
    SpectroshardError
        Songs are to be played at other tempos and cannot be read.
    """
    if bundle.dataset != dataset.fingerprint:
        raise UsageError(
            f"{dataset.url}: is not the dataset that {bundle.url} was trained on (fingerprint"
            f" {dataset.fingerprint[:12]}, expected {bundle.dataset[:12]}): its test songs may have been trained on"
        )
    scores = list(score_bundle(bundle, dataset, "test"))
    metrics = measure(scores, bundle.genres) | {"dataset": bundle.dataset, "folds": list(bundle.splits["test"])}
    metrics["calibration"] = calibration.reliability(scores, bundle.genres) | {"temperature": bundle.temperature}
    if bundle.doubt:
        metrics["doubt"] = calibration.risk_taken(scores, bundle.genres, bundle.doubt.threshold)
    if new_pipeline:
        metrics["tempo"] = robustness.measure_tempi(robustness.hear(bundle, dataset, new_pipeline), bundle.genres)
    write_metrics(bundle.url, metrics)
    return metrics, scores


def write_metrics(url: str, metrics: dict[str, Any]) -> None:
    """Writes `metrics.json` into a folder."""
    storage.write_bytes(storage.join(url, METRICS_NAME), json.dumps(metrics, indent=1).encode())


def describe(metrics: Mapping[str, Any]) -> str:
    """Figures for a terminal."""
    low, high = metrics["song_accuracy_interval"]
    line = (
        f"song accuracy {metrics['song_accuracy']:.1%} of {metrics['songs']} unseen songs"
        f" (95 % interval {low:.1%} to {high:.1%}), macro-F1 {metrics['macro_f1']:.3f},"
        f" file accuracy {metrics['file_accuracy']:.1%} of {metrics['files']},"
        f" segment accuracy {metrics['segment_accuracy']:.1%} of {metrics['segments']},"
        f" calibration error {metrics['calibration']['expected_calibration_error']:.1%}"
    )
    return f"{line}\n\n{robustness.describe(metrics['tempo'])}\n" if "tempo" in metrics else line


def score_held_out(bundle: Bundle, dataset: Dataset) -> list[FileScore]:
    """Scores a bundle on its train songs: on the end of each, which `training.held_out_share` held out."""
    rows = bundle.cutting().held_out(bundle.training.held_out_share)
    return list(score_bundle(bundle, dataset, "train", rows))


def score_bundle(bundle: Bundle, dataset: Dataset, split: str, rows: Rows | None = None) -> Iterator[FileScore]:
    """Scores every file of one of a bundle's splits, at its temperature."""
    folds, windows = bundle.splits[split], bundle.cutting()
    return score_files(bundle.network(), dataset, folds, windows, rows, bundle.temperature)


def score_files(
    model: Any,
    dataset: Dataset,
    folds: Sequence[str],
    windows: Windows,
    rows: Rows | None = None,
    temperature: float = 1.0,
) -> Iterator[FileScore]:
    """Scores every file of some folds, in the order of the shards; of each the given stretch, by default all of it."""
    song_of = {row.song_id: row.song or row.song_id for row in dataset.ledger()}
    songs = (
        ((song["song_id"].decode(), song["genre"].decode(), song["group"].decode()), song["windows"])
        for song in batches.whole_songs(dataset, folds, windows, rows).as_numpy_iterator()
    )
    for (song_id, genre, group), probabilities in classify(model, songs):
        yield FileScore(song_id, genre, group, song_of[song_id], probabilities, temperature)


def classify(
    model: Any, songs: Iterable[tuple[Key, dict[str, NDArray[np.float32]]]]
) -> Iterator[tuple[Key, NDArray[np.float32]]]:
    """A model's probabilities for songs' windows; windows of several songs make one batch.

    Parameters
    ----------
    model : keras.Model
    songs : iterable of (key, windows)
        Each song's windows by feature, shape (windows, frames, bins).

    Yields
    ------
    key
    probabilities : array, shape (windows, genres)
    """
    waiting: list[tuple[Key, dict[str, NDArray[np.float32]]]] = []
    count = 0
    for song in songs:
        waiting.append(song)
        count += _length(song[1])
        if count >= _WINDOWS_AT_ONCE:
            yield from _classify_together(model, waiting)
            waiting, count = [], 0
    if waiting:
        yield from _classify_together(model, waiting)


def _classify_together(
    model: Any, songs: Sequence[tuple[Key, dict[str, NDArray[np.float32]]]]
) -> Iterator[tuple[Key, NDArray[np.float32]]]:
    together = {name: np.concatenate([windows[name] for _, windows in songs]) for name in songs[0][1]}
    ends = np.cumsum([_length(windows) for _, windows in songs])
    # Keras's `predict` makes a data set of what it is given, which costs more than a small network's work.
    parts = [
        model.predict_on_batch({name: windows[start : start + _WINDOWS_AT_ONCE] for name, windows in together.items()})
        for start in range(0, ends[-1], _WINDOWS_AT_ONCE)
    ]
    for (key, _), part in zip(songs, np.split(np.concatenate(parts), ends[:-1]), strict=True):
        yield key, part


def _length(windows: dict[str, NDArray[np.float32]]) -> int:
    return len(next(iter(windows.values())))
