"""Scores: what a model's probabilities over songs it never saw are worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2000


@dataclass(frozen=True)
class SongScore:
    """A song as a model heard it.

    Attributes
    ----------
    song_id, genre, group : str
        What it is; its own genre, not the model's.
    segments : array, shape (windows, genres)
        Each window's probabilities.
    """

    song_id: str
    genre: str
    group: str
    segments: NDArray[np.float32]

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The song's distribution over genres: the mean of its windows', shape (genres,)."""
        mean: NDArray[np.float32] = self.segments.mean(axis=0)
        return mean


def measure(scores: Sequence[SongScore], genres: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """All figures over some songs, as plain values.

    Parameters
    ----------
    scores : sequence of SongScore
    genres : sequence of str
        In the order of the probabilities.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        `songs`, `segments`, `song_accuracy` and its 95 % interval `song_accuracy_interval`, `segment_accuracy`,
        `macro_f1` (of songs, over the genres that occur), `per_genre`, and `confusion`, a row for each true genre.
    """
    true = np.array([genres.index(score.genre) for score in scores])
    said = np.array([int(np.argmax(score.probabilities)) for score in scores])
    segments_right = sum(int((s.segments.argmax(axis=1) == t).sum()) for s, t in zip(scores, true, strict=True))
    segments = sum(len(score.segments) for score in scores)
    confusion = np.zeros((len(genres), len(genres)), int)
    np.add.at(confusion, (true, said), 1)
    per_genre = [_genre_figures(genre, confusion, index) for index, genre in enumerate(genres)]
    return {
        "songs": len(scores),
        "segments": segments,
        "song_accuracy": float((true == said).mean()),
        "song_accuracy_interval": _interval(true == said, [score.group for score in scores], seed),
        "segment_accuracy": segments_right / segments,
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
    """The 95 % bootstrap interval of the share of right songs.

    Songs of a group are drawn together: three excerpts of one recording are not three independent songs.
    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentiles).
    """
    _, member_of = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member_of)
    hits = np.bincount(member_of, weights=right)
    drawn = np.random.default_rng(seed).integers(len(sizes), size=(_RESAMPLES, len(sizes)))
    accuracies = hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(accuracies, [2.5, 97.5])
    return float(low), float(high)
