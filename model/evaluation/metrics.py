"""Metrics of a model on songs that it was not trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.inference.scores import FileScore, by_song, predicted_genre

_RESAMPLES = 2000


def measure(scores: Sequence[FileScore], genres: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """All metrics of some files' scores, as plain values.

    A song's distribution is the mean over the windows of all its files, at their temperature.

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
        `songs`, `files`, `segments`: counts; `song_accuracy` and its 95 % interval `song_accuracy_interval`;
        `file_accuracy`, `segment_accuracy` and its `segment_accuracy_interval`; `macro_f1` of songs, over the genres
        that have any; `per_genre`: `genre`, `songs`, `precision`, `recall` and `f1`; `confusion`: the confusion matrix
        of songs, true genres in rows.

    Examples
    --------
    >>> def score(path, genre, *windows):
    ...     return FileScore(path, genre, path, path, np.array(windows, np.float32))
    >>> metrics = measure([score("a.mp3", "jazz", [0.8, 0.2]), score("b.mp3", "rock", [0.4, 0.6], [0.7, 0.3])],
    ...                   ("jazz", "rock"))
    >>> metrics["song_accuracy"], round(metrics["segment_accuracy"], 3)
    (0.5, 0.667)
    >>> metrics["confusion"]
    [[1, 0], [1, 0]]
    >>> metrics["per_genre"][0]
    {'genre': 'jazz', 'songs': 1, 'precision': 0.5, 'recall': 1.0, 'f1': 0.6666666666666666}
    """
    from sklearn.metrics import confusion_matrix

    songs = by_song(scores)
    true = np.array([genres.index(song.genre) for song in songs])
    predicted = np.array([genres.index(predicted_genre(song.probabilities, genres)) for song in songs])
    per_genre = _per_genre(true, predicted, genres)
    counts = [len(score.window_probabilities) for score in scores]
    window_true = np.repeat([genres.index(score.genre) for score in scores], counts)
    window_correct = np.concatenate([score.window_probabilities for score in scores]).argmax(axis=1) == window_true
    window_groups = np.repeat([score.group for score in scores], counts)
    return {
        "songs": len(songs),
        "files": len(scores),
        "segments": len(window_true),
        "song_accuracy": float((true == predicted).mean()),
        "song_accuracy_interval": accuracy_interval(true == predicted, [song.group for song in songs], seed),
        "file_accuracy": float(np.mean([predicted_genre(s.probabilities, genres) == s.genre for s in scores])),
        "segment_accuracy": float(window_correct.mean()),
        "segment_accuracy_interval": accuracy_interval(window_correct, window_groups, seed),
        "macro_f1": float(np.mean([row["f1"] for row in per_genre if row["songs"]])),
        "per_genre": per_genre,
        "confusion": confusion_matrix(true, predicted, labels=range(len(genres))).tolist(),
    }


def _per_genre(true: NDArray[np.int64], predicted: NDArray[np.int64], genres: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each genre; 0 where they are undefined."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(true, predicted, labels=range(len(genres)), zero_division=0)
    return [
        {"genre": genre, "songs": int(songs), "precision": float(precision), "recall": float(recall), "f1": float(f1)}
        for genre, precision, recall, f1, songs in zip(genres, *columns, strict=True)
    ]


def accuracy_interval(
    correct: NDArray[np.bool_], groups: Sequence[str] | NDArray[np.str_], seed: int = 0
) -> tuple[float, float]:
    """The 95 % bootstrap interval of an accuracy.

    The bootstrap resamples groups, not songs: songs of one artist are not independent of each other.
    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentiles).

    Parameters
    ----------
    correct : array of bool, shape (n,)
        Whether each song, or window, is classified correctly. Of two models' differences, -1, 0 or 1 each, the
        interval is that of the mean difference.
    groups : sequence of str, length n
    seed : int

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> correct = np.arange(100) < 50
    >>> low, high = accuracy_interval(correct, [str(song) for song in range(100)])
    >>> f"{low:.2f} to {high:.2f}"
    '0.41 to 0.60'

    Songs of ten artists, each of whose songs are all correct or all wrong, tell less:

    >>> low, high = accuracy_interval(correct, [str(song // 10) for song in range(100)])
    >>> f"{low:.2f} to {high:.2f}"
    '0.20 to 0.80'
    """
    _, member_of = np.unique(groups, return_inverse=True)
    sizes = np.bincount(member_of)
    hits = np.bincount(member_of, weights=correct)
    rng = np.random.default_rng(seed)

    def resampled() -> float:
        drawn = rng.integers(len(sizes), size=len(sizes))  # one by one: of 100,000 groups all would take 1.6 GB
        return float(hits[drawn].sum() / sizes[drawn].sum())

    accuracies = [resampled() for _ in range(_RESAMPLES)]
    low, high = np.percentile(accuracies, [2.5, 97.5])
    return float(low), float(high)
