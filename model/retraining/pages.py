"""The pages of a registry: the report of a run, and the history of all."""

from collections.abc import Sequence
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
        charts=[_draw_accuracy(verdicts), _draw_growth(verdicts), _draw_drift(verdicts)] if verdicts else [],
    )


def _draw_accuracy(verdicts: Sequence[Entry]) -> Markup:
    """The song accuracy of each challenger with its interval, and of the champion on the same songs."""
    figures = [(n, e.verdict.comparison) for n, e in enumerate(verdicts, 1) if e.verdict]
    own = [(n, of.challenger) for n, of in figures if of.challenger]
    other = [(n, of.champion) for n, of in figures if of.champion]
    lines = [Line(_accuracies(other), "muted", "champion"), Line(_accuracies(own), "right", "challenger")]
    x, y = _by_verdict(verdicts), Axis.of(0.0, 100.0, 210, 30)
    promoted = {n for n, entry in enumerate(verdicts, 1) if entry.verdict and entry.verdict.promote}
    marks = [_interval(n, judged, x, y, n in promoted) for n, judged in own]
    drawn = (svg.draw_line(line, x, y) for line in lines)
    parts = [svg.legend(lines), svg.grid(x, y, " %"), *drawn, *marks, svg.ticks_below(x, y.begin, _VERDICT)]
    described = "; ".join(f"{n}: challenger {judged.song_accuracy:.1%}" for n, judged in own)
    return svg.svg("Song accuracy on protected test songs; a full circle was promoted", described, 250, parts)


_VERDICT = "verdict"


def _accuracies(judged: Sequence[tuple[int, Judged]]) -> list[tuple[float, float]]:
    return [(n, 100 * each.song_accuracy) for n, each in judged]


def _interval(number: int, judged: Judged, x: Axis, y: Axis, is_promoted: bool) -> str:
    low, high = (y(100 * end) for end in judged.interval)
    fill = "var(--right)" if is_promoted else "var(--page)"
    return (
        f'<path d="M{x(number):.1f} {low:.1f}V{high:.1f}" style="stroke:var(--right);opacity:.5"/>'
        f'<circle cx="{x(number):.1f}" cy="{y(100 * judged.song_accuracy):.1f}" r="4"'
        f' style="fill:{fill};stroke:var(--right)"/>'
    )


def _draw_growth(verdicts: Sequence[Entry]) -> Markup:
    points = [(n, float(entry.songs)) for n, entry in enumerate(verdicts, 1)]
    y = Axis.of(0.0, max(songs for _, songs in points) or 1.0, 210, 30)
    described = "; ".join(f"{n:g}: {songs:.0f} songs" for n, songs in points)
    return svg.line_chart("Songs", described, [Line(points, "right", "songs")], _by_verdict(verdicts), y, _VERDICT)


def _draw_drift(verdicts: Sequence[Entry]) -> Markup:
    drifts = [(n, entry.drift) for n, entry in enumerate(verdicts, 1) if entry.drift]
    lines = [
        Line([(n, drift.genre_shares) for n, drift in drifts], "muted", "genre shares"),
        Line([(n, drift.predicted_mixture) for n, drift in drifts], "right", "predicted mixture"),
    ]
    described = "; ".join(f"{n}: genre shares {drift.genre_shares:.2f}" for n, drift in drifts)
    return svg.line_chart(
        "Drift of new songs, from 0 to 1", described, lines, _by_verdict(verdicts), Axis.of(0.0, 1.0, 210, 30), _VERDICT
    )


def _by_verdict(verdicts: Sequence[Entry]) -> Axis:
    return svg.x_axis(1, max(2, len(verdicts)))
