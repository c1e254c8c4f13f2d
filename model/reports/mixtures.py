"""The mixtures page: one HTML file of what a model hears in songs: by year, by song, and along each song's time."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from model.inference.prediction import REJECTED, Moment, Prediction, clock, turns
from model.reports import svg
from model.reports.svg import Axis
from pipelines.common.output import html

MOST_COURSES, MOST_SONGS, MOST_REJECTED = 300, 2000, 500
_SLOTS = 60  # of a course: what a small picture can show

# The page's blue and orange first. Each pair of a scheme's differs by more than 0.12 in OKLab, each from the ground by
# a contrast of 3, for text of the ground's colour on it. Beyond these many genres, colours come again.
LIGHT = (
    *("#1f66ad", "#c2500e", "#35743e", "#7b4fc9", "#b58715", "#089891"),
    *("#b92d66", "#6b4a2b", "#d765b5", "#639e00", "#2a2f6e", "#7f79a0"),
)
DARK = (
    *("#74b3f2", "#f49a5c", "#33b197", "#ce83df", "#ece44a", "#38dcc6"),
    *("#e05e73", "#9b8c23", "#f2bce8", "#9cbf3a", "#5f78f5", "#8e7e95"),
)

Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Year:
    """The songs of a year.

    Attributes
    ----------
    year, songs : int
        How many there are.
    shares : array, shape (genres,)
        The mean of their distributions.
    """

    year: int
    songs: int
    shares: Shares


def write_mixtures(url: str, predictions: Sequence[Prediction], genres: Sequence[str]) -> str:
    """Writes the page, and returns its URL.

    Parameters
    ----------
    url : str
    predictions : sequence of Prediction
        Sorted by path; of very many the first are shown, and of fewer the courses. The mixtures by year are of all.
    genres : sequence of str
    """
    known = [prediction for prediction in predictions if prediction.status != REJECTED]
    rejected = [prediction for prediction in predictions if prediction.status == REJECTED]
    shown = _without_common_folder(predictions)
    years = by_year(known, genres)
    return html.write_page(
        url,
        Path(__file__).with_name("mixtures.html"),
        genres=genres,
        colours={"light": LIGHT, "dark": DARK},
        overall=np.mean([_shares(p, genres) for p in known], axis=0) if known else np.zeros(len(genres)),
        count=len(known),
        years=years,
        by_year=_draw_years(years, genres) if len(years) > 1 else "",
        songs=[_song(p, shown[p.path], genres) for p in known[:MOST_SONGS]],
        courses=[
            {"name": shown[p.path], "turns": turns(p.course), "chart": draw_course(p, shown[p.path], genres)}
            for p in map(_thinned, known[:MOST_COURSES])
        ],
        doubtful=sum(not p.is_confident for p in known),
        rejected=[(shown[p.path], p) for p in rejected[:MOST_REJECTED]],
        count_rejected=len(rejected),
    )


def by_year(predictions: Iterable[Prediction], genres: Sequence[str]) -> list[Year]:
    """The mean mixture of each year that has songs, the earliest first."""
    songs_of: dict[int, list[Shares]] = {}
    for prediction in predictions:
        if prediction.year is not None and prediction.status != REJECTED:
            songs_of.setdefault(prediction.year, []).append(_shares(prediction, genres))
    return [Year(year, len(songs), np.mean(songs, axis=0)) for year, songs in sorted(songs_of.items())]


def _shares(prediction: Prediction, genres: Sequence[str]) -> Shares:
    return np.array([prediction.probabilities[genre] for genre in genres])


def _without_common_folder(predictions: Sequence[Prediction]) -> dict[str, str]:
    """What each path is shown as: from where paths begin to differ."""
    folders = [prediction.path.split("/")[:-1] for prediction in predictions]
    common = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        common += 1
    return {prediction.path: "/".join(prediction.path.split("/")[common:]) for prediction in predictions}


def _song(prediction: Prediction, name: str, genres: Sequence[str]) -> dict[str, Any]:
    """A row of the table of all songs."""
    shares = _shares(prediction, genres)
    stops, told, begin = [], [], 0.0
    for index, share in enumerate(shares):
        end = begin + 100 * share
        if round(end) > round(begin):
            stops.append(f"var(--g{index % len(LIGHT)}) {begin:.0f}% {end:.0f}%")
        begin = end
    for index in np.argsort(-shares, kind="stable"):
        if round(100 * shares[index]):
            told.append(f"{genres[index]} {100 * shares[index]:.0f} %")
    return {
        "name": name,
        "prediction": prediction,
        "clock": clock(prediction.duration_s),
        "stops": ",".join(stops),
        "told": ", ".join(told),
        "entropy": float(-sum(share * math.log2(share) for share in shares if share > 0)),
    }


def _draw_years(years: Sequence[Year], genres: Sequence[str]) -> Markup:
    """A bar for each year, its genres' shares stacked in their order, and the numbers of songs below."""
    first, last = years[0].year, years[-1].year
    width = max(1070.0, 12.0 * (last - first + 1) + 60)
    pitch = min(80.0, (width - 60) / (last - first + 1))
    bar, end = 0.86 * pitch, 50 + pitch * (last - first + 1)
    x = Axis(first - 0.5, last + 0.5, 50, end, ())
    y = Axis.of(0, 100, 250, 10)
    parts = [svg.grid(x, y, " %")]
    next_label = x.begin
    for year in years:
        left = x(year.year) - bar / 2
        parts.append(_bar(year, left, bar, y, genres))
        parts.append(_count(x(year.year), year.songs, pitch))
        if x(year.year) >= next_label:
            parts.append(f'<text x="{x(year.year):.1f}" y="268" text-anchor="middle">{year.year}</text>')
            next_label = x(year.year) + 40
    parts.append('<text x="44" y="287" text-anchor="end">songs</text>')
    described = (
        f"For each of the {len(years)} years with songs from {first} to {last}, the mean of its songs' mixtures."
    )
    return _svg("The mixture of genres by year", described, end + 10, 310, parts)


