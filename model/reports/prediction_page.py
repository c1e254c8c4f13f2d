"""The page of predictions: one HTML file with the mixture of genres by year, by song, and along each song's time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.inference.columns import table
from model.inference.prediction import REJECTED, OnPage, Prediction, genre_changes
from model.inference.totals import Totals
from model.reports import mixture_charts
from model.reports.mixture_charts import DARK, LIGHT, Year
from pipelines.common.output import html

MOST_TIMELINES, MOST_SONGS, MOST_REJECTED = 300, 2000, 500


@dataclass(frozen=True)
class Column:
    """A column of the page's table of songs.

    Attributes
    ----------
    name : str
        The field of `Prediction`.
    heading : str
    is_text : bool
        Whether it is aligned and sorted as text, not as numbers.
    """

    name: str
    heading: str
    is_text: bool


@dataclass(frozen=True)
class Cell:
    """A field of a song: its value, to sort by, and how it is shown."""

    value: Any
    shown: str


def write_page(url: str, predictions: Sequence[Prediction], genres: Sequence[str], totals: Totals | None = None) -> str:
    """Writes the page, and returns its URL.

    Parameters
    ----------
    url : str
    predictions : sequence of Prediction
        Sorted by path. Of very many, only the first are listed, and of fewer the timelines are drawn.
    genres : sequence of str
    totals : Totals
        Of all predictions, for the counts, the mixture of all songs and those by year, where these are only the first.
        Default: those of the predictions.
    """
    totals = totals or Totals.of(table(predictions, genres), genres)
    classified = [prediction for prediction in predictions if prediction.status != REJECTED]
    rejected = [prediction for prediction in predictions if prediction.status == REJECTED]
    names = _without_common_folder(predictions)
    years = [Year(year, mixture.songs, mixture.mean) for year, mixture in totals.years.items()]
    return html.write_page(
        url,
        Path(__file__).with_name("prediction_page.html"),
        genres=genres,
        colours={"light": LIGHT, "dark": DARK},
        overall=totals.mixture.mean,
        count=totals.songs,
        years=years,
        by_year=mixture_charts.draw_years(years, genres) if len(years) > 1 else "",
        columns=page_columns(),
        songs=[_song(prediction, names[prediction.path], genres) for prediction in classified[:MOST_SONGS]],
        timelines=[_timeline(p, names[p.path], genres) for p in classified[:MOST_TIMELINES]],
        unsure=totals.unsure,
        rejected=[(names[prediction.path], prediction) for prediction in rejected[:MOST_REJECTED]],
        count_rejected=totals.failures,
        unread=totals.unread_in_words,
    )


def page_columns() -> list[Column]:
    """The columns of the table of songs: the fields of `Prediction` that are marked `OnPage`."""
    return [
        Column(name, mark.heading, field.annotation not in (int, float, int | None, float | None))
        for name, field in Prediction.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, OnPage)
    ]


def _cells(prediction: Prediction) -> dict[str, Cell]:
    """A song's cells by field."""
    return {
        name: Cell(value, "" if value is None else mark.show(value))
        for name, value in prediction
        for mark in Prediction.model_fields[name].metadata
        if isinstance(mark, OnPage)
    }


def _without_common_folder(predictions: Sequence[Prediction]) -> dict[str, str]:
    """By path, the name that the page shows: the path from where paths begin to differ."""
    folders = [prediction.path.split("/")[:-1] for prediction in predictions]
    common = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common += 1
    return {prediction.path: "/".join(prediction.path.split("/")[common:]) for prediction in predictions}


def _song(prediction: Prediction, name: str, genres: Sequence[str]) -> dict[str, Any]:
    """A row of the table of songs."""
    mixture = mixture_charts.mixture_of(prediction, genres)
    stops, begin = [], 0.0
    for index, share in enumerate(mixture):
        end = begin + 100 * share
        if round(end) > round(begin):
            stops.append(f"var(--g{index % len(LIGHT)}) {begin:.0f}% {end:.0f}%")
        begin = end
    ranked = [index for index in np.argsort(-mixture, kind="stable") if round(100 * float(mixture[index]))]
    return {
        "name": name,
        "cells": _cells(prediction),
        "is_confident": prediction.is_confident,
        "stops": ",".join(stops),
        "in_words": ", ".join(f"{genres[index]} {100 * mixture[index]:.0f} %" for index in ranked),
        "entropy": float(-sum(share * math.log2(share) for share in mixture if share > 0)),
    }


def _timeline(prediction: Prediction, name: str, genres: Sequence[str]) -> dict[str, Any]:
    """A song's card below the table."""
    points = mixture_charts.thinned(prediction.timeline)
    chart = mixture_charts.draw_timeline(points, prediction.duration_s, name, genres)
    return {"name": name, "changes": genre_changes(points), "chart": chart}
