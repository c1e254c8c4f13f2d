"""The description of the version that a run has made: everything is counted against the plan, and looked at."""

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import pydantic

from pipelines.build.runs.run import COPIES, HISTORY, SONGS, Run
from pipelines.build.steps import fingerprints
from pipelines.build.steps.assemble import Assembled, result_url
from pipelines.build.steps.gather import kept_fingerprints
from pipelines.build.steps.plan import planned_shards
from pipelines.common import checksum, parquet, storage
from pipelines.common.errors import SpectroshardError
from pipelines.config import BuildConfig
from pipelines.copies.search import RECALL, SEARCH_VERSION
from pipelines.dataset import dataset as tables
from pipelines.dataset import ledger, versions
from pipelines.dataset.dataset import Dataset, FeatureInfo, Fold, Search, Shard, Table
from pipelines.dataset.ledger import DUPLICATE, File, written
from pipelines.dataset.shard_sums import ShardSums
from pipelines.dataset.sums import Sums
from pipelines.dataset.unknown import Unknown
from pipelines.split.evidence import ARTIST

_MOST_FINGERPRINT_FILES = 8


def describe(run: Run) -> Dataset:
    """The version that a run has made; its tables are written for that."""
    request, parent = run.request, run.parent
    results = _results(run)
    before = {shard.name: shard for shard in parent.shards} if parent and parent.url == request.output else {}
    files = _placed(parquet.read(run.plan(SONGS), File), results)
    shard_of = before | {result.shard.name: result.shard for result in results}
    shards = tuple(shard_of[name] for name in sorted({file.shard for file in written(files)}))
    _check_shards(request.output, shards)
    sums = _sums(shards, results, parent)
    with tempfile.TemporaryDirectory() as folder:
        url_of = {
            tables.SONGS: storage.join(folder, tables.SONGS),
            tables.SUMS: storage.join(folder, tables.SUMS),
            tables.HISTORY: run.plan(HISTORY),
            tables.COPIES: run.plan(COPIES),
            tables.READINGS: run.readings,
        }
        parquet.write(url_of[tables.SONGS], File, files)
        parquet.write(url_of[tables.SUMS], ShardSums, sums)
        written_tables = {name: (_copied(request.output, name, url),) for name, url in url_of.items()}
    return Dataset(
        url=request.output,
        version=request.version,
        ancestors=(*parent.ancestors, parent.digest) if parent else (),
        config=request.config,
        root=request.root,
        listing=request.listing,
        reading=request.reading,
        genres=tuple(sorted({file.genre for file in written(files)})),
        features=_features(request.config),
        folds=_folds(files, shards, sums, list(request.config.features.chosen)),
        shards=shards,
        tables=written_tables | {tables.FINGERPRINTS: _fingerprints(run, parent)},
        search=Search(version=SEARCH_VERSION, recordings=parquet.count_rows(run.contents), recall=RECALL),
        shown=len(files),
        duplicates=sum(file.status == DUPLICATE for file in files),
        rejected=ledger.count_rejects(files),
        unknown=Unknown.of(files, ARTIST.key),
    )


def _results(run: Run) -> list[Assembled]:
    """What became of each shard of the plan."""
    urls = [result_url(run, planned) for planned in planned_shards(run)]
    return list(map(_result, urls))


def _result(url: str) -> Assembled:
    try:
        return Assembled.model_validate_json(storage.read_bytes(url))
    except (FileNotFoundError, pydantic.ValidationError) as error:
        raise SpectroshardError(
            f"{url}: is missing or damaged; nothing is published, run the same command again"
        ) from error


