"""The leak gap: one training scored on other seconds of the songs it was trained on, and on songs it never saw."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model.config import Config
from model.evaluation.metrics import measure
from model.inference.scores import FileScore
from pipelines.common.output.text_table import table

PICTURE_NAME = "leak-gap.svg"
HELD_OUT_SHARE = 1 / 6
"""5 s of 30 s: what those leave for test who cut songs into segments of 5 s before they split them."""

SENTENCE = "The first number is what a split by segment reports. The second is what to expect of new songs."

_SIDES = {"trained_songs": "other seconds of songs\nit was trained on", "unseen_songs": "songs it never saw"}
_COLOURS = {"trained_songs": "#b0b0b0", "unseen_songs": "#1f77b4"}
_FIGURES = (
    "segments",
    "song_accuracy",
    "song_accuracy_interval",
    "segment_accuracy",
    "segment_accuracy_interval",
)


def holding_out(config: Config) -> Config:
    """The configuration with a share of each train song held out: its own, or `HELD_OUT_SHARE` where it has none."""
    share = config.training.held_out_share or HELD_OUT_SHARE
    return config.model_copy(update={"training": config.training.model_copy(update={"held_out_share": share})})


def measure_gap(
    trained: Mapping[str, Sequence[FileScore]], unseen: Sequence[FileScore], genres: Sequence[str]
) -> dict[str, Any]:
    """The figures of both sides.

    A song is scored in each round that trained on it, and each round's verdict counts by itself: distributions are
    not averaged over rounds, which would make a better model than any that was trained. The bootstrap draws all
    verdicts on a song, and on its group, together.

    Parameters
    ----------
    trained : dict
        By round, the scores of the held-out ends of its train songs.
    unseen : sequence of FileScore
        The scores of all rounds' test songs.
    genres : sequence of str

    Returns
    -------
    dict
        `trained_songs` and `unseen_songs`, each with `songs`, `verdicts` (a song in a round) and `segments`;
        `song_accuracy`, of verdicts, and `segment_accuracy`; and their 95 % intervals, as
        `model.evaluation.metrics.measure` gives them.
    """
    by_round = [replace(score, song=f"{name}/{score.song}") for name, scores in trained.items() for score in scores]
    songs = {(score.song, score.genre) for scores in trained.values() for score in scores}
    sides = {"trained_songs": measure(by_round, genres), "unseen_songs": measure(unseen, genres)}
    counts = {"trained_songs": len(songs), "unseen_songs": sides["unseen_songs"]["songs"]}
    return {
        name: {"songs": counts[name], "verdicts": side["songs"], **{figure: side[figure] for figure in _FIGURES}}
        for name, side in sides.items()
    }


def describe(gap: Mapping[str, Any]) -> str:
    """Both sides beside each other, for a terminal."""
    sides = [gap[name] for name in _SIDES]
    rows = [[f"{unit} accuracy", *(_share(side, f"{unit}_accuracy") for side in sides)] for unit in ("song", "segment")]
    rows.append(["songs", *(side["songs"] for side in sides)])
    rows.append(["verdicts on them", *(side["verdicts"] for side in sides)])
    return table(["", *(label.replace("\n", " ") for label in _SIDES.values())], rows)


def _share(side: Mapping[str, Any], figure: str) -> str:
    low, high = side[f"{figure}_interval"]
    return f"{side[figure]:.1%} ({low:.1%} to {high:.1%})"


def draw(gap: Mapping[str, Any]) -> bytes:
    """The picture of both song accuracies, with their 95 % intervals, as SVG; equal figures give equal bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    with mpl.rc_context({"svg.hashsalt": PICTURE_NAME}):
        figure = Figure((8, 3), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12), facecolor="white")
        axis = figure.subplots()
        for place, name in enumerate(_SIDES):
            share, (low, high) = gap[name]["song_accuracy"], gap[name]["song_accuracy_interval"]
            axis.barh(place, share, height=0.6, color=_COLOURS[name])
            axis.plot([low, high], [place, place], color="black", linewidth=1.2, marker="|", markersize=10)
            axis.text(max(share, high) + 0.02, place, f"{share:.0%}", va="center", fontsize=26, fontweight="bold")
        axis.set_yticks(range(len(_SIDES)), _SIDES.values(), fontsize=13)
        axis.tick_params("y", length=0)
        axis.set_xticks([])
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.invert_yaxis()
        axis.set_xlim(0, 1.28)  # with room for 100 %
        figure.suptitle("One training, scored twice: songs given the right genre", fontsize=15, fontweight="bold")
        figure.supxlabel(SENTENCE, fontsize=11)
        sink = io.BytesIO()
        # Without the date and matplotlib's version in it.
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    return sink.getvalue()
