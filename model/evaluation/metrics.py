"""Scores: what a model's probabilities over songs it never saw are worth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.inference.scores import FileScore, by_song, predicted_genre

_RESAMPLES = 2000


def measure(scores: Sequence[FileScore], genres: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """All figures over some songs, as plain values.

    A song's distribution is the mean over its windows, in whichever of its files they are, at their temperature.

    Parameters
    ----------
    scores : sequence of FileScore
    genres : sequence of str
        In the order of the probabilities.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        `songs`, `files`, `segments`; `song_accuracy` and its 95 % interval `song_accuracy_interval`; `file_accuracy`,
        `segment_accuracy` and its `segment_accuracy_interval`; `macro_f1` (of songs, over the genres that occur),
        `per_genre`, and `confusion`, a row for each true genre, of songs.
    """
    songs = by_song(scores)
    true = np.array([genres.index(song.genre) for song in songs])
    said = np.array([genres.index(predicted_genre(song.probabilities, genres)) for song in songs])
    confusion = np.zeros((len(genres), len(genres)), int)
    np.add.at(confusion, (true, said), 1)
    per_genre = [_genre_figures(genre, confusion, index) for index, genre in enumerate(genres)]
    own = np.concatenate([np.full(len(score.window_probabilities), genres.index(score.genre)) for score in scores])
    segment_right = np.concatenate([s.window_probabilities for s in scores]).argmax(axis=1) == own
    segment_groups = [score.group for score in scores for _ in score.window_probabilities]
    return {
        "songs": len(songs),
        "files": len(scores),
        "segments": len(own),
        "song_accuracy": float((true == said).mean()),
        "song_accuracy_interval": _interval(true == said, [song.group for song in songs], seed),
        "file_accuracy": float(np.mean([predicted_genre(s.probabilities, genres) == s.genre for s in scores])),
        "segment_accuracy": float(segment_right.mean()),
        "segment_accuracy_interval": _interval(segment_right, segment_groups, seed),
        "macro_f1": float(np.mean([row["f1"] for row in per_genre if row["songs"]])),
        "per_genre": per_genre,
        "confusion": confusion.tolist(),
    }


def _genre_figures(genre: str, confusion: NDArray[Any], index: int) -> dict[str, Any]:
    right, songs, said = confusion[index, index], confusion[index].sum(), confusion[:, index].sum()
    return {
        "genre": genre,
        "songs": int(songs),
        "precision": float(right / said) if said else 0.0,
        "recall": float(right / songs) if songs else 0.0,
        "f1": float(2 * right / (songs + said)) if songs + said else 0.0,
    }


def _interval(right: NDArray[np.bool_], groups: Sequence[str], seed: int) -> tuple[float, float]:
    """The 95 % bootstrap interval of the share of right songs, or segments.

    Those of a group are drawn together: songs of one artist are not independent of each other.
    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentiles).
    """
    _, member_of = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member_of)
    hits = np.bincount(member_of, weights=right)
    drawn = np.random.default_rng(seed).integers(len(sizes), size=(_RESAMPLES, len(sizes)))
    accuracies = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(accuracies, [2.5, 97.5])
    return float(low), float(high)
