"""SVG charts: inline ones in the page's colours, readable in light and dark, and files that stand alone."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

WIDTH = 460.0
_LEFT, _RIGHT = 50.0, 12.0
LETTER = 6.5  # a letter's mean width

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """A linear scale from data to a picture's coordinates, with its ticks.

    Attributes
    ----------
    low, high : float
        The data's limits.
    begin, end : float
        The limits' coordinates; `begin` is larger than `end` on an axis that points upwards.
    ticks : tuple of float

    Examples
    --------
    >>> axis = Axis.of(0, 30, 100, 400)
    >>> axis.ticks
    (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
    >>> axis(15)
    250.0
    """

    low: float
    high: float
    begin: float
    end: float
    ticks: tuple[float, ...] = ()

    @classmethod
    def of(cls, low: float, high: float, begin: float, end: float, most_ticks: int = 6) -> "Axis":
        """An axis with ticks at round values."""
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(most_ticks, steps=[1, 2, 5, 10]).tick_values(low, high)
        return cls(low, high, begin, end, tuple(float(tick) for tick in ticks if low <= tick <= high))

    def __call__(self, value: float) -> float:
        """The coordinate of a value."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.begin + share * (self.end - self.begin)


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes
    ----------
    points : sequence of (x, y)
        Points that are not finite are left out.
    colour : 'right', 'wrong' or 'muted'
        One of the page's colours.
    label : str
        For the legend; a line without a label has no entry there and is drawn faintly.
    """

    points: Points
    colour: str
    label: str = ""


def x_axis(low: float, high: float, begin: float = _LEFT, end: float = WIDTH - _RIGHT) -> Axis:
    """A horizontal axis, by default over the width of a chart."""
    return Axis.of(low, high, begin, end)


def line_chart(
    title: str, description: str, lines: Sequence[Line], x: Axis, y: Axis, x_label: str, y_unit: str = ""
) -> Markup:
    """Lines over a grid, with a legend above.

    Parameters
    ----------
    title, description : str
        The text alternative.
    lines : sequence of Line
        Where two have labels, the area between them is shaded.
    x, y : Axis
    x_label, y_unit : str
    """
    named = [line for line in lines if line.label]
    parts = [grid(x, y, y_unit), ticks_below(x, y.begin, x_label), *(draw_line(line, x, y) for line in lines)]
    if len(named) == 2:
        around = [*_finite(named[0].points), *reversed(_finite(named[1].points))]
        parts.insert(0, f'<path d="{path(around, x, y)}Z" style="fill:var(--{named[1].colour});opacity:.1"/>')
    return svg(title, description, y.begin + 40, [legend(named), *parts])


def legend(lines: Sequence[Line]) -> str:
    """A row of the lines' labels at the top, each beside a sample of its line."""
    place, entries = _LEFT, []
    for line in lines:
        entries.append(f'<path d="M{place:.0f} 10h18" style="stroke:var(--{line.colour});stroke-width:2.5"/>')
        entries.append(f'<text x="{place + 24:.0f}" y="14">{escape(line.label)}</text>')
        place += 48 + LETTER * len(line.label)
    return "".join(entries)


def draw_line(line: Line, x: Axis, y: Axis) -> str:
    """A line, faint where it has no label."""
    width, opacity = (2, 1) if line.label else (1, 0.35)
    style = f"fill:none;stroke:var(--{line.colour});stroke-width:{width};opacity:{opacity};stroke-linejoin:round"
    return f'<path d="{path(_finite(line.points), x, y)}" style="{style}"/>'


def area(values: NDArray[np.float32], x: Axis, y: Axis, colour: str) -> str:
    """The area between zero and values that are evenly spaced along an axis."""
    places = np.linspace(x.low, x.high, len(values))
    points = [(x.low, 0.0), *zip(places.tolist(), values.tolist(), strict=True), (x.high, 0.0)]
    return f'<path d="{path(points, x, y)}Z" style="fill:var(--{colour})"/>'


def grid(x: Axis, y: Axis, unit: str = "") -> str:
    """Horizontal lines at the ticks of the y axis, labelled on the left."""
    return "".join(
        f'<path d="M{x.begin:.1f} {y(tick):.1f}H{x.end:.1f}" style="stroke:var(--grid)"/>'
        f'<text x="{x.begin - 6:.1f}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}{escape(unit)}</text>'
        for tick in y.ticks
    )


def ticks_below(x: Axis, height: float, label: str) -> str:
    """The x axis at a height, with its ticks and its label below."""
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
    """The path through some points.

    Examples
    --------
    >>> path([(0, 0), (1, 0.5)], Axis(0, 1, 0, 100), Axis(0, 1, 80, 0))
    'M0.0 80.0L100.0 40.0'
    """
    return "M" + "L".join(f"{x(across):.1f} {y(up):.1f}" for across, up in points) if points else ""


def svg(title: str, description: str, height: float, parts: Iterable[str], width: float = WIDTH) -> Markup:
    """An inline picture with its text alternative; a page may read its natural width as `--width`."""
    box = f"0 0 {width:.0f} {height:.0f}"
    head = f'<svg viewBox="{box}" style="--width:{width:.0f}px" role="img"><title>{escape(title)}</title>'
    return Markup(f"{head}<desc>{escape(description)}</desc>{''.join(parts)}</svg>")


def standalone(picture: Markup) -> bytes:
    """A picture as a file of its own: dark on white, at whatever size it is shown."""
    colours = "--text:#1d1f27;--muted:#626674;--grid:#eceded;--right:#1f66ad;--wrong:#c2500e"
    style = f"<style>svg{{background:#fff;font:12px system-ui,sans-serif;fill:var(--muted);{colours}}}</style>"
    element = str(picture).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    element = element.replace("</desc>", f"</desc>{style}", 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{element}\n'.encode()


def _finite(points: Points) -> list[tuple[float, float]]:
    return [(across, up) for across, up in points if math.isfinite(up)]
