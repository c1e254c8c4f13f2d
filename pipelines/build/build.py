"""The build: a corpus to a dataset, in three pipelines; what was stopped goes on where it was.

The first reads every song once and says what it is, or why it cannot be used; the second compares their fingerprints.
Then the plan is made, here and at once: groups, folds, shards. The third writes each shard in one worker.
`dataset.json` comes last.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.build.plan import Plan, plan
from pipelines.build.read_songs import ReadSongs
from pipelines.build.write_shards import WriteShards, shard_orders
from pipelines.common import parquet, storage
from pipelines.common.beam import jobs
from pipelines.common.beam.jobs import Json
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.section import digest
from pipelines.config import BuildConfig
from pipelines.corpus import listing
from pipelines.dataset import ledger
from pipelines.dataset.dataset import COPIES_NAME, LEDGER_NAME, Dataset, FeatureInfo, Fold, Shard, Sums
from pipelines.dataset.ledger import DUPLICATE, REJECTED, Copy, File
from pipelines.split import balance, history, shards
from pipelines.split.folds import LONE_GENRE

WORK_NAME = "_build"
"""The folder of a build that is not finished."""


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes
    ----------
    dataset : Dataset
    is_new : bool
        False where the dataset was there already, of this corpus and configuration.
    elapsed_s : float
    """

    dataset: Dataset
    is_new: bool
    elapsed_s: float


def build(config: BuildConfig, output: str, new_pipeline: NewPipeline) -> Built:
    """Builds a dataset.

    Parameters
    ----------
    config : BuildConfig
    output : str
        The dataset's folder, by path or fsspec URL: new, empty, or left by a build that was stopped.
    new_pipeline : callable
        Gives an empty pipeline; it is asked for three.

    Raises
    ------
    UsageError
        The output holds something else.
    SpectroshardError
        The corpus cannot be used, or too much of it was rejected. Nothing is published then.
    """
    started_s = time.monotonic()
    output = storage.absolute(output)
    existing = _existing(output, config)
    folder = storage.join(output, WORK_NAME)
    earlier = history.earlier_files(config.build.previous, config)
    entries = listing.list_files(config.corpus, storage.join(folder, "unpacked"))
    planned = plan(entries, earlier, config, folder, new_pipeline)
    orders = shard_orders(planned.songs, {entry.file.path: entry.location for entry in entries}, config)
    if existing is None:
        dataset = _write(planned, orders, config, output, new_pipeline)
    else:
        _refuse_other_songs(existing, planned)
        dataset = existing
    storage.remove(folder)
    return Built(dataset, existing is None, time.monotonic() - started_s)


def _write(planned: Plan, orders: list[Json], config: BuildConfig, output: str, new_pipeline: NewPipeline) -> Dataset:
    songs = planned.songs
    folder, ledger_url = storage.join(output, WORK_NAME), storage.join(output, LEDGER_NAME)
    ledger.write(ledger_url, songs)
    _refuse_rejects(songs, config, ledger_url)
    _refuse_unbalanced(songs, config, ledger_url)
    receipts = jobs.run(new_pipeline, WriteShards(folder, output), orders)
    late = {song_id: why for receipt in receipts for song_id, why in receipt["rejected"].items()}
    if late:
        jobs.forget(folder, ReadSongs.kind)  # what was read is no longer so
    after = [song.rejected_by_name(*late[song.path]) if song.path in late else song for song in songs]
    ledger.write(ledger_url, after)
    _refuse_rejects(after, config, ledger_url)
    _refuse_orphans(after, ledger_url)
    forgotten = history.forgotten(planned.earlier, after)
    history.save(output, forgotten)
    parquet.write(storage.join(output, COPIES_NAME), Copy, planned.copies)
    digests = {"plan": digest_of(planned), "history": history.digest_of(forgotten)}
    dataset = describe(after, digests, orders, receipts, config, output)
    _remove_strays(dataset)
    dataset.save()
    return dataset


def digest_of(plan: Plan) -> str:
    """A digest of a plan: which songs, with which content, are to be in which shard, wherever they lie; and what of
    earlier builds is to be remembered."""
    songs = [(s.shard, s.path, s.genre, s.group, s.content_hash) for s in ledger.written(plan.songs)]
    return digest([sorted(songs), history.digest_of(history.forgotten(plan.earlier, plan.songs))])


