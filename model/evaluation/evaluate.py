"""Evaluation: the metrics of a bundle on its test songs."""

import json
from collections.abc import Mapping
from typing import Any

from model.evaluation import robustness
from model.evaluation.metrics import measure
from model.evaluation.unseen import Unseen, find_unseen
from model.inference import calibration
from model.inference.bundle import Bundle
from model.inference.classify import score_files
from model.inference.scores import FileScore
from model.networks.windows import FrameSlice
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.output.progress import Progress
from pipelines.dataset.dataset import Dataset

METRICS_NAME, REPORT_NAME = "metrics.json", "report.html"


def evaluate(
    bundle: Bundle, dataset: Dataset, new_pipeline: NewPipeline | None = None
) -> tuple[dict[str, Any], list[FileScore]]:
    """Scores a bundle on its test songs, at its temperature, and writes `metrics.json` into it.

    Parameters
    ----------
    bundle : Bundle
    dataset : Dataset
        The one that it was trained on, or a later version of it.
    new_pipeline : callable, optional
        Returns an empty pipeline, in which the songs are scored at other tempos too. Default: they are not.

    Returns
    -------
    metrics : dict
        As `model.evaluation.metrics.measure` returns them, with the dataset's digest and version and the test folds;
        `test_songs`: how many there are, and how many of them were left out, as `seen` or of an `unknown_genre`;
        `not_compared`: what of the dataset was not, when it was split, in sentences;
        `calibration`, as `model.inference.calibration.reliability` returns it, with the `temperature`; `selective`, as
        `model.inference.calibration.selective_risk` returns it, where the bundle is calibrated; `tempo`, as
        `model.evaluation.robustness.measure_tempos` returns it.
    scores : list of FileScore

    Raises
    ------
    UsageError
        The bundle was trained on another dataset, whose training songs may be among this one's test songs; or no test
        song is left to judge it by.
    SpectroshardError
        Songs are to be scored at other tempos, and their audio files cannot be read.
    """
    songs = find_unseen(bundle, dataset)
    scores = score_bundle(bundle, dataset, "test", songs=songs)
    metrics = measure(scores, bundle.genres)
    metrics |= {"dataset": dataset.digest, "version": dataset.version, "folds": list(songs.folds)}
    metrics["test_songs"] = {"count": songs.count, "seen": songs.seen, "unknown_genre": songs.unknown_genre}
    metrics["not_compared"] = dataset.unknown.sentences()
    metrics["calibration"] = calibration.reliability(scores, bundle.genres) | {"temperature": bundle.temperature}
    if bundle.calibration:
        metrics["selective"] = calibration.selective_risk(scores, bundle.genres, bundle.calibration.threshold)
    if new_pipeline:
        tempo_scores = robustness.score_at_tempos(bundle, dataset, songs.files, new_pipeline)
        metrics["tempo"] = robustness.measure_tempos(tempo_scores, bundle.genres)
    write_metrics(bundle.url, metrics)
    return metrics, scores


def write_metrics(url: str, metrics: dict[str, Any]) -> None:
    """Writes `metrics.json` into a folder."""
    storage.write_bytes(storage.join(url, METRICS_NAME), json.dumps(metrics, indent=1).encode())


def summarise_metrics(metrics: Mapping[str, Any]) -> str:
    """Metrics for a terminal."""
    low, high = metrics["song_accuracy_interval"]
    line = (
        f"song accuracy {metrics['song_accuracy']:.1%} of {metrics['songs']} unseen songs"
        f" (95 % interval {low:.1%} to {high:.1%}), macro-F1 {metrics['macro_f1']:.3f},"
        f" file accuracy {metrics['file_accuracy']:.1%} of {metrics['files']},"
        f" segment accuracy {metrics['segment_accuracy']:.1%} of {metrics['segments']},"
        f" calibration error {metrics['calibration']['expected_calibration_error']:.1%}"
    )
    line = "; ".join(filter(None, [line, left_out(metrics["test_songs"]), *metrics["not_compared"]]))
    return f"{line}\n\n{robustness.summarise_tempos(metrics['tempo'])}\n" if "tempo" in metrics else line


def left_out(songs: Mapping[str, int]) -> str:
    """Which test songs a bundle was not judged by; empty where it was judged by all.

    >>> left_out({"count": 24, "seen": 3, "unknown_genre": 0})
    '3 of 24 test songs left out, as they share samples or a group with what it was trained on'
    """
    reasons = {
        "seen": "as they share samples or a group with what it was trained on",
        "unknown_genre": "as they are of genres that it does not know",
    }
    return "; ".join(
        f"{songs[name]} of {songs['count']} test songs left out, {reason}"
        for name, reason in reasons.items()
        if songs[name]
    )


def score_held_out(bundle: Bundle, dataset: Dataset) -> list[FileScore]:
    """Scores a bundle on the ends of its training songs, which `training.held_out_share` held out of the training."""
    held_out = bundle.input_windows().held_out_slice(bundle.training.held_out_share)
    return score_bundle(bundle, dataset, "train", held_out)


def score_bundle(
    bundle: Bundle,
    dataset: Dataset,
    split: str,
    frame_slice: FrameSlice | None = None,
    songs: Unseen | None = None,
) -> list[FileScore]:
    """Scores the files of one of a bundle's splits, or only some, at its temperature, and shows the progress."""
    scores: list[FileScore] = []
    folds, files = (songs.folds, songs.files) if songs else (bundle.splits[split], None)
    count = sum(dataset.songs_of(folds).values()) if files is None else len(files)
    with Progress(f"Score {split} songs", count, lambda: len(scores)):
        windows = bundle.input_windows()
        for score in score_files(bundle.network(), dataset, folds, windows, frame_slice, bundle.temperature, files):
            scores.append(score)  # one by one, as the progress counts them
    return scores
