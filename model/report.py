"""The report: one HTML file, with its pictures in it, of what a model is worth on songs it never saw."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model import leak_gap
from model.bundle import HISTORY_NAME
from model.metrics import FileScore
from pipelines import pages, show, storage
from pipelines.dataset import Dataset
from pipelines.errors import SpectroshardError
from pipelines.pictures import draw_features, png

REPORT_NAME = "report.html"
_MISTAKES = 10
_DRAWN_MISTAKES = 3
_EXAMPLES = 10
_DRAWN_S = 10.0


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
        As `model.metrics.measure` gives them.
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
    mistakes = worst_mistakes(scores, dataset.genres)
    return pages.write_page(
        storage.join(url, REPORT_NAME),
        Path(__file__).with_name("report.html"),
        title=title,
        note=note,
        leak_gap=pages.embedded(leak_gap.draw(metrics["leak_gap"]), "svg+xml") if "leak_gap" in metrics else "",
        metrics=metrics,
        dataset=dataset,
        genres=dataset.genres,
        confusion=pages.embedded(_draw_confusion(metrics["confusion"], dataset.genres)),
        curves=_curves(url, metrics.get("rounds", ())),
        examples=_examples(scores, dataset),
        mistakes=mistakes,
        drawn=[_song_picture(dataset, mistake["song_id"]) for mistake in mistakes[:_DRAWN_MISTAKES]],
    )


def worst_mistakes(scores: Sequence[FileScore], genres: Sequence[str]) -> list[dict[str, Any]]:
    """The files of which the model was surest while it was wrong, the surest first."""
    wrong = [score for score in scores if genres[int(score.probabilities.argmax())] != score.genre]
    wrong.sort(key=lambda score: (-score.probabilities.max(), score.song_id))
    return [
        {
            "song_id": score.song_id,
            "genre": score.genre,
            "said": genres[int(score.probabilities.argmax())],
            "probability": float(score.probabilities.max()),
            "own_probability": float(score.probabilities[genres.index(score.genre)]),
        }
        for score in wrong[:_MISTAKES]
    ]


def _examples(scores: Sequence[FileScore], dataset: Dataset) -> list[dict[str, str]]:
    """A picture of the first scored song of each genre, of the first genres."""
    first: dict[str, str] = {}
    for score in scores:
        first.setdefault(score.genre, score.song_id)
    return [
        {"caption": f"{genre}: {first[genre]}", "picture": _song_picture(dataset, first[genre])}
        for genre in sorted(first)[:_EXAMPLES]
    ]


def _song_picture(dataset: Dataset, song_id: str) -> str:
    record = show.read_song(dataset, show.find_song(dataset, song_id))
    assert record is not None  # it was scored, so it is in a shard
    name, info = next(iter(dataset.features.items()))
    values = record.features[name][: round(_DRAWN_S * info.frame_rate_hz)]
    return pages.embedded(draw_features({name: values}, {name: info.frame_rate_hz}, ""))


def _curves(url: str, rounds: Sequence[Mapping[str, Any]]) -> str:
    """The history of a bundle, or those of a cross-validation's rounds."""
    folders = [storage.join(url, row["fold"]) for row in rounds] or [url]
    return pages.embedded(_draw_curves([_history(storage.join(folder, HISTORY_NAME)) for folder in folders]))


def _history(url: str) -> list[dict[str, float]]:
    try:
        text = storage.read_bytes(url).decode()
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(text))]
    except (FileNotFoundError, TypeError, ValueError) as error:
        raise SpectroshardError(f"{url}: is missing or damaged ({error}); copy or train the bundle again") from error
    if not rows:
        raise SpectroshardError(f"{url}: has no epoch; copy or train the bundle again")
    return rows


def _draw_curves(histories: Sequence[Sequence[Mapping[str, float]]]) -> bytes:
    from matplotlib.figure import Figure

    figure = Figure((10, 3.2), layout="constrained")
    for axis, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for key, colour in ((name, "tab:blue"), (f"validation_{name}", "tab:orange")):
            label = "validation (unseen songs)" if key.startswith("validation") else "train (augmented windows)"
            for rows in histories:
                if key in rows[0]:
                    axis.plot([row["epoch"] + 1 for row in rows], [row[key] for row in rows], color=colour, label=label)
                    label = ""  # once for all rounds
        axis.set_xlabel("epoch")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
        axis.legend()
    return png(figure)


def _draw_confusion(confusion: Sequence[Sequence[int]], genres: Sequence[str]) -> bytes:
    from matplotlib.figure import Figure

    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.5 + 0.5 * len(genres)
    figure = Figure((side, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(genres)), genres, rotation=60, ha="right", parse_math=False)  # a genre may hold a $
    axis.set_yticks(range(len(genres)), genres, parse_math=False)
    axis.set_xlabel("said by the model")
    axis.set_ylabel("the song's genre")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axis.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    return png(figure)