def describe(
    songs: Sequence[File],
    digests: Mapping[str, str],
    orders: Sequence[Json],
    receipts: Sequence[Json],
    config: BuildConfig,
    output: str,
) -> Dataset:
    """The description of a dataset, of its ledger, digests of plan and history, and its shards' orders and receipts."""
    written = ledger.written(songs)
    members: dict[str, list[File]] = defaultdict(list)
    for song in written:
        members[song.fold].append(song)
    sums: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for order, receipt in zip(orders, receipts, strict=True):
        if receipt["sums"]:
            sums[order["fold"]].append(receipt["sums"])
    features = config.features.chosen
    return Dataset(
        url=output,
        config=config,
        **digests,
        genres=tuple(sorted({song.genre for song in written})),
        features={
            name: FeatureInfo(
                bins=feature.bins,
                frame_rate_hz=config.audio.sample_rate_hz / feature.hop_length,
                dtype=config.shards.dtype,
            )
            for name, feature in features.items()
        },
        folds={
            fold: Fold(
                songs=dict(sorted(Counter(song.genre for song in members[fold]).items())),
                duration_s=sum(song.duration_s for song in members[fold]),
                sums={name: Sums.total(Sums.model_validate(part[name]) for part in sums[fold]) for name in features},
            )
            for fold in sorted(members)
        },
        shards=tuple(
            Shard(
                name=order["shard"],
                fold=order["fold"],
                songs=receipt["songs"],
                bytes=receipt["bytes"],
                sha256=receipt["sha256"],
            )
            for order, receipt in zip(orders, receipts, strict=True)
        ),
        shown=len(songs),
        duplicates=sum(song.status == DUPLICATE for song in songs),
        rejected=ledger.count_rejects(songs),
    )


def _existing(output: str, config: BuildConfig) -> Dataset | None:
    """The dataset at the output, if there is one; refuses an output that this build did not begin."""
    names = storage.names(output)
    if Dataset.json_name() in names:
        dataset = Dataset.load(output)
        if dataset.config.digest() != config.digest():
            changes = ", ".join(_changes(dataset.config, config))
            raise UsageError(f"{output}: is a dataset of another configuration ({changes}); give a new --output")
        return dataset
    if names and WORK_NAME not in names:
        raise UsageError(f"{output}: holds files that no build wrote ({names[0]}, ...); give a folder of its own")
    return None


def _changes(old: BuildConfig, new: BuildConfig) -> Iterator[str]:
    before, after = _flat(old.deciding()), _flat(new.deciding())
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{key} was {before.get(key)}, is {after.get(key)}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def _refuse_other_songs(existing: Dataset, planned: Plan) -> None:
    if existing.plan == digest_of(planned):
        return
    before, after = ({song.path: song for song in shown} for shown in (existing.ledger(), planned.songs))

    def differing(*keys: str) -> int:
        both = before.keys() & after.keys()
        return sum(any(getattr(before[i], key) != getattr(after[i], key) for key in keys) for i in both)

    storage.remove(storage.join(existing.url, WORK_NAME))
    more, fewer = after.keys() - before.keys(), before.keys() - after.keys()
    raise UsageError(
        f"{existing.url}: is a dataset of another corpus ({len(more)} files more, {len(fewer)} fewer,"
        f" {differing('status', 'genre', 'group', 'content_hash')} changed, {differing('fold')} in another fold),"
        " or was built from another --previous; give a new --output, and this one as --previous to keep its folds"
    )


def _refuse_rejects(songs: Sequence[File], config: BuildConfig, ledger_url: str) -> None:
    counts = ledger.count_rejects(songs)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    if sum(counts.values()) == len(songs):
        raise SpectroshardError(f"all {len(songs)} files were rejected ({reasons}); {ledger_url} has every error")
    # Whether a genre of one group stops a build is for folds.unbalanced to say.
    rejected = sum(count for reason, count in counts.items() if reason != LONE_GENRE.name)
    share, most = rejected / len(songs), config.build.max_reject_share
    if share > most:
        raise SpectroshardError(
            f"{rejected} of {len(songs)} files were rejected ({reasons}), {share:.1%} where build.max_reject_share"
            f" allows {most:.1%}; nothing is published, {ledger_url} has every error"
        )


def _refuse_orphans(songs: Sequence[File], ledger_url: str) -> None:
    """Refuses duplicates of what can be read no more; another build finds the best of what there is."""
    rejected = {song.path: song for song in songs if song.status == REJECTED}
    for song in songs:
        if song.status == DUPLICATE and song.copy_of in rejected:
            error = rejected[song.copy_of].error
            raise SpectroshardError(
                f"{song.copy_of} was to stand for its copies, and can be read no more ({error}); nothing is published,"
                f" run the same command again, {ledger_url} has every error"
            )


def _refuse_unbalanced(songs: Sequence[File], config: BuildConfig, ledger_url: str) -> None:
    groups = balance.oversized(songs, len({song.fold for song in ledger.written(songs)}))
    if groups and config.folds.unbalanced == "fail":
        raise SpectroshardError(
            f"{'; '.join(map(str, groups))}; nothing is published: fewer folds.count, folds.group_by: song or"
            f" folds.unbalanced: warn would go on, {ledger_url} has every group"
        )


def _remove_strays(dataset: Dataset) -> None:
    """Removes shards of a stopped build of another configuration, and what a killed process had not finished."""
    named = {shard.name for shard in dataset.shards}
    for name in storage.names(dataset.url):
        if (name.endswith(shards.SUFFIX) and name not in named) or storage.is_unfinished(name):
            storage.remove(storage.join(dataset.url, name))
