"""A dataset's shards: fetched where they are remote, checked, and parsed in a `tf.data` graph."""

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsspec

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import tensors
from pipelines.dataset.dataset import Dataset

_BUFFER_BYTES = 1 << 20
_CACHE = Path("~/.cache/spectroshard").expanduser()


def local_paths(dataset: Dataset, folds: Sequence[str]) -> list[str]:
    """Local paths of the shards of some folds, each checked against its SHA-256.

    Shards of a remote dataset are downloaded once and cached in `~/.cache/spectroshard`.

    Raises
    ------
    UsageError
        The folds hold no song.
    SpectroshardError
        A shard is missing, damaged, or not the one that the dataset was published with.
    """
    shards = [shard for shard in dataset.shards_of(folds) if shard.songs]
    if not shards:
        raise UsageError(
            f"{dataset.url}: no songs in {', '.join(folds) or 'no fold'};"
            " folds.test and folds.validation say which folds a split has"
        )
    paths = [_local_path(storage.join(dataset.url, shard.name)) for shard in shards]
    for shard, path in zip(shards, paths, strict=True):
        _check(path, storage.version(path), shard.sha256)
    return paths


def _local_path(url: str) -> str:
    if storage.is_local(url):
        return str(storage.filesystem(url)[1])
    keep = {"cache_storage": str(_CACHE), "check_files": True}
    return str(fsspec.open_local(f"filecache::{url}", filecache=keep))


@functools.cache
def _check(path: str, version: str, sha256: str) -> None:
    """Refuses a file that is not the shard. Each version of a file is hashed once in a process."""
    try:
        with Path(path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SpectroshardError(f"{path}: cannot be read ({error.strerror}); build the dataset again") from error
    if found != sha256:
        raise SpectroshardError(
            f"{path}: is damaged, or of another build (SHA-256 {found[:12]}, dataset.json says {sha256[:12]});"
            " build the dataset again, in a new folder"
        )


def parsed_records(paths: str | Sequence[str], dataset: Dataset, features: Sequence[str]) -> Any:
    """A `tf.data.Dataset` of the records in some shards, as `pipelines.dataset.tensors.parse` gives them."""
    import tensorflow as tf

    def parse(serialized: Any) -> Any:
        return tensors.parse(serialized, features, dataset.config.shards.dtype)

    return tf.data.TFRecordDataset(paths, buffer_size=_BUFFER_BYTES).map(parse, tf.data.AUTOTUNE, deterministic=True)
