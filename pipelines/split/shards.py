"""Shards: which file of its fold a song's record goes to."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pipelines.config import BuildConfig
from pipelines.dataset.ledger import WRITTEN, File, written

SUFFIX = ".tfrecord"
_ITEM_BYTES = {"float16": 2, "uint8": 1}


def shard_name(fold: str, index: int, count: int) -> str:
    """The file name of a fold's shard, as in `fold-03-00000-of-00002.tfrecord`."""
    return f"{fold}-{index:05d}-of-{count:05d}{SUFFIX}"


def bytes_per_second(config: BuildConfig) -> float:
    """How many bytes a second of audio takes in a record."""
    values = sum(
        config.audio.sample_rate_hz / feature.hop_length * feature.bins for feature in config.features.chosen.values()
    )
    return values * _ITEM_BYTES[config.shards.dtype]


def in_record_order(songs: Sequence[File]) -> list[File]:
    """Songs in the order of their records: by a hash, so that a stretch of a shard holds every genre."""
    return sorted(songs, key=lambda song: hashlib.sha256(song.path.encode()).digest())


def with_shards(songs: Sequence[File], config: BuildConfig) -> list[File]:
    """Songs with their shards: each fold in as few files as keep to `shards.size_mb`, of about equal size.

    Parameters
    ----------
    songs : sequence of File
        With folds. Those that are not to be written pass unchanged.
    config : BuildConfig
    """
    folds: dict[str, list[File]] = defaultdict(list)
    for song in written(songs):
        folds[song.fold].append(song)
    shard_of: dict[str, str] = {}
    for fold, members in folds.items():
        total_s = sum(song.duration_s for song in members)
        count = math.ceil(total_s * bytes_per_second(config) / (config.shards.size_mb * 1e6)) or 1
        before_s = 0.0
        for song in in_record_order(members):
            shard_of[song.path] = shard_name(fold, min(int(before_s / total_s * count), count - 1), count)
            before_s += song.duration_s
    return [replace(song, shard=shard_of[song.path]) if song.status == WRITTEN else song for song in songs]
