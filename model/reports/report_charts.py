"""Charts of the report: learning curves, and the reliability diagram."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from pipelines.common.output import svg
from pipelines.common.output.svg import Axis, Line

History = list[dict[str, float]]
"""A training's metrics, a row for each epoch."""


def draw_learning_curves(histories: Sequence[History], metric: str) -> Markup:
    """A metric of train and validation by epoch; of several trainings their means, each training drawn faintly."""
    unit, scale = (" %", 100) if metric == "accuracy" else ("", 1)
    lines = []
    for key, colour, label in ((metric, "muted", "train"), (f"validation_{metric}", "right", "validation")):
        curves = [[(row["epoch"] + 1, scale * row[key]) for row in rows] for rows in histories if key in rows[0]]
        if len(curves) > 1:
            lines += [Line(curve, colour) for curve in curves]
        if curves:
            lines.append(Line(_mean(curves), colour, label + (", mean of rounds" if len(curves) > 1 else "")))
    values = [value for line in lines for _, value in line.points if np.isfinite(value)]
    x = svg.x_axis(1, max(2, *map(len, histories)))
    y = Axis.of(0.0, 100.0 if unit else max(values, default=1.0), 210, 30)
    description = f"By epoch, {' and '.join(line.label for line in lines if line.label)}."
    return svg.line_chart(metric.capitalize(), description, lines, x, y, "epoch", unit)


def _mean(curves: Sequence[svg.Points]) -> svg.Points:
    """The mean at each epoch of the curves that reach it."""
    longest = max(curves, key=len)
    return [
        (epoch, float(np.mean([curve[index][1] for curve in curves if index < len(curve)])))
        for index, (epoch, _) in enumerate(longest)
    ]


def draw_reliability(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """The accuracy of songs by their confidence, beside the diagonal of perfect calibration.

    Parameters
    ----------
    bins : sequence of dict
        As `model.inference.calibration.reliability` returns them.
    """
    points = [(100 * each["confidence"], 100 * each["accuracy"]) for each in bins]
    lines = [Line([(0, 0), (100, 100)], "muted", "perfect calibration"), Line(points, "right", "accuracy")]
    x, y = svg.x_axis(0, 100), Axis.of(0.0, 100.0, 235, 45)
    marks = [
        f'<circle cx="{x(across):.1f}" cy="{y(up):.1f}" r="4" style="fill:var(--right)"/>'
        f'<text x="{x(across):.1f}" y="{y(up) - 9:.1f}" text-anchor="middle">{each["songs"]}</text>'
        for (across, up), each in zip(points, bins, strict=True)
    ]
    description = "; ".join(
        f"{each['songs']} songs of {each['confidence']:.0%} confidence, {each['accuracy']:.0%} correct" for each in bins
    )
    drawn = (svg.draw_line(line, x, y) for line in lines)
    parts = [svg.legend(lines), svg.grid(x, y, " %"), *drawn, *marks, svg.ticks_below(x, y.begin, "confidence in %")]
    return svg.svg("Reliability diagram", description, 275, parts)
