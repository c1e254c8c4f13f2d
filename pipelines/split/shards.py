"""Shards: which file of its fold a record goes to."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pipelines.config import BuildConfig
from pipelines.dataset.ledger import WRITTEN, File, written
from pipelines.dataset.quantisation import item_bytes
from pipelines.split.shard_arithmetic import shard_count, shard_indices

SUFFIX = ".tfrecord"


def shard_name(fold: str, index: int, count: int) -> str:
    """The file name of a fold's shard.

    >>> shard_name("fold-03", 0, 2)
    'fold-03-00000-of-00002.tfrecord'
    """
    return f"{fold}-{index:05d}-of-{count:05d}{SUFFIX}"


def bytes_per_second(config: BuildConfig) -> float:
    """How many bytes of features a record has for each second of audio.

    >>> config = BuildConfig.model_validate({"features": {"chroma": {"hop_length": 441}}})
    >>> bytes_per_second(config)  # 50 frames of 12 bins of 2 bytes
    1200.0
    """
    values = sum(
        feature.frame_rate_hz(config.audio.sample_rate_hz) * feature.bins for feature in config.features.chosen.values()
    )
    return values * item_bytes(config.shards.dtype)


def in_record_order(files: Sequence[File]) -> list[File]:
    """Files in the order of their records: by a hash of the path, so that any part of a shard holds every genre."""
    return sorted(files, key=lambda file: hashlib.sha256(file.path.encode()).digest())


def with_shards(files: Sequence[File], config: BuildConfig) -> list[File]:
    """Files with their shards: each fold in as few as `shards.size_mb` allows, of about equal size.

    Parameters
    ----------
    files : sequence of File
        With folds. Those that are not to be written pass unchanged.
    config : BuildConfig
    """
    folds: dict[str, list[File]] = defaultdict(list)
    for file in written(files):
        folds[file.fold].append(file)
    shard_of: dict[str, str] = {}
    for fold, members in folds.items():
        total_s = sum(file.duration_s for file in members)
        count = shard_count(total_s * bytes_per_second(config), config.shards.size_mb * 1e6)
        ordered = in_record_order(members)
        indices = shard_indices((file.duration_s for file in ordered), total_s, count)
        for file, index in zip(ordered, indices, strict=True):
            shard_of[file.path] = shard_name(fold, index, count)
    return [replace(file, shard=shard_of[file.path]) if file.status == WRITTEN else file for file in files]
