"""Scores: a model's probabilities for the windows of files, averaged to files and songs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FileScore:
    """A model's probabilities for a file, beside what the file is.

    Attributes
    ----------
    path : str
        The file's, as in the ledger.
    genre : str
        Its label, not the model's prediction.
    group : str
        The group that it was split by.
    song : str
        The song that it is a recording of; files of one song are scored together.
    window_probabilities : array, shape (windows, genres)
        The model's probabilities for each window, uncalibrated.
    temperature : float
        Applied to the file's probabilities, not to those of its windows.

    Examples
    --------
    >>> score = FileScore("a.mp3", "rock", "a", "a", np.array([[0.2, 0.8], [0.4, 0.6]], np.float32))
    >>> score.probabilities.round(2)
    array([0.3, 0.7], dtype=float32)
    """

    path: str
    genre: str
    group: str
    song: str
    window_probabilities: NDArray[np.float32]
    temperature: float = 1.0

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The file's probabilities: the mean over its windows, tempered, shape (genres,)."""
        return temper(self.window_probabilities.mean(axis=0), self.temperature)


def by_song(files: Sequence[FileScore]) -> list[FileScore]:
    """Merges the scores of files of one song and genre.

    Parameters
    ----------
    files : sequence of FileScore

    Returns
    -------
    list of FileScore
        One for each song and genre, with the windows of all its files, in the order of their first files.

    Examples
    --------
    >>> window = np.array([[0.5, 0.5]], np.float32)
    >>> files = [FileScore(path, "rock", "g", "one song", window) for path in ("a.mp3", "b.mp3")]
    >>> [score.window_probabilities.shape for score in by_song(files)]
    [(2, 2)]
    """
    members: dict[tuple[str, str], list[FileScore]] = {}
    for score in files:
        members.setdefault((score.song, score.genre), []).append(score)
    return [
        replace(some[0], window_probabilities=np.concatenate([score.window_probabilities for score in some]))
        for some in members.values()
    ]


def predicted_genre(probabilities: NDArray[np.float32], genres: Sequence[str]) -> str:
    """The most probable genre.

    Parameters
    ----------
    probabilities : array, shape (genres,)
    genres : sequence of str
        In the order of the probabilities.

    Examples
    --------
    >>> predicted_genre(np.array([0.2, 0.7, 0.1]), ("jazz", "pop", "rock"))
    'pop'
    """
    return genres[int(probabilities.argmax())]


def with_temperature(scores: Sequence[FileScore], temperature: float) -> list[FileScore]:
    """Scores whose probabilities are tempered once more: sharper below a temperature of 1, flatter above it."""
    return [replace(score, temperature=score.temperature * temperature) for score in scores]


def without_temperature(scores: Sequence[FileScore]) -> list[FileScore]:
    """Scores whose probabilities are not tempered."""
    return [replace(score, temperature=1.0) for score in scores]


def temper(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Divides log-probabilities by a temperature and normalises again; their order stays.

    Parameters
    ----------
    probabilities : array, shape (..., genres)
    temperature : float
        Below 1 sharpens, above 1 flattens.

    Examples
    --------
    >>> temper(np.array([0.2, 0.8], np.float32), 2.0).round(2)
    array([0.33, 0.67], dtype=float32)
    """
    if temperature == 1:
        return probabilities
    powers = np.maximum(probabilities, np.finfo(np.float32).tiny).astype(float) ** (1 / temperature)
    tempered: NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return tempered
