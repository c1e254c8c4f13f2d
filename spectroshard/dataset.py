"""A dataset as a library's user meets it: its splits, their songs, and streams of windows for a framework."""

import functools
import itertools
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output.library_warnings import suppressed
from pipelines.config import SPLITS
from pipelines.dataset import dataset as stored
from pipelines.dataset import versions
from pipelines.dataset.dataset import SONGS, FeatureInfo
from pipelines.dataset.ledger import File
from spectroshard.song import Song

if TYPE_CHECKING:
    from model.data.shards import Shards
    from spectroshard.torch_windows import TorchWindows


class Dataset:
    """A built dataset, read where it lies.

    Parameters
    ----------
    manifest : pipelines.dataset.dataset.Dataset
        What its `dataset.json` says, as it stands.

    Examples
    --------
    >>> ds = spectroshard.load("dataset")  # doctest: +SKIP
    >>> ds  # doctest: +SKIP
    Dataset('dataset', 120 songs, 10 genres, log_mel)
    >>> len(ds), len(ds.split("test"))  # doctest: +SKIP
    (120, 20)
    >>> ds.songs.to_pandas().query("status == 'rejected'")["reason"]  # doctest: +SKIP
    """

    def __init__(self, manifest: stored.Dataset):
        self.manifest = manifest

    def __repr__(self) -> str:
        features = ", ".join(self.features)
        return f"Dataset({self.url!r}, {len(self)} songs, {len(self.genres)} genres, {features})"

    def __len__(self) -> int:
        """How many songs are in its splits."""
        return self.manifest.songs

    @property
    def url(self) -> str:
        """The folder, by path or fsspec URL."""
        return self.manifest.url

    @property
    def version(self) -> int:
        """Which version of the dataset it is, from 1."""
        return self.manifest.version

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres in the order of the labels: label 0 is the first."""
        return self.manifest.genres

    @property
    def features(self) -> dict[str, FeatureInfo]:
        """Each feature's `bins`, `frame_rate_hz` and `dtype` on disk, by name."""
        return self.manifest.features

    @property
    def songs(self) -> Any:
        """The ledger, a `pyarrow.Table` of a row for every file that the build was shown, whatever became of it."""
        import pyarrow

        return pyarrow.concat_tables(map(self.manifest.arrow, self.manifest.tables[SONGS]))

    @functools.cached_property
    def _file_of(self) -> dict[str, File]:
        """The ledger's rows by their records' ids."""
        from pipelines.dataset.reading import files_by_record

        return files_by_record(self.manifest)

    def split(self, name: str) -> "Split":
        """A split: `train`, `validation` or `test`.

        Raises
        ------
        UsageError
            There is no split of that name.
        """
        if name not in SPLITS:
            raise UsageError(f"no split {name!r}; a dataset has {', '.join(SPLITS)}")
        return Split(self, name, self.manifest.splits()[name])


