"""The comparison of a challenger with the champion: figures of both on the same protected test songs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from model.evaluation.metrics import accuracy_interval, measure
from model.inference import calibration
from model.inference.scores import FileScore, by_song
from pipelines.common.section import Section

_LEAST_PROBABILITY = 1e-6


class GenreAccuracy(Section):
    """The share of a genre's protected test songs that a bundle has right."""

    songs: int
    accuracy: float


class Judged(Section):
    """A bundle's figures on the protected test songs.

    Attributes
    ----------
    bundle : str
        Its version in the registry.
    song_accuracy : float
    interval : tuple of float
        Its 95 % interval, by the bootstrap over groups.
    per_genre : dict of GenreAccuracy
        Of each genre that has a song.
    calibration_error : float
        The expected calibration error.
    log_loss : float
        The mean negative logarithm of the true genre's probability.
    tempos : dict of float
        The song accuracy at each tempo, '0.8' to '1.25'; empty where it was not measured.
    size_bytes : int
        Of the model's file.
    seconds_per_song : float
        Measured while it scored these songs.
    training_seconds : float
        Of all epochs.
    """

    bundle: str
    song_accuracy: float
    interval: tuple[float, float]
    per_genre: dict[str, GenreAccuracy]
    calibration_error: float
    log_loss: float
    tempos: dict[str, float] = Field(default_factory=dict)
    size_bytes: int = 0
    seconds_per_song: float = 0.0
    training_seconds: float = 0.0


class Paired(Section):
    """How a challenger differs from the champion, song by song.

    Attributes
    ----------
    gain : float
        The challenger's song accuracy less the champion's.
    interval : tuple of float
        Its 95 % interval, by the paired bootstrap over groups.
    only_champion, only_challenger : int
        How many songs one has right and the other has not.
    p_value : float
        Of McNemar's exact test, two-sided: how likely so uneven a share of these songs is where both are equally good.
    """

    gain: float
    interval: tuple[float, float]
    only_champion: int
    only_challenger: int
    p_value: float


class Comparison(Section):
    """Champion and challenger on the same songs.

    Attributes
    ----------
    songs, groups : int
        How many protected test songs there are, and groups of them.
    test_songs, seen, unknown_genre : int
        How many files are in test; how many are left out as they share samples or a group with what either was trained
        on; and as they are of a genre that only one of both knows, or none.
    genres : tuple of str
        Those that both know, among which both choose.
    other_genres : tuple of str
        Those that only one of both knows.
    challenger : Judged
    champion : Judged or None
        None where there is none, or where it cannot be judged.
    paired : Paired or None
    alone : Judged or None
        The challenger on all protected test songs of its own genres, where the champion does not know all of these.
    not_judged : str
        Why the champion cannot be judged, or the challenger; empty where it can.
    """

    songs: int
    groups: int
    test_songs: int
    seen: int
    unknown_genre: int
    genres: tuple[str, ...]
    other_genres: tuple[str, ...] = ()
    challenger: Judged | None
    champion: Judged | None = None
    paired: Paired | None = None
    alone: Judged | None = None
    not_judged: str = ""


def among(scores: Sequence[FileScore], genres: Sequence[str], common: Sequence[str]) -> list[FileScore]:
    """Scores of a choice among some of a bundle's genres alone: the others' probabilities are shared out among these.

    Parameters
    ----------
    scores : sequence of FileScore
        Of songs of these genres.
    genres : sequence of str
        The bundle's, in the order of the probabilities.
    common : sequence of str
        Those that are chosen among, and their order in the result.

    Examples
    --------
    >>> window = np.array([[0.5, 0.3, 0.2]], np.float32)
    >>> score = FileScore("a.mp3", "jazz", "a", "a", window)
    >>> among([score], ("polka", "jazz", "rock"), ("jazz", "rock"))[0].window_probabilities.round(2)
    array([[0.6, 0.4]], dtype=float32)
    """
    columns = [list(genres).index(genre) for genre in common]
    found = []
    for score in scores:
        chosen = np.maximum(score.window_probabilities[:, columns], _LEAST_PROBABILITY)
        shares = (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32)
        found.append(replace(score, window_probabilities=shares))
    return found


def judge(bundle: str, scores: Sequence[FileScore], genres: Sequence[str], **measured: Any) -> Judged:
    """A bundle's figures.

    Parameters
    ----------
    bundle : str
        Its version in the registry.
    scores : sequence of FileScore
        At the bundle's temperature.
    genres : sequence of str
        In the order of the probabilities.
    **measured
        What is not in the scores, as fields of `Judged`.
    """
    metrics, songs = measure(scores, genres), by_song(scores)
    true = np.array([song.probabilities[genres.index(song.genre)] for song in songs])
    return Judged(
        bundle=bundle,
        song_accuracy=metrics["song_accuracy"],
        interval=metrics["song_accuracy_interval"],
        per_genre={
            row["genre"]: GenreAccuracy(songs=row["songs"], accuracy=row["recall"])
            for row in metrics["per_genre"]
            if row["songs"]
        },
        calibration_error=calibration.reliability(scores, genres)["expected_calibration_error"],
        log_loss=float(-np.log(np.maximum(true, _LEAST_PROBABILITY)).mean()),
        **measured,
    )


def pair(champion: Sequence[FileScore], challenger: Sequence[FileScore], genres: Sequence[str]) -> Paired:
    """How two bundles differ on the same songs.

    The bootstrap draws groups, and both bundles' songs of a group together.
    Source of the test: Q. McNemar, "Note on the Sampling Error of the Difference Between Correlated Proportions or
    Percentages", Psychometrika 12, 1947; exact, by the binomial distribution.

    Parameters
    ----------
    champion, challenger : sequence of FileScore
        Of the same files.
    genres : sequence of str
        In the order of the probabilities.

    Examples
    --------
    >>> def scores(*jazz):
    ...     return [FileScore(str(n), "jazz", str(n), str(n), np.array([[p, 1 - p]])) for n, p in enumerate(jazz)]
    >>> found = pair(scores(0.9, 0.2, 0.2, 0.2), scores(0.9, 0.9, 0.9, 0.2), ("jazz", "rock"))
    >>> found.gain, found.only_champion, found.only_challenger, found.p_value
    (0.5, 0, 2, 0.5)
    """
    from scipy.stats import binomtest

    first, second = _correct(champion, genres), _correct(challenger, genres)
    songs = by_song(challenger)
    difference = np.array([int(second[_key(song)]) - int(first[_key(song)]) for song in songs])
    lost, won = int((difference < 0).sum()), int((difference > 0).sum())
    return Paired(
        gain=float(difference.mean()),
        interval=accuracy_interval(difference, [song.group for song in songs]),
        only_champion=lost,
        only_challenger=won,
        p_value=float(binomtest(won, lost + won).pvalue) if lost + won else 1.0,
    )


def _correct(scores: Sequence[FileScore], genres: Sequence[str]) -> dict[tuple[str, str], bool]:
    return {_key(song): genres[int(song.probabilities.argmax())] == song.genre for song in by_song(scores)}


def _key(song: FileScore) -> tuple[str, str]:
    return song.song, song.genre
