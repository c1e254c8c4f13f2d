"""The leak gap: one training run evaluated on held-out ends of its training songs, and on unseen songs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model.config import Config
from model.evaluation.metrics import measure
from model.inference.scores import FileScore
from pipelines.common.output import svg
from pipelines.common.output.svg import Axis
from pipelines.common.output.text_table import table

PICTURE_NAME = "leak-gap.svg"
HELD_OUT_SHARE = 1 / 6
"""5 s of 30 s: the share that is left for test where songs are cut into segments of 5 s and the segments are split."""

SENTENCE = "A split by segment would report the first number. The second is what to expect on new songs."

_SIDES = {"trained_songs": "held-out ends of\ntraining songs", "unseen_songs": "unseen songs"}
_COLOURS = {"trained_songs": "muted", "unseen_songs": "right"}
_METRICS = (
    "segments",
    "song_accuracy",
    "song_accuracy_interval",
    "segment_accuracy",
    "segment_accuracy_interval",
)


def holding_out(config: Config) -> Config:
    """The configuration with a share of each training song held out: its own, or `HELD_OUT_SHARE` where it has none."""
    share = config.training.held_out_share or HELD_OUT_SHARE
    return config.model_copy(update={"training": config.training.model_copy(update={"held_out_share": share})})


def measure_gap(
    trained: Mapping[str, Sequence[FileScore]], unseen: Sequence[FileScore], genres: Sequence[str]
) -> dict[str, Any]:
    """The metrics of both sides.

    A song is scored in every round that trained on it, and each of these predictions counts by itself: averaging the
    distributions over rounds would make an ensemble, better than any model that was trained. The bootstrap resamples
    all predictions of a song, and of its group, together.

    Parameters
    ----------
    trained : dict
        By round, the scores of the held-out ends of its training songs.
    unseen : sequence of FileScore
        The scores of all rounds' test songs.
    genres : sequence of str

    Returns
    -------
    dict
        `trained_songs` and `unseen_songs`, each with `songs`, `predictions` (a song in a round) and `segments`;
        `song_accuracy`, over predictions, and `segment_accuracy`; and their 95 % intervals, as
        `model.evaluation.metrics.measure` returns them.
    """
    by_round = [replace(score, song=f"{name}/{score.song}") for name, scores in trained.items() for score in scores]
    songs = {(score.song, score.genre) for scores in trained.values() for score in scores}
    sides = {"trained_songs": measure(by_round, genres), "unseen_songs": measure(unseen, genres)}
    counts = {"trained_songs": len(songs), "unseen_songs": sides["unseen_songs"]["songs"]}
    return {
        name: {"songs": counts[name], "predictions": side["songs"], **{metric: side[metric] for metric in _METRICS}}
        for name, side in sides.items()
    }


def summarise_gap(gap: Mapping[str, Any]) -> str:
    """Both sides beside each other, for a terminal."""
    sides = [gap[name] for name in _SIDES]
    rows = [[f"{unit} accuracy", *(_share(side, f"{unit}_accuracy") for side in sides)] for unit in ("song", "segment")]
    rows.append(["songs", *(side["songs"] for side in sides)])
    rows.append(["predictions", *(side["predictions"] for side in sides)])
    return table(["", *map(_label, _SIDES)], rows)


def _share(side: Mapping[str, Any], metric: str) -> str:
    low, high = side[f"{metric}_interval"]
    return f"{side[metric]:.1%} ({low:.1%} to {high:.1%})"


def draw_gap(gap: Mapping[str, Any]) -> bytes:
    """The picture of both song accuracies, with their 95 % intervals, as an SVG file."""
    x = Axis(0, 1, 190, 590)
    title = "One training run, evaluated twice: song accuracy"
    parts = [
        f'<text x="370" y="30" text-anchor="middle" {_text(18, "bold")}>{title}</text>',
        *(_bar(name, gap[name], 55 + 100 * place, x) for place, name in enumerate(_SIDES)),
        f'<path d="M{x.begin:.0f} 45V225" style="stroke:var(--text);stroke-width:1.2"/>',
        f'<text x="370" y="258" text-anchor="middle" {_text(14)}>{SENTENCE}</text>',
    ]
    described = "; ".join(f"{_label(name)} {_share(gap[name], 'song_accuracy')}" for name in _SIDES)
    return svg.standalone(svg.svg(title, described, 275, parts, width=740))


def _bar(name: str, side: Mapping[str, Any], top: float, x: Axis) -> str:
    """A side's label, its accuracy as a bar with the interval on it, and the accuracy in words."""
    accuracy, (low, high) = side["song_accuracy"], side["song_accuracy_interval"]
    middle, lines = top + 30, _SIDES[name].split("\n")
    labels = (
        f'<text x="{x.begin - 8:.0f}" y="{middle + 5 + 18 * (row - (len(lines) - 1) / 2):.0f}"'
        f' text-anchor="end" {_text(15)}>{line}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'{"".join(labels)}<rect x="{x.begin:.0f}" y="{top:.0f}" width="{x(accuracy) - x.begin:.1f}" height="60"'
        f' style="fill:var(--{_COLOURS[name]});fill-opacity:.6"/>'
        f'<path d="M{x(low):.1f} {middle - 7:.0f}v14m0 -7H{x(high):.1f}m0 -7v14"'
        ' style="stroke:var(--text);stroke-width:1.5;fill:none"/>'
        f'<text x="{x(max(accuracy, high)) + 12:.1f}" y="{middle + 12:.0f}" {_text(34, "bold")}>{accuracy:.0%}</text>'
    )


def _label(name: str) -> str:
    return _SIDES[name].replace("\n", " ")


def _text(size: int, weight: str = "normal") -> str:
    return f'style="font-size:{size}px;font-weight:{weight};fill:var(--text)"'