@dataclass(frozen=True)
class Split:
    """One split of a dataset; iterating over it gives its songs, in the order of the shards.

    Shards of a remote dataset are fetched when they are needed, kept on this machine, and verified.

    Attributes
    ----------
    dataset : Dataset
    name : 'train', 'validation' or 'test'
    folds : tuple of str
        The folds that it consists of.
    """

    dataset: Dataset
    name: str
    folds: tuple[str, ...]

    def __len__(self) -> int:
        """How many songs it has."""
        return sum(shard.songs for shard in self.dataset.manifest.shards_of(self.folds))

    def __iter__(self) -> Iterator[Song]:
        return self.read(0, len(self))

    def read(self, first: int, stop: int) -> Iterator[Song]:
        """The songs from one number to before another, counted in the order of the shards."""
        from pipelines.dataset.reading import read_shard

        rates = {name: info.frame_rate_hz for name, info in self.dataset.features.items()}
        begin = 0
        for number, shard in enumerate(self._stored.shards if self._stored else ()):
            wanted = max(first - begin, 0), min(stop - begin, shard.songs)
            if self._stored and wanted[0] < wanted[1]:
                for record in itertools.islice(read_shard(self._stored.path(number)), *wanted):
                    times = {name: np.arange(len(values)) / rates[name] for name, values in record.features.items()}
                    file = self.dataset._file_of[record.id]
                    yield Song(file.path, file.genre, file.group, record.features, times)
            begin += shard.songs

    @functools.cached_property
    def _stored(self) -> "Shards | None":
        """The shards that hold songs; None where none do."""
        from model.data.shards import Shards

        return Shards(self.dataset.manifest, self.folds) if len(self) else None

    def to_tf(self, window_s: float = 3.0, batch_size: int = 32, *, shuffle: bool = False, seed: int = 0) -> Any:
        """Batches of windows, for `keras.Model.fit` or a loop of your own.

        Parameters
        ----------
        window_s : float
            A window's length. A song that is shorter is repeated to fill it.
        batch_size : int
        shuffle : bool
            False gives every window of every song, in order, side by side from its first frame to its last.
            True gives one window of each song, at a random place, and the songs shuffled: another order and other
            places each time that the stream is begun, so that one pass is one epoch.
        seed : int
            What `shuffle` depends on, and nothing else.

        Returns
        -------
        tf.data.Dataset
            Of (features, labels): a dict of each feature, float32, shape (batch, frames, bins), normalised bin by bin
            with the mean and deviation of the train split; and int64, shape (batch,), numbers in `Dataset.genres`.

        Examples
        --------
        >>> batches = ds.split("train").to_tf(window_s=3.0, batch_size=32, shuffle=True, seed=0)  # doctest: +SKIP
        >>> model.fit(batches, epochs=10)  # doctest: +SKIP
        """
        from spectroshard import tf_windows

        windows, training = self.windows(window_s), tf_windows.training(window_s, batch_size, seed)
        batches = tf_windows.shuffled if shuffle else tf_windows.in_order
        with suppressed():
            return batches(self.dataset.manifest, self.folds, windows, training)

    def to_torch(self, window_s: float = 3.0, *, shuffle: bool = False, seed: int = 0) -> "TorchWindows":
        """Windows for a `torch.utils.data.DataLoader`, whose workers share the songs out: each is in one worker only.

        Parameters
        ----------
        window_s : float
            A window's length. A song that is shorter is repeated to fill it.
        shuffle : bool
            As of `to_tf`. Within a worker, songs are shuffled among the few hundred that come next.
        seed : int
            What `shuffle` depends on, beside the loader's own generator.

        Returns
        -------
        torch.utils.data.IterableDataset
            Of (features, label): a dict of each feature, float32, shape (frames, bins), normalised as `to_tf` does;
            and a number in `Dataset.genres`.

        Raises
        ------
        SpectroshardError
            PyTorch, which is the user's to install, is not there.

        Examples
        --------
        >>> windows = ds.split("train").to_torch(window_s=3.0, shuffle=True)  # doctest: +SKIP
        >>> loader = torch.utils.data.DataLoader(windows, batch_size=32, num_workers=4)  # doctest: +SKIP
        """
        try:
            from spectroshard.torch_windows import TorchWindows
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise SpectroshardError("to_torch needs PyTorch, which is not installed: pip install torch") from error

        _ = self._stored  # so that local ones are verified here, and not by every worker
        return TorchWindows(
            self.read, len(self), self.dataset.genres, self.windows(window_s), shuffle=shuffle, seed=seed
        )

    def windows(self, window_s: float) -> Any:
        """The geometry and normalisation of windows, as `model.networks.windows.Windows`; of the train split alone."""
        from model.networks.windows import Windows

        manifest = self.dataset.manifest
        folds = [manifest.folds[fold] for fold in self.folds]
        mean_s = sum(fold.duration_s for fold in folds) / max(len(self), 1)
        if window_s > mean_s:
            warnings.warn(
                f"window_s={window_s:g} is longer than the mean song ({mean_s:.0f} s); shorter songs are repeated",
                stacklevel=3,
            )
        return Windows.of(manifest, list(manifest.features), window_s, manifest.splits()["train"])


def load(url: str | os.PathLike[str]) -> Dataset:
    """Opens a dataset.

    Parameters
    ----------
    url : str or path
        Its folder, by path or fsspec URL such as `s3://bucket/dataset`; `dataset@7` is its version 7. Default: the
        newest.

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        There is no dataset, or it is of another format.
    """
    return Dataset(versions.load(os.fspath(url)))