def _bar(year: Year, left: float, width: float, y: Axis, genres: Sequence[str]) -> str:
    """A year's shares, each with its genre's name on it where there is room."""
    parts, below = [], 0.0
    for index, (genre, share) in enumerate(zip(genres, 100 * year.shares, strict=True)):
        top, height = y(below + share), y(below) - y(below + share)
        below += share
        if height < 0.25:
            continue
        place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
        parts.append(
            f'<rect {place} class="g{index % len(LIGHT)}">'
            f"<title>{year.year}: {escape(genre)} {share:.0f} %</title></rect>"
        )
        if height > 15 and width > 6.5 * len(genre) + 4:
            middle = left + width / 2
            parts.append(f'<text x="{middle:.1f}" y="{top + height / 2 + 4:.1f}" class="on">{escape(genre)}</text>')
    return "".join(parts)


def _count(place: float, songs: int, pitch: float) -> str:
    """A number of songs, upright where bars are narrow."""
    if pitch >= 6.5 * len(str(songs)) + 4:
        return f'<text x="{place:.1f}" y="287" text-anchor="middle">{songs}</text>'
    return f'<text transform="translate({place + 4:.1f} 277) rotate(-90)" text-anchor="end">{songs}</text>'


def _thinned(prediction: Prediction) -> Prediction:
    """A song with as many moments as a small picture can show: each the mean of those that it stands for."""
    course = prediction.course
    slots = [course[part[0] : part[-1] + 1] for part in np.array_split(range(len(course)), min(_SLOTS, len(course)))]
    means = [
        Moment(
            start_s=slot[0].start_s,
            probabilities={
                g: float(np.mean([moment.probabilities[g] for moment in slot])) for g in prediction.probabilities
            },
        )
        for slot in slots
    ]
    return prediction.model_copy(update={"course": tuple(means)})


def draw_course(prediction: Prediction, name: str, genres: Sequence[str]) -> Markup:
    """A song's shares along its time, stacked, over its clock."""
    shares = np.array([[moment.probabilities[genre] for genre in genres] for moment in prediction.course])
    tops = np.cumsum(shares, axis=1)
    x = svg.time_axis(0, prediction.duration_s, 6, 394)
    edges = [x(moment.start_s) for moment in prediction.course] + [x.end]
    parts = []
    for index in reversed(range(len(genres))):  # each hides the lower part of the one behind it
        if shares[:, index].max() >= 0.01:
            steps = "".join(
                f"V{80 - 76 * top:.0f}H{edge:.0f}" for top, edge in zip(tops[:, index], edges[1:], strict=True)
            )
            title = f"<title>{escape(genres[index])}</title>"
            parts.append(f'<path d="M{edges[0]:.0f} 80{steps}V80Z" class="g{index % len(LIGHT)}">{title}</path>')
    for tick_s in _clock_ticks(prediction.duration_s):
        parts.append(
            f'<path d="M{x(tick_s):.1f} 80v4" style="stroke:var(--muted)"/>'
            f'<text x="{x(tick_s):.1f}" y="97" text-anchor="{"middle" if tick_s else "start"}">{clock(tick_s)}</text>'
        )
    described = (
        f"Its genres' shares along its {clock(prediction.duration_s)}; the likeliest: {turns(prediction.course)}."
    )
    return _svg(f"The course of {name}", described, 400, 102, parts)


def _clock_ticks(duration_s: float) -> list[float]:
    """Round times of a song, at most seven."""
    step_s = next((step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200) if duration_s <= 6 * step), 3600)
    return [float(tick_s) for tick_s in range(0, math.floor(duration_s * 0.97) + 1, step_s)]


def _svg(title: str, description: str, width: float, height: float, parts: Iterable[str]) -> Markup:
    box = f"0 0 {width:.0f} {height:.0f}"
    head = f'<svg viewBox="{box}" style="--width:{width:.0f}px" role="img"><title>{escape(title)}</title>'
    return Markup(f"{head}<desc>{escape(description)}</desc>{''.join(parts)}</svg>")
