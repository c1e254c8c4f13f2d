"""Evaluation: a bundle's figures over songs that it never saw."""

import json
from collections.abc import Iterator, Mapping
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
from pipelines.dataset.dataset import Dataset

METRICS_NAME = "metrics.json"


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
        As `model.evaluation.metrics.measure` gives them, and the dataset's digest and the test folds;
        `calibration`, as `model.inference.calibration.reliability` gives it, with the `temperature`; `selective`, as
        `model.inference.calibration.selective_risk` does, where the bundle is calibrated; `tempo`, as
        `model.evaluation.robustness.measure_tempi` does.
    scores : list of FileScore

    Raises
    ------
    UsageError
        The bundle was trained on another dataset, whose train songs may be among these.
    SpectroshardError
        Songs are to be played at other tempos and cannot be read.
    """
    if bundle.dataset != dataset.digest:
        raise UsageError(
            f"{dataset.url}: is not the dataset that {bundle.url} was trained on (digest"
            f" {dataset.digest[:12]}, expected {bundle.dataset[:12]}): its test songs may have been trained on"
        )
    scores = list(score_bundle(bundle, dataset, "test"))
    metrics = measure(scores, bundle.genres) | {"dataset": bundle.dataset, "folds": list(bundle.splits["test"])}
    metrics["calibration"] = calibration.reliability(scores, bundle.genres) | {"temperature": bundle.temperature}
    if bundle.calibration:
        metrics["selective"] = calibration.selective_risk(scores, bundle.genres, bundle.calibration.threshold)
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


def score_bundle(bundle: Bundle, dataset: Dataset, split: str, rows: FrameSlice | None = None) -> Iterator[FileScore]:
    """Scores every file of one of a bundle's splits, at its temperature."""
    folds, windows = bundle.splits[split], bundle.cutting()
    return score_files(bundle.network(), dataset, folds, windows, rows, bundle.temperature)
