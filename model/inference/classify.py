"""Classification: a model's probabilities for the windows of songs, in batches that cross songs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.data import batches
from model.inference.scores import FileScore
from model.networks.windows import FrameSlice, Windows
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File, written
from pipelines.dataset.records import ID

_WINDOWS_AT_ONCE = 64

Key = TypeVar("Key")
WindowArrays = Mapping[str, NDArray[np.float32]]
"""The normalised windows of a song by feature, shape (windows, frames, bins)."""


def score_files(
    model: Any,
    dataset: Dataset,
    folds: Sequence[str],
    windows: Windows,
    frame_slice: FrameSlice | None = None,
    temperature: float = 1.0,
    files: Sequence[File] | None = None,
) -> Iterator[FileScore]:
    """Scores the files of some folds, in the order of the shards.

    Parameters
    ----------
    model : keras.Model
    dataset : Dataset
    folds : sequence of str
    windows : Windows
    frame_slice : callable
        Which part of each file is scored. Default: all of it.
    temperature : float
        Of the scores.
    files : sequence of File
        Rows of the ledger: which files are scored. Default: all.

    Yields
    ------
    FileScore
    """
    file_of = {file.record: file for file in (written(dataset.ledger()) if files is None else files)}
    songs = (
        (file_of[song[ID].decode()], song["windows"])
        for song in batches.whole_songs(dataset, folds, windows, frame_slice).as_numpy_iterator()
        if song[ID].decode() in file_of
    )
    for file, probabilities in classify(model, songs):
        yield FileScore(file.path, file.genre, file.group, file.song_or_path, probabilities, temperature)


def classify(model: Any, songs: Iterable[tuple[Key, WindowArrays]]) -> Iterator[tuple[Key, NDArray[np.float32]]]:
    """A model's probabilities for songs' windows; windows of several songs share a batch.

    Parameters
    ----------
    model : keras.Model
    songs : iterable of (key, inputs)

    Yields
    ------
    key
    probabilities : array, shape (windows, genres)
    """
    waiting: list[tuple[Key, WindowArrays]] = []
    count = 0
    for song in songs:
        waiting.append(song)
        count += _length(song[1])
        if count >= _WINDOWS_AT_ONCE:
            yield from _classify_together(model, waiting)
            waiting, count = [], 0
    if waiting:
        yield from _classify_together(model, waiting)


def _classify_together(
    model: Any, songs: Sequence[tuple[Key, WindowArrays]]
) -> Iterator[tuple[Key, NDArray[np.float32]]]:
    together = {name: np.concatenate([windows[name] for _, windows in songs]) for name in songs[0][1]}
    ends = np.cumsum([_length(windows) for _, windows in songs])
    # Keras's `predict` makes a `tf.data.Dataset` of its input, which takes longer than a small network does.
    parts = [
        model.predict_on_batch({name: windows[start : start + _WINDOWS_AT_ONCE] for name, windows in together.items()})
        for start in range(0, ends[-1], _WINDOWS_AT_ONCE)
    ]
    for (key, _), part in zip(songs, np.split(np.concatenate(parts), ends[:-1]), strict=True):
        yield key, part


def _length(windows: WindowArrays) -> int:
    return len(next(iter(windows.values())))
