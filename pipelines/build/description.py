"""The description of a built dataset: what `dataset.json` will say."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from pipelines.build.write_shards import ShardResult, ShardTask
from pipelines.config import BuildConfig
from pipelines.dataset import ledger
from pipelines.dataset.dataset import Dataset, FeatureInfo, Fold, Shard, Sums
from pipelines.dataset.ledger import DUPLICATE, File


def describe_dataset(
    files: Sequence[File],
    plan: str,
    history: str,
    tasks: Sequence[ShardTask],
    results: Sequence[ShardResult],
    config: BuildConfig,
    output: str,
) -> Dataset:
    """Describes a dataset whose shards are written.

    Parameters
    ----------
    files : sequence of File
        Its ledger.
    plan, history : str
        Their digests.
    tasks : sequence of ShardTask
    results : sequence of ShardResult
        Of each task.
    config : BuildConfig
    output : str
        Its folder.
    """
    return Dataset(
        url=output,
        config=config,
        plan=plan,
        history=history,
        genres=tuple(sorted({file.genre for file in ledger.written(files)})),
        features=_features(config),
        folds=_folds(files, tasks, results, list(config.features.chosen)),
        shards=tuple(
            Shard(name=task.shard, fold=task.fold, songs=result.records, bytes=result.bytes, sha256=result.sha256)
            for task, result in zip(tasks, results, strict=True)
        ),
        shown=len(files),
        duplicates=sum(file.status == DUPLICATE for file in files),
        rejected=ledger.count_rejects(files),
    )


def _features(config: BuildConfig) -> dict[str, FeatureInfo]:
    return {
        name: FeatureInfo(
            bins=feature.bins,
            frame_rate_hz=feature.frame_rate_hz(config.audio.sample_rate_hz),
            dtype=config.shards.dtype,
        )
        for name, feature in config.features.chosen.items()
    }


def _folds(
    files: Sequence[File], tasks: Sequence[ShardTask], results: Sequence[ShardResult], features: Sequence[str]
) -> dict[str, Fold]:
    members: dict[str, list[File]] = defaultdict(list)
    for file in ledger.written(files):
        members[file.fold].append(file)
    sums: dict[str, list[Mapping[str, Sums]]] = defaultdict(list)
    for task, result in zip(tasks, results, strict=True):
        if result.sums:
            sums[task.fold].append(result.sums)
    return {
        fold: Fold(
            songs=dict(sorted(Counter(file.genre for file in members[fold]).items())),
            duration_s=sum(file.duration_s for file in members[fold]),
            sums={name: Sums.total(part[name] for part in sums[fold]) for name in features},
        )
        for fold in sorted(members)
    }
