"""Charts of genre mixtures as stacked shares: one bar a year, and one song along its time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from model.inference.prediction import Prediction, TimelinePoint, format_time, genre_changes
from pipelines.common.output import svg
from pipelines.common.output.svg import Axis

# The page's blue and orange first. Any two of a scheme differ by more than 0.12 in OKLab, and each has a contrast of 3
# with the background, for text in the background's colour. With more genres than these, colours repeat.
LIGHT = (
    *("#1f66ad", "#c2500e", "#35743e", "#7b4fc9", "#b58715", "#089891"),
    *("#b92d66", "#6b4a2b", "#d765b5", "#639e00", "#2a2f6e", "#7f79a0"),
)
DARK = (
    *("#74b3f2", "#f49a5c", "#33b197", "#ce83df", "#ece44a", "#38dcc6"),
    *("#e05e73", "#9b8c23", "#f2bce8", "#9cbf3a", "#5f78f5", "#8e7e95"),
)

_MOST_POINTS = 60  # of a timeline: what a small picture can show

Mixture = NDArray[np.float64]
"""A distribution over genres, shape (genres,)."""


@dataclass(frozen=True)
class Year:
    """The songs of a year.

    Attributes
    ----------
    year : int
    songs : int
        How many.
    mixture : array, shape (genres,)
        The mean of their distributions.
    """

    year: int
    songs: int
    mixture: Mixture


def mixture_of(prediction: Prediction, genres: Sequence[str]) -> Mixture:
    """A song's distribution, in the order of the genres."""
    return np.array([prediction.probabilities[genre] for genre in genres])


def draw_years(years: Sequence[Year], genres: Sequence[str]) -> Markup:
    """A bar for each year, its genres' shares stacked in their order, and the numbers of songs below."""
    first, last = years[0].year, years[-1].year
    count = last - first + 1
    pitch = min(80.0, (max(1070.0, 12.0 * count + 60) - 60) / count)
    x = Axis(first - 0.5, last + 0.5, 50, 50 + pitch * count)
    y = Axis.of(0, 100, 250, 10)
    parts = [svg.grid(x, y, " %")]
    next_label = x.begin
    for year in years:
        middle = x(year.year)
        parts.append(_draw_bar(year, middle - 0.43 * pitch, 0.86 * pitch, y, genres))
        parts.append(_draw_count(middle, year.songs, pitch))
        if middle >= next_label:
            parts.append(f'<text x="{middle:.1f}" y="268" text-anchor="middle">{year.year}</text>')
            next_label = middle + 40
    parts.append('<text x="44" y="287" text-anchor="end">songs</text>')
    description = (
        f"For each of the {len(years)} years with songs from {first} to {last}, the mean of its songs' mixtures."
    )
    return svg.svg("The mixture of genres by year", description, 310, parts, width=x.end + 10)


def _draw_bar(year: Year, left: float, width: float, y: Axis, genres: Sequence[str]) -> str:
    """A year's shares, each with its genre's name on it where there is room."""
    parts, below = [], 0.0
    for index, (genre, share) in enumerate(zip(genres, 100 * year.mixture, strict=True)):
        top, height = y(below + share), y(below) - y(below + share)
        below += share
        if height < 0.25:
            continue
        place = f'x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}"'
        parts.append(
            f'<rect {place} class="g{index % len(LIGHT)}">'
            f"<title>{year.year}: {escape(genre)} {share:.0f} %</title></rect>"
        )
        if height > 15 and width > svg.LETTER * len(genre) + 4:
            middle = left + width / 2
            parts.append(f'<text x="{middle:.1f}" y="{top + height / 2 + 4:.1f}" class="on">{escape(genre)}</text>')
    return "".join(parts)


def _draw_count(middle: float, songs: int, pitch: float) -> str:
    """A number of songs, vertical where bars are narrow."""
    if pitch >= svg.LETTER * len(str(songs)) + 4:
        return f'<text x="{middle:.1f}" y="287" text-anchor="middle">{songs}</text>'
    return f'<text transform="translate({middle + 4:.1f} 277) rotate(-90)" text-anchor="end">{songs}</text>'


def thinned(timeline: Sequence[TimelinePoint]) -> list[TimelinePoint]:
    """At most as many points as a small picture can show, each the mean of those that it replaces."""
    count = min(_MOST_POINTS, len(timeline))
    return [_mean([timeline[index] for index in part]) for part in np.array_split(range(len(timeline)), count)]


def _mean(points: Sequence[TimelinePoint]) -> TimelinePoint:
    means = {
        genre: float(np.mean([point.probabilities[genre] for point in points])) for genre in points[0].probabilities
    }
    return TimelinePoint(start_s=points[0].start_s, probabilities=means)


def draw_timeline(timeline: Sequence[TimelinePoint], duration_s: float, name: str, genres: Sequence[str]) -> Markup:
    """A song's shares along its time, stacked, with minutes and seconds below."""
    shares = np.array([[point.probabilities[genre] for genre in genres] for point in timeline])
    tops = np.cumsum(shares, axis=1)
    x = svg.x_axis(0, duration_s, 6, 394)
    edges = [x(point.start_s) for point in timeline] + [x.end]
    parts = []
    for index in reversed(range(len(genres))):  # each hides the lower part of the one behind it
        if shares[:, index].max() >= 0.01:
            steps = "".join(
                f"V{80 - 76 * top:.0f}H{edge:.0f}" for top, edge in zip(tops[:, index], edges[1:], strict=True)
            )
            title = f"<title>{escape(genres[index])}</title>"
            parts.append(f'<path d="M{edges[0]:.0f} 80{steps}V80Z" class="g{index % len(LIGHT)}">{title}</path>')
    for tick_s in _time_ticks(duration_s):
        parts.append(
            f'<path d="M{x(tick_s):.1f} 80v4" style="stroke:var(--muted)"/><text x="{x(tick_s):.1f}" y="97"'
            f' text-anchor="{"middle" if tick_s else "start"}">{format_time(tick_s)}</text>'
        )
    description = (
        f"Its genres' shares over its {format_time(duration_s)}; the most probable: {genre_changes(timeline)}."
    )
    return svg.svg(f"The timeline of {name}", description, 102, parts, width=400)


def _time_ticks(duration_s: float) -> list[float]:
    """Round times of a song, at most seven."""
    step_s = next((step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200) if duration_s <= 6 * step), 3600)
    return [float(tick_s) for tick_s in range(0, math.floor(duration_s * 0.97) + 1, step_s)]
