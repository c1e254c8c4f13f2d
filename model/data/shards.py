"""A dataset's shards: fetched where they are remote, checked, and parsed in a `tf.data` graph."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.dataset import check, tensors
from pipelines.dataset.dataset import Dataset

_BUFFER_BYTES = 1 << 20
_CACHE = Path("~/.cache/spectroshard").expanduser()


def local_paths(dataset: Dataset, folds: Sequence[str]) -> list[str]:
    """Local paths of the shards of some folds, each of which was checked: its SHA-256, and every record.

    Shards of a remote dataset are downloaded once and cached in `~/.cache/spectroshard`.

    Raises
    ------
    UsageError
        The folds hold no song.
    SpectroshardError
        A shard is missing or damaged, or its records are not what the dataset says.
    """
    shards = [shard for shard in dataset.shards_of(folds) if shard.songs]
    if not shards:
        raise UsageError(
            f"{dataset.url}: no songs in {', '.join(folds) or 'no fold'};"
            " folds.test and folds.validation say which folds a split has"
        )
    paths = [_local_path(storage.join(dataset.url, shard.name)) for shard in shards]
    check.refuse_faults(dataset, {shard.name: path for shard, path in zip(shards, paths, strict=True)})
    return paths


def _local_path(url: str) -> str:
    if storage.is_local(url):
        return str(storage.filesystem(url)[1])
    keep = {"cache_storage": str(_CACHE), "check_files": True}
    return str(fsspec.open_local(f"filecache::{url}", filecache=keep))


def parsed_records(paths: str | Sequence[str], dataset: Dataset, features: Sequence[str]) -> Any:
    """A `tf.data.Dataset` of the records in some shards, as `pipelines.dataset.tensors.parse` gives them."""
    import tensorflow as tf

    def parse(serialized: Any) -> Any:
        return tensors.parse(serialized, features, dataset.config.shards.dtype)

    return tf.data.TFRecordDataset(paths, buffer_size=_BUFFER_BYTES).map(parse, tf.data.AUTOTUNE, deterministic=True)
