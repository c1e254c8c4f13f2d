"""The pages of a registry: the report of a run, and the history of all."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from model.retraining import journal
from model.retraining.comparison import Judged
from model.retraining.journal import Entry
from model.retraining.registry import HISTORY_NAME
from pipelines.common import storage
from pipelines.common.output import html, svg
from pipelines.common.output.svg import Axis, Line


def write_report(url: str, entry: Entry) -> str:
    """Writes the page of a verdict: its rules, the figures of champion and challenger, and the drift."""
    assert entry.verdict is not None
    comparison = entry.verdict.comparison
    judged = [each for each in (comparison.champion, comparison.challenger) if each is not None]
    genres = sorted({genre for each in judged for genre in each.per_genre})
    template = Path(__file__).with_name("report.html")
    return html.write_page(url, template, entry=entry, verdict=entry.verdict, judged=judged, genres=genres)


def write_history(registry: str) -> str:
    """Writes the page of a registry's history: accuracy by version, promotions, growth of the corpus, drift."""
    known = journal.entries(registry)
    verdicts = [entry for entry in known if entry.verdict is not None]
    return html.write_page(
        storage.join(registry, HISTORY_NAME),
        Path(__file__).with_name("history.html"),
        registry=registry,
        entries=known[::-1],
        champion=known[-1].champion if known else "",
        charts={
            "Song accuracy on protected test songs, with its 95 % interval; a full circle was promoted": _accuracy(
                verdicts
            ),
            "Songs in the dataset": _growth(verdicts),
            "Drift of the new songs: distances from 0 to 1": _drift(verdicts),
        },
    )


def _accuracy(verdicts: Sequence[Entry]) -> Markup:
    """The song accuracy of each challenger with its interval, and of the champion on the same songs."""
    figures = [(n, entry.verdict.comparison) for n, entry in enumerate(verdicts, 1) if entry.verdict]
    own = [(n, of.challenger) for n, of in figures if of.challenger]
    other = [(n, of.champion) for n, of in figures if of.champion]
    lines = [Line(_accuracies(other), "muted", "champion"), Line(_accuracies(own), "right", "challenger")]
    x, y = _by_verdict(verdicts), Axis.of(0.0, 100.0, 210, 30)
    promoted = {n for n, entry in enumerate(verdicts, 1) if entry.verdict and entry.verdict.promote}
    marks = [*_dots(lines[0], x, y), *(_interval(n, judged, x, y, n in promoted) for n, judged in own)]
    described = "; ".join(f"{n}: challenger {judged.song_accuracy:.1%}" for n, judged in own)
    return _chart("Song accuracy", described, lines, x, y, marks, " %")


def _accuracies(judged: Sequence[tuple[int, Judged]]) -> list[tuple[float, float]]:
    return [(n, 100 * each.song_accuracy) for n, each in judged]


def _interval(number: int, judged: Judged, x: Axis, y: Axis, is_promoted: bool) -> str:
    low, high = (y(100 * end) for end in judged.interval)
    dot = _circle(x(number), y(100 * judged.song_accuracy), "right", f"var(--{'right' if is_promoted else 'page'})")
    return f'<path d="M{x(number):.1f} {low:.1f}V{high:.1f}" style="stroke:var(--right);opacity:.5"/>{dot}'


def _growth(verdicts: Sequence[Entry]) -> Markup:
    points = [(n, float(entry.songs)) for n, entry in enumerate(verdicts, 1)]
    line, x = Line(points, "right", "songs"), _by_verdict(verdicts)
    y = Axis.of(0.0, max((songs for _, songs in points), default=1.0), 210, 30)
    described = "; ".join(f"{n:g}: {songs:.0f} songs" for n, songs in points)
    return _chart("Songs", described, [line], x, y, _dots(line, x, y))


def _drift(verdicts: Sequence[Entry]) -> Markup:
    drifts = [(n, entry.drift) for n, entry in enumerate(verdicts, 1) if entry.drift]
    lines = [
        Line([(n, drift.genre_shares) for n, drift in drifts], "muted", "genre shares"),
        Line([(n, drift.predicted_mixture) for n, drift in drifts], "right", "mixture"),
        Line([(n, drift.out_of_distribution) for n, drift in drifts], "wrong", "out of distribution"),
    ]
    x, y = _by_verdict(verdicts), Axis.of(0.0, 1.0, 210, 30)
    described = "; ".join(f"{n}: genre shares {drift.genre_shares:.2f}" for n, drift in drifts)
    return _chart("Drift", described, lines, x, y, [dot for line in lines for dot in _dots(line, x, y)])


def _chart(
    title: str, described: str, lines: Sequence[Line], x: Axis, y: Axis, marks: Sequence[str], unit: str = ""
) -> Markup:
    drawn = (svg.draw_line(line, x, y) for line in lines)
    below = svg.ticks_below(x, y.begin, "verdict, the oldest first")
    return svg.svg(title, described, y.begin + 40, [svg.legend(lines), svg.grid(x, y, unit), *drawn, *marks, below])


def _dots(line: Line, x: Axis, y: Axis) -> list[str]:
    return [_circle(x(across), y(up), line.colour, f"var(--{line.colour})") for across, up in line.points]


def _circle(across: float, up: float, colour: str, fill: str) -> str:
    return f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4" style="fill:{fill};stroke:var(--{colour})"/>'


def _by_verdict(verdicts: Sequence[Entry]) -> Axis:
    axis = svg.x_axis(1, max(2, len(verdicts)))
    return replace(axis, ticks=tuple(tick for tick in axis.ticks if tick.is_integer()))
