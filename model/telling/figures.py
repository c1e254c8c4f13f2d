"""The figures of a retraining: one list, for all systems that keep metrics."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from model.retraining.comparison import Comparison, Judged
from model.retraining.drift import Drift
from model.retraining.outcome import RunOutcome, What


@dataclass(frozen=True)
class Figure:
    """A number that a retraining has to tell.

    Attributes
    ----------
    name : str
        Lower case, with its unit at the end.
    about : str
        What it is, in a line.
    value : float
    labels : mapping
        Which of several of the name it is: `{"genre": "jazz"}`.
    """

    name: str
    about: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def figures(outcome: RunOutcome) -> Iterator[Figure]:
    """All figures of a run, as far as it came; those of a name come one after the other."""
    for what in get_args(What):
        about = "1 for how the last retraining ended, 0 for how it did not."
        yield Figure("retraining_outcome", about, float(outcome.what == what), {"what": what})
    if outcome.ended:
        ended_s = datetime.fromisoformat(outcome.ended).timestamp()
        yield Figure("retraining_ended_timestamp_seconds", "When the last retraining ended.", ended_s)
    yield Figure("retraining_alarms", "How many alarms the new songs raised.", len(outcome.alarms))
    for step, seconds in outcome.seconds.items():
        yield Figure("retraining_step_seconds", "How long each step took.", seconds, {"step": step})
    if outcome.dataset_version:
        yield Figure("dataset_version", "The newest version of the dataset.", outcome.dataset_version)
    for kind, count in outcome.songs.items():
        yield Figure("dataset_files", "Files of the corpus by what became of them.", count, {"kind": kind})
    for of, size in outcome.sizes.items():
        yield Figure("size_bytes", "What is on the disk.", size, {"of": of})
    if outcome.champion:
        yield Figure("champion", "1 for the bundle that is the champion.", 1.0, {"bundle": outcome.champion})
    if outcome.verdict is not None:
        yield from _of_comparison(outcome.verdict.comparison)
    if outcome.drift is not None:
        yield from _of_drift(outcome.drift)


def _of_comparison(comparison: Comparison) -> Iterator[Figure]:
    yield Figure("protected_songs", "Test songs that champion and challenger were compared on.", comparison.songs)
    yield Figure("protected_groups", "Groups of these songs.", comparison.groups)
    # The champion is the one before the verdict.
    judged = {"champion": comparison.champion, "challenger": comparison.challenger}
    sides = {of: side for of, side in judged.items() if side is not None}
    for name, about in _OF_ONE.items():
        for of, side in sides.items():
            yield Figure(name, about, _value(side, name), {"of": of})
    for of, side in sides.items():
        for genre, found in side.per_genre.items():
            yield Figure("genre_accuracy", "The share of a genre's songs.", found.accuracy, {"of": of, "genre": genre})
    for of, side in sides.items():
        for tempo, accuracy in side.tempos.items():
            about = "Song accuracy where the songs are played at another tempo."
            yield Figure("tempo_accuracy", about, accuracy, {"of": of, "tempo": tempo})
    if comparison.paired is not None:
        low, high = comparison.paired.interval
        yield Figure("gain", "The challenger's song accuracy less the champion's.", comparison.paired.gain)
        yield Figure("gain_low", "The lower end of its 95 % interval.", low)
        yield Figure("gain_high", "The upper end of its 95 % interval.", high)
        yield Figure("gain_p_value", "Of McNemar's exact test.", comparison.paired.p_value)


_OF_ONE = {
    "song_accuracy": "Song accuracy on the protected test songs.",
    "song_accuracy_low": "The lower end of its 95 % interval.",
    "song_accuracy_high": "The upper end of its 95 % interval.",
    "calibration_error": "The expected calibration error.",
    "log_loss": "The mean negative logarithm of the true genre's probability.",
    "seconds_per_song": "How long a song takes to be scored.",
    "training_seconds": "How long its training took.",
}


def _value(judged: Judged, name: str) -> float:
    if name in ("song_accuracy_low", "song_accuracy_high"):
        return judged.interval[name.endswith("_high")]
    return float(getattr(judged, name))


def _of_drift(drift: Drift) -> Iterator[Figure]:
    yield Figure("drift_new_songs", "Songs that the champion's version has not.", drift.new_songs)
    for feature, size in drift.effect_sizes.items():
        about = "Cohen's d of new songs against the champion's training songs."
        yield Figure("drift_effect_size", about, size, {"feature": feature})
    yield Figure("drift_genre_shares", "Total variation distance of the genres' shares.", drift.genre_shares)
    yield Figure("drift_predicted_mixture", "The same of the predicted mixtures.", drift.predicted_mixture)
    yield Figure("drift_out_of_distribution", "The share of new windows that are rejected.", drift.out_of_distribution)
    for reason, share in drift.rejects.items():
        yield Figure("drift_rejects", "The share of new files that are rejected.", share, {"reason": reason})
