"""The report: one HTML file, pictures included, of a model's metrics on unseen songs.

Each section of the page is one function here and one block of `report.html`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.evaluation import leak_gap
from model.evaluation.evaluate import REPORT_NAME, left_out
from model.inference.bundle import HISTORY_NAME, Bundle
from model.inference.scores import FileScore, by_song, predicted_genre
from model.reports import attributions, confusions, report_charts
from model.reports.attributions import Attribution
from model.reports.report_charts import History
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.output import html
from pipelines.dataset.dataset import Dataset

MOST_SONGS = 1000


def write_report(
    url: str, title: str, metrics: Mapping[str, Any], scores: Sequence[FileScore], dataset: Dataset, note: str = ""
) -> str:
    """Writes `report.html` into a folder.

    Parameters
    ----------
    url : str
        The folder: a bundle, or a cross-validation's output.
    title : str
    metrics : dict
        As `model.evaluation.evaluate.evaluate` or `model.evaluation.crossval.crossval` returns them.
    scores : sequence of FileScore
    dataset : Dataset
        For the pictures of its songs.
    note : str
        A sentence to show above the metrics.

    Returns
    -------
    str
        The report's URL.
    """
    folders = [storage.join(url, row["fold"]) for row in metrics.get("rounds", ())] or [url]
    bundles = [Bundle.load(folder) for folder in folders]
    return html.write_page(
        storage.join(url, REPORT_NAME),
        Path(__file__).with_name("report.html"),
        title=title,
        note=note,
        metrics=metrics,
        left_out=left_out(metrics["test_songs"]),
        genres=bundles[0].genres,
        gap=html.embedded(leak_gap.draw_gap(metrics["leak_gap"]), "svg+xml") if "leak_gap" in metrics else "",
        commonest=max(metrics["per_genre"], key=lambda row: row["songs"]),
        training=_training(bundles),
        reliability=report_charts.draw_reliability(metrics["calibration"]["bins"]),
        calibration=bundles[0].calibration,
        confusions=_confusions(scores, dataset, bundles),
        attributions=_attributions(scores, dataset, bundles),
        songs=_songs(scores, bundles[0].genres),
    )


def _confusions(scores: Sequence[FileScore], dataset: Dataset, bundles: Sequence[Bundle]) -> dict[str, Any]:
    """The most frequent confusions, with excerpts, and the genres without any."""
    genres = bundles[0].genres
    found = confusions.find_confusions(scores, genres)
    shown = found[: confusions.MOST_GENRES]
    return {
        "shown": shown,
        "excerpts": confusions.draw_excerpts(dataset, bundles[0].input_windows(), shown),
        "left_out": len(found) - len(shown),
        "none": [genre for genre in genres if genre not in {each.genre for each in found}],
    }


def _attributions(scores: Sequence[FileScore], dataset: Dataset, bundles: Sequence[Bundle]) -> list[list[Attribution]]:
    """For some genres, the attributions of a correctly classified song and of a misclassified one."""
    pairs = attributions.choose(scores, bundles[0].genres)
    drawn = attributions.draw_attributions(dataset, bundles, [score for pair in pairs for score in pair])
    return [[drawn[score.path] for score in pair] for pair in pairs]


def _training(bundles: Sequence[Bundle]) -> dict[str, Any]:
    """The learning curves, and the accuracies of train and validation at the kept epochs."""
    histories = [_history(storage.join(bundle.url, HISTORY_NAME)) for bundle in bundles]
    kept = [rows[int(bundle.validation["epoch"])] for rows, bundle in zip(histories, bundles, strict=True)]
    validated = [row for row in kept if "validation_accuracy" in row]
    return {
        "rounds": len(bundles),
        "charts": [report_charts.draw_learning_curves(histories, name) for name in ("accuracy", "loss")],
        "accuracy": float(np.mean([row["accuracy"] for row in kept])),
        "validation_accuracy": float(np.mean([row["validation_accuracy"] for row in validated])) if validated else None,
    }


def _history(url: str) -> History:
    try:
        text = storage.read_bytes(url).decode()
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]
    except (FileNotFoundError, TypeError, ValueError) as error:
        raise SpectroshardError(f"{url}: is missing or damaged ({error}); copy or train the bundle again") from error
    if not rows:
        raise SpectroshardError(f"{url}: has no epoch; copy or train the bundle again")
    return rows


def _songs(scores: Sequence[FileScore], genres: Sequence[str]) -> dict[str, Any]:
    """The table of songs, misclassified ones first, the most certain first; only so many."""
    rows: list[dict[str, Any]] = [
        {
            "name": song.song,
            "genre": song.genre,
            "predicted": predicted_genre(song.probabilities, genres),
            "probability": float(song.probabilities.max()),
            "true_probability": float(song.probabilities[genres.index(song.genre)]),
        }
        for song in by_song(scores)
    ]
    rows.sort(key=lambda row: (row["predicted"] == row["genre"], -row["probability"], row["name"], row["genre"]))
    return {"rows": rows[:MOST_SONGS], "count": len(rows)}
