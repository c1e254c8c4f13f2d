"""A split's windows as a PyTorch data set. Importing this needs PyTorch; nothing here needs TensorFlow."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

# The caller installs PyTorch; where types are checked it may be missing.
import torch  # pyright: ignore[reportMissingImports]
from torch.utils.data import IterableDataset, get_worker_info  # pyright: ignore[reportMissingImports]

from model.networks.windows import Windows
from spectroshard.song import Song
from spectroshard.windows import count, cut

_SHUFFLED_SONGS = 256

Window = tuple[dict[str, torch.Tensor], int]
"""Each feature, shape (frames, bins), and the label."""


class TorchWindows(IterableDataset):  # type: ignore[misc]
    """As `spectroshard.dataset.Split.to_torch` says.

    Parameters
    ----------
    read : callable
        Gives the songs from one number to before another.
    songs : int
        How many there are.
    genres : sequence of str
    windows : Windows
    shuffle : bool
    seed : int
    """

    def __init__(
        self,
        read: Callable[[int, int], Iterator[Song]],
        songs: int,
        genres: Sequence[str],
        windows: Windows,
        *,
        shuffle: bool,
        seed: int,
    ):
        super().__init__()
        self._read, self._songs, self._genres, self._windows = read, songs, genres, windows
        self._shuffle, self._seed = shuffle, seed
        self._begun = 0

    def __iter__(self) -> Iterator[Window]:
        worker = get_worker_info()
        index, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        first, stop = (number * self._songs // workers for number in (index, index + 1))
        songs = self._read(first, stop)
        # A loader's workers begin each epoch anew, and know by their seed alone which it is.
        rng = np.random.default_rng([self._seed, self._begun, worker.seed if worker else 0])
        self._begun += 1
        for song in _shuffled(songs, rng) if self._shuffle else songs:
            yield from self._cut(song, rng)

    def _cut(self, song: Song, rng: np.random.Generator) -> Iterator[Window]:
        """One window of a song at a random place, or all of them."""
        label = self._genres.index(song.genre)
        values = self._windows.normalise(song.features)
        name, length = next(iter(self._windows.frames.items()))
        shares = [rng.random()] if self._shuffle else np.linspace(0, 1, count(len(song[name]), length))
        for share in shares:
            arrays = {name: cut(array, self._windows.frames[name], share) for name, array in values.items()}
            yield {name: torch.from_numpy(array) for name, array in arrays.items()}, label


def _shuffled(songs: Iterator[Song], rng: np.random.Generator) -> Iterator[Song]:
    """Songs in a random order, as far as a few hundred at a time allow."""
    waiting: list[Song] = []
    for song in songs:
        if len(waiting) < _SHUFFLED_SONGS:
            waiting.append(song)
            continue
        place = int(rng.integers(len(waiting)))
        yield waiting[place]
        waiting[place] = song
    yield from (waiting[place] for place in rng.permutation(len(waiting)))
