"""A split's windows as a PyTorch data set. Importing this needs PyTorch; nothing here needs TensorFlow."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from spectroshard.windows import count, cut

if TYPE_CHECKING:
    from spectroshard.dataset import Song, Split

_SHUFFLED_SONGS = 256

Window = tuple[dict[str, torch.Tensor], int]
"""Each feature, shape (frames, bins), and the label."""


class TorchWindows(IterableDataset):  # type: ignore[misc]
    """As `spectroshard.dataset.Split.to_torch` says."""

    def __init__(self, split: "Split", window_s: float, *, shuffle: bool, seed: int):
        super().__init__()
        self._split, self._windows = split, split.windows(window_s)
        self._shuffle, self._seed = shuffle, seed
        self._begun = 0

    def __iter__(self) -> Iterator[Window]:
        worker = get_worker_info()
        index, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        first, stop = (number * len(self._split) // workers for number in (index, index + 1))
        songs = self._split.read(first, stop)
        # A loader's workers begin each epoch anew, and know by their seed alone which it is.
        rng = np.random.default_rng([self._seed, self._begun, worker.seed if worker else 0])
        self._begun += 1
        for song in _shuffled(songs, rng) if self._shuffle else songs:
            yield from self._cut(song, rng)

    def _cut(self, song: "Song", rng: np.random.Generator) -> Iterator[Window]:
        """One window of a song at a random place, or all of them."""
        label = self._split.dataset.genres.index(song.genre)
        values = self._windows.normalise(song.features)
        name, length = next(iter(self._windows.frames.items()))
        shares = [rng.random()] if self._shuffle else np.linspace(0, 1, count(len(song[name]), length))
        for share in shares:
            arrays = {name: cut(array, self._windows.frames[name], share) for name, array in values.items()}
            yield {name: torch.from_numpy(array) for name, array in arrays.items()}, label


def _shuffled(songs: Iterator[Any], rng: np.random.Generator) -> Iterator[Any]:
    """Songs in a random order, as far as a few hundred at a time allow."""
    waiting: list[Any] = []
    for song in songs:
        if len(waiting) < _SHUFFLED_SONGS:
            waiting.append(song)
            continue
        place = int(rng.integers(len(waiting)))
        yield waiting[place]
        waiting[place] = song
    yield from (waiting[place] for place in rng.permutation(len(waiting)))
