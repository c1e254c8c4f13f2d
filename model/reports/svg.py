"""Charts as inline SVG whose colours are the page's, so that they can be read in light and dark."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

_WIDTH, _LEFT, _RIGHT = 460.0, 50.0, 12.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A linear scale from values to a picture's units, with its ticks.

    Attributes
    ----------
    low, high : float
        The values at its ends.
    begin, end : float
        Where the ends lie.
    ticks : tuple of float
    """

    low: float
    high: float
    begin: float
    end: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, low: float, high: float, begin: float, end: float, most_ticks: int = 6) -> "Axis":
        """An axis with ticks at round values."""
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(most_ticks, steps=[1, 2, 5, 10]).tick_values(low, high)
        return cls(low, high, begin, end, tuple(float(tick) for tick in ticks if low <= tick <= high))

    def __call__(self, value: float) -> float:
        """Where a value lies."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.begin + share * (self.end - self.begin)


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes
    ----------
    points : sequence of (x, y)
        Those that are no numbers are left out.
    colour : 'right', 'wrong' or 'muted'
        The page's.
    label : str
        Of the legend; without one it has no entry, and is drawn faintly.
    """

    points: Points
    colour: str
    label: str = ""


def time_axis(low: float, high: float, begin: float = _LEFT, end: float = _WIDTH - _RIGHT) -> Axis:
    """An axis from left to right."""
    return Axis.of(low, high, begin, end)


def line_chart(
    title: str, description: str, lines: Sequence[Line], x: Axis, y: Axis, x_label: str, y_unit: str = ""
) -> Markup:
    """Lines over a grid, with a legend above.

    Parameters
    ----------
    title, description : str
        For who cannot see it.
    lines : sequence of Line
        Where two have labels, what lies between them is shaded.
    x, y : Axis
    x_label, y_unit : str
    """
    named = [line for line in lines if line.label]
    parts = [grid(x, y, y_unit), below(x, y.begin, x_label), *(draw_line(line, x, y) for line in lines)]
    if len(named) == 2:
        around = [*_finite(named[0].points), *reversed(_finite(named[1].points))]
        parts.insert(0, f'<path d="{path(around, x, y)}Z" style="fill:var(--{named[1].colour});opacity:.1"/>')
    return svg(title, description, y.begin + 40, [legend(named), *parts])


def legend(lines: Sequence[Line]) -> str:
    """The labels of lines beside samples of them, in a row at the top."""
    place, entries = _LEFT, []
    for line in lines:
        entries.append(f'<path d="M{place:.0f} 10h18" style="stroke:var(--{line.colour});stroke-width:2.5"/>')
        entries.append(f'<text x="{place + 24:.0f}" y="14">{escape(line.label)}</text>')
        place += 48 + 6.2 * len(line.label)
    return "".join(entries)


def draw_line(line: Line, x: Axis, y: Axis) -> str:
    """A line, faint where it has no label."""
    width, opacity = (2, 1) if line.label else (1, 0.35)
    style = f"fill:none;stroke:var(--{line.colour});stroke-width:{width};opacity:{opacity};stroke-linejoin:round"
    return f'<path d="{path(_finite(line.points), x, y)}" style="{style}"/>'


def area(values: NDArray[np.float32], x: Axis, y: Axis, colour: str) -> str:
    """What lies between zero and values that are spread evenly over an axis."""
    places = np.linspace(x.low, x.high, len(values))
    points = [(x.low, 0.0), *zip(places.tolist(), values.tolist(), strict=True), (x.high, 0.0)]
    return f'<path d="{path(points, x, y)}Z" style="fill:var(--{colour})"/>'


def grid(x: Axis, y: Axis, unit: str = "") -> str:
    """Level lines at the ticks of the upright axis, with their values to the left."""
    return "".join(
        f'<path d="M{x.begin:.1f} {y(tick):.1f}H{x.end:.1f}" style="stroke:var(--grid)"/>'
        f'<text x="{x.begin - 6:.1f}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}{escape(unit)}</text>'
        for tick in y.ticks
    )


def below(x: Axis, height: float, label: str) -> str:
    """The level axis with its values and its label, at a height."""
    ticks = "".join(
        f'<path d="M{x(tick):.1f} {height:.1f}v4" style="stroke:var(--muted)"/>'
        f'<text x="{x(tick):.1f}" y="{height + 17:.1f}" text-anchor="middle">{tick:g}</text>'
        for tick in x.ticks
    )
    middle = (x.begin + x.end) / 2
    return (
        f'<path d="M{x.begin:.1f} {height:.1f}H{x.end:.1f}" style="stroke:var(--muted)"/>{ticks}'
        f'<text x="{middle:.1f}" y="{height + 33:.1f}" text-anchor="middle">{escape(label)}</text>'
    )


def path(points: Points, x: Axis, y: Axis) -> str:
    """The path through some points."""
    return "M" + "L".join(f"{x(across):.1f} {y(up):.1f}" for across, up in points) if points else ""


def svg(title: str, description: str, height: float, parts: Iterable[str]) -> Markup:
    """A picture of the width that all have, with its text alternative."""
    head = f'<svg viewBox="0 0 {_WIDTH:.0f} {height:.0f}" role="img"><title>{escape(title)}</title>'
    return Markup(f"{head}<desc>{escape(description)}</desc>{''.join(parts)}</svg>")


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(across, up) for across, up in points if math.isfinite(up)]
