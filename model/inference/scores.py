"""Scores: the probabilities that a model gives the windows of a file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FileScore:
    """A file as a model heard it.

    Attributes
    ----------
    path, genre, group : str
        What it is; its own genre, not the model's.
    song : str
        The song that it is of; files of one song are judged together.
    segments : array, shape (windows, genres)
        Each window's probabilities, as the network gives them.
    temperature : float
        That at which the file's probabilities are told.
    """

    path: str
    genre: str
    group: str
    song: str
    segments: NDArray[np.float32]
    temperature: float = 1.0

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The file's distribution over genres: the mean of its windows', at its temperature, shape (genres,)."""
        return temper(self.segments.mean(axis=0), self.temperature)


def by_song(files: Sequence[FileScore]) -> list[FileScore]:
    """Files of one song and genre as one, in the order of their first files."""
    members: dict[tuple[str, str], list[FileScore]] = {}
    for score in files:
        members.setdefault((score.song, score.genre), []).append(score)
    return [replace(some[0], segments=np.concatenate([s.segments for s in some])) for some in members.values()]


def with_temperature(scores: Sequence[FileScore], temperature: float) -> list[FileScore]:
    """Scores whose probabilities are sharper, below a temperature of 1, or flatter, above it."""
    return [replace(score, temperature=score.temperature * temperature) for score in scores]


def temper(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Distributions, shape (..., genres), whose logarithms are divided by a temperature: none changes its order."""
    if temperature == 1:
        return probabilities
    powers = np.maximum(probabilities, np.finfo(np.float32).tiny).astype(float) ** (1 / temperature)
    tempered: NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return tempered
