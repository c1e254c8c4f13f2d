"""Shards: which file of its fold a record goes to."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from pipelines.config import BuildConfig
from pipelines.dataset.ledger import WRITTEN, File, written
from pipelines.dataset.quantisation import item_bytes
from pipelines.split.shard_arithmetic import shard_count, shard_indices

SUFFIX = ".tfrecord"


def shard_name(fold: str, index: int, count: int) -> str:
    """What the plan calls a fold's shard; the file is named by its content.

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


def in_record_order(files: Iterable[File]) -> list[File]:
    """Files in the order of their records: by the record's id, a hash, so that any part of a shard has every genre."""
    return sorted(files, key=attrgetter("record"))


def allot(files: Sequence[File], before: Collection[File], sizes: Mapping[str, int], config: BuildConfig) -> list[File]:
    """Files with their shards, new ones only where the version before has none for their records.

    A shard of the version before is kept if all of its records are still written, in the same fold. In folds that get
    new shards, those of less than half of `shards.size_mb` are not kept either, so that small ones do not add up. What
    is in no kept shard goes to new ones, in as few of each fold as `shards.size_mb` allows, of about equal size.

    So a fold that gets new shards has no more than 1 + 2 B / S shards then, of B bytes in all where S is the largest
    size; and beside what is new, what is copied is the rest of each shard that lost a record, and what was in small
    shards: of those that one version makes for a fold, one at most is much smaller than half.

    Parameters
    ----------
    files : sequence of File
        With folds and records. Those that are not to be written pass unchanged.
    before : collection of File
        The written files of the version before, if it has the same features; none for a dataset from nothing.
    sizes : dict
        The bytes of each of its shards.
    config : BuildConfig

    Returns
    -------
    list of File
        In the same order. In kept shards with their places there; in new ones, whose names only say which of their
        fold they are, without.

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", fold="test", record=f"{n}", duration_s=9.0) for n in range(2)]
    >>> {file.path: file.shard for file in allot(files, [], {}, BuildConfig())}
    {'0.wav': 'test-00000-of-00001.tfrecord', '1.wav': 'test-00000-of-00001.tfrecord'}
    """
    kept = _kept(files, before, sizes, config.shards.size_mb * 1e6 / 2)
    folds: dict[str, list[File]] = defaultdict(list)
    for file in written(files):
        if file.record not in kept:
            folds[file.fold].append(file)
    places = {record: (row.shard, row.offset, row.length) for record, row in kept.items()}
    for fold, members in folds.items():
        total_s = sum(file.duration_s for file in members)
        count = shard_count(total_s * bytes_per_second(config), config.shards.size_mb * 1e6)
        ordered = in_record_order(members)
        indices = shard_indices((file.duration_s for file in ordered), total_s, count)
        shards = [(shard_name(fold, index, count), 0, 0) for index in range(count)]
        places |= {file.record: shards[index] for file, index in zip(ordered, indices, strict=True)}
    return [_placed(file, places) for file in files]


def _kept(files: Sequence[File], before: Collection[File], sizes: Mapping[str, int], least: float) -> dict[str, File]:
    """The rows of the version before whose records stay where they are, by record."""
    fold_of = {file.record: file.fold for file in written(files)}
    broken = {row.shard for row in before if fold_of.get(row.record) != row.fold}
    whole = {row.record: row for row in before if row.shard not in broken}
    renewed = {fold for record, fold in fold_of.items() if record not in whole}
    return {record: row for record, row in whole.items() if row.fold not in renewed or sizes[row.shard] >= least}


def _placed(file: File, places: Mapping[str, tuple[str, int, int]]) -> File:
    if file.status != WRITTEN:
        return file
    shard, offset, length = places[file.record]
    return replace(file, shard=shard, offset=offset, length=length)
