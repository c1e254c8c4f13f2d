"""Excerpts: the features of scored songs, read from a dataset and drawn as pictures."""

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from model.networks.windows import Windows
from pipelines.common.output import html
from pipelines.common.output.plots import bare
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File
from pipelines.dataset.reading import read_record
from pipelines.dataset.records import Record

_MOST_COLUMNS, _MOST_ROWS = 640, 128
_RANGE_PERCENT = (5.0, 99.8)
_SILENT_SPREAD = 1e-2


def read_songs(dataset: Dataset, paths: Collection[str]) -> Iterator[tuple[File, Record]]:
    """Some files and their records, in the order of the shards."""
    files = [file for file in dataset.ledger() if file.path in paths]
    for file in sorted(files, key=lambda file: (file.fold, file.shard, file.offset)):
        record = read_record(dataset, file)
        if record is not None:
            yield file, record


def drawn_feature(windows: Windows) -> str:
    """The input that pictures show: the network's first, which windows are counted by too."""
    return next(iter(windows.frames))


def duration_s(record: Record, dataset: Dataset, windows: Windows) -> float:
    """The duration of a song, by its drawn feature."""
    name = drawn_feature(windows)
    return len(record.features[name]) / dataset.features[name].frame_rate_hz


def picture(
    values: NDArray[np.float32],
    rows: slice = slice(None),
    light: NDArray[np.float32] | None = None,
) -> str:
    """A part of a song's feature as the address of an image, a data URI.

    Parameters
    ----------
    values : array, shape (frames, bins)
        The whole song's: percentiles of it set the picture's range.
    rows : slice
        The frames to draw.
    light : array, shape (frames, bins)
        As `pipelines.common.output.plots.bare` takes it, for these rows.
    """
    low, high = np.percentile(values, _RANGE_PERCENT)
    scaled = _small((values[rows] - low) / max(high - low, 1e-6))
    return html.embedded(bare(scaled, None if light is None else _small(light)))


def _small(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return columns(columns(values).T, _MOST_ROWS).T


def is_silent(values: NDArray[np.float32]) -> bool:
    """Whether nine tenths of the cells are as low as the lowest, as with decibels at their floor."""
    return float(np.percentile(values, 90)) - float(values.min()) < _SILENT_SPREAD


def columns(values: NDArray[np.float32], most: int = _MOST_COLUMNS) -> NDArray[np.float32]:
    """Frames reduced to at most so many, by means over neighbours.

    Examples
    --------
    >>> columns(np.array([[1.0], [3.0], [5.0], [7.0]], np.float32), most=2).tolist()
    [[2.0], [6.0]]
    """
    if len(values) <= most:
        return values
    edges = np.linspace(0, len(values), most, endpoint=False).astype(int)
    counts = np.diff(np.append(edges, len(values)))
    means: NDArray[np.float32] = (np.add.reduceat(values, edges, axis=0).T / counts).T.astype(np.float32)
    return means
