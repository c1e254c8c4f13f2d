"""Evaluation: the metrics of a bundle on its test songs."""

import json
from collections.abc import Mapping
from typing import Any

from model.evaluation import robustness
from model.evaluation.metrics import measure
from model.inference import calibration
from model.inference.bundle import Bundle
from model.inference.classify import score_files
from model.inference.scores import FileScore
from model.networks.windows import FrameSlice
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import UsageError
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
    new_pipeline : callable, optional
        Returns an empty pipeline, in which the songs are scored at other tempos too. Default: they are not.

    Returns
    -------
    metrics : dict
        As `model.evaluation.metrics.measure` returns them, with the dataset's digest and the test folds;
        `calibration`, as `model.inference.calibration.reliability` returns it, with the `temperature`; `selective`, as
        `model.inference.calibration.selective_risk` returns it, where the bundle is calibrated; `tempo`, as
        `model.evaluation.robustness.measure_tempos` returns it.
    scores : list of FileScore

    Raises
    ------
    UsageError
        The bundle was trained on another dataset, whose training songs may be among this one's test songs.
    SpectroshardError
        Songs are to be scored at other tempos, and their audio files cannot be read.
    """
    if bundle.dataset != dataset.digest:
        raise UsageError(
            f"{dataset.url}: is not the dataset that {bundle.url} was trained on (digest {dataset.digest[:12]},"
            f" expected {bundle.dataset[:12]}): its test songs may have been trained on"
        )
    scores = score_bundle(bundle, dataset, "test")
    metrics = measure(scores, bundle.genres) | {"dataset": bundle.dataset, "folds": list(bundle.splits["test"])}
    metrics["calibration"] = calibration.reliability(scores, bundle.genres) | {"temperature": bundle.temperature}
    if bundle.calibration:
        metrics["selective"] = calibration.selective_risk(scores, bundle.genres, bundle.calibration.threshold)
    if new_pipeline:
        tempo_scores = robustness.score_at_tempos(bundle, dataset, new_pipeline)
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
    return f"{line}\n\n{robustness.summarise_tempos(metrics['tempo'])}\n" if "tempo" in metrics else line


def score_held_out(bundle: Bundle, dataset: Dataset) -> list[FileScore]:
    """Scores a bundle on the ends of its training songs, which `training.held_out_share` held out of the training."""
    held_out = bundle.input_windows().held_out_slice(bundle.training.held_out_share)
    return score_bundle(bundle, dataset, "train", held_out)


def score_bundle(
    bundle: Bundle, dataset: Dataset, split: str, frame_slice: FrameSlice | None = None
) -> list[FileScore]:
    """Scores the files of one of a bundle's splits, at its temperature, and shows the progress."""
    scores: list[FileScore] = []
    folds = bundle.splits[split]
    songs = sum(dataset.songs_of(folds).values())
    with Progress(f"Score {split} songs", songs, lambda: len(scores)):
        windows = bundle.input_windows()
        for score in score_files(bundle.network(), dataset, folds, windows, frame_slice, bundle.temperature):
            scores.append(score)  # one by one, as the progress counts them
    return scores