def _placed(files: Sequence[File], results: Sequence[Assembled]) -> list[File]:
    """Files with the places of their records; a duplicate is where its original is."""
    place_of: dict[tuple[str, str], tuple[str, int, int]] = {}
    members: dict[str, list[str]] = defaultdict(list)
    for file in written(files):
        members[file.shard].append(file.record)
    for result in results:
        ids, lengths = sorted(members[result.planned]), result.lengths
        if len(ids) != len(lengths):
            raise SpectroshardError(f"{result.shard.name}: has {len(lengths)} records, the plan has {len(ids)} in it")
        for record, length, end in zip(ids, lengths, accumulate(lengths), strict=True):
            place_of[result.planned, record] = result.shard.name, end - length, length
    return [
        replace(file, shard=place[0], offset=place[1], length=place[2])
        if (place := place_of.get((file.shard, file.record)))
        else file
        for file in files
    ]


def _check_shards(output: str, shards: Sequence[Shard]) -> None:
    """Looks at every shard that is to be published: the version must not name what is not there."""
    sizes = versions.shard_sizes(output)
    for shard in shards:
        found = sizes.get(shard.name)
        if found != shard.bytes:
            there = "is missing" if found is None else f"has {found} bytes, expected {shard.bytes}"
            raise SpectroshardError(
                f"{storage.join(output, shard.name)}: {there}; nothing is published, run the same command again"
            )


def _sums(shards: Sequence[Shard], results: Sequence[Assembled], parent: Dataset | None) -> list[ShardSums]:
    """The sums of every shard, those that stay from the parent's table."""
    rows = {
        (result.shard.name, feature): ShardSums.of(result.shard.name, feature, sums)
        for result in results
        for feature, sums in result.sums.items()
    }
    kept = {shard.name for shard in shards}
    if parent:
        earlier = {(row.shard, row.feature): row for row in parent.rows(tables.SUMS, ShardSums) if row.shard in kept}
        rows = earlier | rows
    return [rows[key] for key in sorted(rows)]


def _folds(
    files: Sequence[File], shards: Sequence[Shard], sums: Sequence[ShardSums], features: Sequence[str]
) -> dict[str, Fold]:
    members: dict[str, list[File]] = defaultdict(list)
    for file in written(files):
        members[file.fold].append(file)
    fold_of = {shard.name: shard.fold for shard in shards}
    parts: dict[tuple[str, str], list[Sums]] = defaultdict(list)
    for row in sums:
        parts[fold_of[row.shard], row.feature].append(row.sums)
    return {
        fold: Fold(
            songs=dict(sorted(Counter(file.genre for file in members[fold]).items())),
            duration_s=sum(file.duration_s for file in members[fold]),
            sums={name: Sums.total(parts[fold, name]) for name in features},
        )
        for fold in sorted(members)
    }


def _features(config: BuildConfig) -> dict[str, FeatureInfo]:
    return {
        name: FeatureInfo(
            bins=feature.bins,
            frame_rate_hz=feature.frame_rate_hz(config.audio.sample_rate_hz),
            dtype=config.shards.dtype,
        )
        for name, feature in config.features.chosen.items()
    }


def _copied(output: str, table: str, url: str) -> Table:
    """The entry of a table's file, which is copied to where its content names it: in pieces, as it may be large."""
    with storage.local_copy(url) as path:
        sha256, rows = checksum.sha256(str(path)), parquet.count_rows(str(path))
        entry = Table(name=Table.name_of(table, sha256), rows=rows, bytes=path.stat().st_size, sha256=sha256)
        with storage.writing(storage.join(output, entry.name)) as local:
            shutil.copyfile(path, local)
    return entry


def _fingerprints(run: Run, parent: Dataset | None) -> tuple[Table, ...]:
    """The files of the fingerprints: the parent's, and one of those that are new; many are merged."""
    output, new = run.request.output, run.fingerprints
    kept = kept_fingerprints(run, parent)
    if parent and kept and parent.url == output and len(kept) < _MOST_FINGERPRINT_FILES:
        earlier = parent.tables[tables.FINGERPRINTS]
        return (*earlier, _copied(output, tables.FINGERPRINTS, new)) if parquet.count_rows(new) else earlier
    if kept:
        every = [*kept, new]
        new = run.path("merged.parquet")
        fingerprints.write_once(new, fingerprints.content_hashes(every), [], every)
    return (_copied(output, tables.FINGERPRINTS, new),)
