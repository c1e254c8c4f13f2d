"""A dataset's shards: fetched ahead of need where they are remote, checked, and parsed in a `tf.data` graph."""

import functools
from collections.abc import Sequence
from typing import Any

from model.data.cache import Cache
from model.data.workers import ALONE, Workers
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import check, ledger, tensors, versions
from pipelines.dataset.dataset import Dataset

_BUFFER_BYTES = 1 << 20
_AHEAD, _AT_ONCE = 4, 4


class Shards:
    """The shards of some folds. Each is checked before it is first read: its SHA-256, and every record.

    Local ones are checked at once. Those of a store are fetched into the cache of this machine when they are needed, as
    there may not be room for all, and checked then.

    Parameters
    ----------
    dataset : Dataset
    folds : sequence of str
    workers : Workers
        Of whom this process is one, with shards of its own.

    Attributes
    ----------
    shards : list of Shard
        Those that hold songs.

    Raises
    ------
    UsageError
        The folds hold no song, or fewer shards than there are workers.
    SpectroshardError
        A shard is missing or, of local ones, damaged, or its records are not what the dataset says.
    """

    def __init__(self, dataset: Dataset, folds: Sequence[str], workers: Workers = ALONE):
        self._dataset = dataset
        self.shards = [shard for shard in dataset.shards_of(folds) if shard.songs]
        if not self.shards:
            raise UsageError(
                f"{dataset.url}: no songs in {', '.join(folds) or 'no fold'};"
                " folds.test and folds.validation say which folds a split has"
            )
        self.shards = workers.own_shards(self.shards)
        self._urls = [storage.join(dataset.url, shard.name) for shard in self.shards]
        if storage.is_local(dataset.url):
            check.refuse_faults(dataset, {shard.name: url for shard, url in zip(self.shards, self._urls, strict=True)})
        else:
            self._cache, self._passed = Cache.of_environment(), set[int]()
            self._refuse_missing()

    def _refuse_missing(self) -> None:
        sizes = versions.shard_sizes(self._dataset.url)
        for shard, url in zip(self.shards, self._urls, strict=True):
            if shard.name not in sizes:
                raise SpectroshardError(f"{url}: is missing; spectroshard verify tells what else is wrong")

    def numbers(self) -> Any:
        """A `tf.data.Dataset` of the number of each shard."""
        import tensorflow as tf

        return tf.data.Dataset.range(len(self.shards))

    def paths(self, numbers: Any) -> Any:
        """A `tf.data.Dataset` of local paths of shards, by their numbers; the next few are there ahead of need."""
        import tensorflow as tf

        if storage.is_local(self._dataset.url):
            return numbers.map(lambda number: self._local_paths[number])

        def fetched(number: Any) -> Any:
            return tf.ensure_shape(
                tf.numpy_function(lambda number: self.path(number).encode(), [number], tf.string), []
            )

        return numbers.map(fetched, num_parallel_calls=_AT_ONCE, deterministic=True).prefetch(_AHEAD)

    def path(self, number: int) -> str:
        """The local path of a shard, which was checked."""
        shard, url = self.shards[number], self._urls[number]
        if storage.is_local(url):
            return str(storage.filesystem(url)[1])
        path = str(self._cache.fetch(url, shard))
        if number not in self._passed:  # the cache has the same bytes each time
            check.refuse_faults(self._dataset, {shard.name: path}, self._rows)
            self._passed.add(number)
        return path

    @functools.cached_property
    def _local_paths(self) -> Any:
        import tensorflow as tf

        with tf.init_scope():  # one tensor for all streams, also where it is first asked for while one is traced
            return tf.constant([self.path(number) for number in range(len(self.shards))])

    @functools.cached_property
    def _rows(self) -> Any:
        return check.rows_by_shard(ledger.written(self._dataset.ledger()))


def parsed_records(paths: Any, dataset: Dataset, features: Sequence[str]) -> Any:
    """A `tf.data.Dataset` of the records in some shards, as `pipelines.dataset.tensors.parse` gives them.

    Parameters
    ----------
    paths : str, tensor or tf.data.Dataset
        Local ones.
    dataset : Dataset
    features : sequence of str
    """
    import tensorflow as tf

    def parse(serialized: Any) -> Any:
        return tensors.parse(serialized, features, dataset.config.shards.dtype)

    return tf.data.TFRecordDataset(paths, buffer_size=_BUFFER_BYTES).map(parse, tf.data.AUTOTUNE, deterministic=True)
