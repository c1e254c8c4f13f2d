"""The report: one HTML file, with its pictures in it, of what a model is worth on songs it never saw.

Each section of the page is one function here and one block of `report.html`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from model.evaluation import leak_gap
from model.inference.bundle import HISTORY_NAME, REPORT_NAME, Bundle
from model.inference.scores import FileScore, by_song, predicted_genre
from model.reports import attributions, confusions
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.output import html, svg
from pipelines.common.output.svg import Axis, Line
from pipelines.dataset.dataset import Dataset

MOST_SONGS = 1000

History = list[dict[str, float]]


def write_report(
    url: str, title: str, metrics: Mapping[str, Any], scores: Sequence[FileScore], dataset: Dataset, note: str = ""
) -> str:
    """Writes `report.html` into a folder.

    Parameters
    ----------
    url : str
        The folder: a bundle, or what a cross-validation left.
    title : str
    metrics : dict
        As `model.evaluation.metrics.measure` gives them.
    scores : sequence of FileScore
    dataset : Dataset
        For the pictures of its songs.
    note : str
        A sentence that belongs above the figures.

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
        dataset=dataset,
        gap=html.embedded(leak_gap.draw_gap(metrics["leak_gap"]), "svg+xml") if "leak_gap" in metrics else "",
        commonest=max(metrics["per_genre"], key=lambda row: row["songs"]),
        training=_training(bundles),
        reliability=_reliability(metrics["calibration"]["bins"]),
        calibration=bundles[0].calibration,
        mistaken=_mistaken(scores, dataset, bundles),
        decisions=_decisions(scores, dataset, bundles),
        songs=_songs(scores, dataset.genres),
    )


def _mistaken(scores: Sequence[FileScore], dataset: Dataset, bundles: Sequence[Bundle]) -> dict[str, Any]:
    """What each genre is most mistaken for, with excerpts."""
    found = confusions.mistaken(scores, dataset.genres)
    cases = found[: confusions.MOST_GENRES]
    return {
        "cases": cases,
        "excerpts": confusions.draw(dataset, bundles[0].input_windows(), cases),
        "left_out": len(found) - len(cases),
        "never": [genre for genre in dataset.genres if genre not in {case.genre for case in found}],
    }


def _decisions(
    scores: Sequence[FileScore], dataset: Dataset, bundles: Sequence[Bundle]
) -> list[list[attributions.Decision]]:
    """Of some genres a song rightly known and one wrongly, with where the network decided."""
    pairs = attributions.choose(scores, dataset.genres)
    drawn = attributions.draw(dataset, bundles, [score for pair in pairs for score in pair])
    return [[drawn[score.path] for score in pair] for pair in pairs]


def _training(bundles: Sequence[Bundle]) -> dict[str, Any]:
    """The learning curves, and the gap between train and validation at the kept epochs."""
    histories = [_history(storage.join(bundle.url, HISTORY_NAME)) for bundle in bundles]
    kept = [rows[int(bundle.validation["epoch"])] for rows, bundle in zip(histories, bundles, strict=True)]
    validated = [row for row in kept if "validation_accuracy" in row]
    return {
        "rounds": len(bundles),
        "charts": [_learning_curves(histories, name) for name in ("accuracy", "loss")],
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


def _learning_curves(histories: Sequence[History], name: str) -> Markup:
    """A figure by epoch: of one training two lines; of several faint lines, and their means."""
    unit, scale = (" %", 100) if name == "accuracy" else ("", 1)
    lines = []
    for key, colour, label in ((name, "muted", "train"), (f"validation_{name}", "right", "validation")):
        curves = [[(row["epoch"] + 1, scale * row[key]) for row in rows] for rows in histories if key in rows[0]]
        if len(curves) > 1:
            lines += [Line(curve, colour) for curve in curves]
        if curves:
            lines.append(Line(_mean(curves), colour, label + (", mean of rounds" if len(curves) > 1 else "")))
    values = [value for line in lines for _, value in line.points if np.isfinite(value)]
    x = svg.x_axis(1, max(2, *map(len, histories)))
    y = Axis.of(0.0, 100.0 if unit else max(values, default=1.0), 210, 30)
    described = f"By epoch, {' and '.join(line.label for line in lines if line.label)}."
    return svg.line_chart(name.capitalize(), described, lines, x, y, "epoch", unit)


def _mean(curves: Sequence[svg.Points]) -> svg.Points:
    """The mean of the curves that go so far."""
    longest = max(curves, key=len)
    return [
        (epoch, float(np.mean([curve[index][1] for curve in curves if index < len(curve)])))
        for index, (epoch, _) in enumerate(longest)
    ]


def _reliability(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """How often songs are right, by how sure the model is of them, beside where both are the same."""
    points = [(100 * each["confidence"], 100 * each["accuracy"]) for each in bins]
    lines = [Line([(0, 0), (100, 100)], "muted", "as often as it says"), Line(points, "right", "songs that are right")]
    x, y = svg.x_axis(0, 100), Axis.of(0.0, 100.0, 235, 45)
    marks = [
        f'<circle cx="{x(across):.1f}" cy="{y(up):.1f}" r="4" style="fill:var(--right)"/>'
        f'<text x="{x(across):.1f}" y="{y(up) - 9:.1f}" text-anchor="middle">{each["songs"]}</text>'
        for (across, up), each in zip(points, bins, strict=True)
    ]
    described = "; ".join(
        f"{each['songs']} songs of {each['confidence']:.0%} confidence, {each['accuracy']:.0%} right" for each in bins
    )
    drawn = (svg.draw_line(line, x, y) for line in lines)
    parts = [svg.legend(lines), svg.grid(x, y, " %"), *drawn, *marks]
    return svg.svg("Reliability", described, 275, [*parts, svg.ticks_below(x, y.begin, "confidence in %")])


def _songs(scores: Sequence[FileScore], genres: Sequence[str]) -> dict[str, Any]:
    """All songs, the wrong ones first and of them those that the model was surest of; of very many, the first."""
    rows: list[dict[str, Any]] = [
        {
            "name": song.song,
            "genre": song.genre,
            "said": predicted_genre(song.probabilities, genres),
            "probability": float(song.probabilities.max()),
            "own_probability": float(song.probabilities[genres.index(song.genre)]),
        }
        for song in by_song(scores)
    ]
    rows.sort(key=lambda row: (row["said"] == row["genre"], -row["probability"], row["name"], row["genre"]))
    return {"rows": rows[:MOST_SONGS], "count": len(rows)}
