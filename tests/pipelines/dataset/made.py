"""Datasets of format 5 that are made of rows and arrays, for tests that need one and no build."""

import hashlib
import io
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from pipelines.audio import decode
from pipelines.common import parquet, storage
from pipelines.config import BuildConfig
from pipelines.corpus import listing, root
from pipelines.dataset import ledger, records, tfrecord, versions
from pipelines.dataset.dataset import (
    COPIES,
    FINGERPRINTS,
    HISTORY,
    READINGS,
    SONGS,
    SUMS,
    Dataset,
    FeatureInfo,
    Fold,
    Search,
    Shard,
    Table,
)
from pipelines.dataset.ledger import DUPLICATE, REJECTED, Copy, File, record_id
from pipelines.dataset.quantisation import dequantise, quantise, scale_of
from pipelines.dataset.readings import Fingerprint, Reading
from pipelines.dataset.records import Record
from pipelines.dataset.shard_sums import ShardSums
from pipelines.dataset.sums import Sums  # fmt: skip
from pipelines.dataset.unknown import Unknown
from pipelines.features.compute import compute
from pipelines.split.evidence import ARTIST

CONFIG = BuildConfig.model_validate(
    {
        "audio": {"sample_rate_hz": 8_000},
        "features": {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 16}, "spectral_centroid": {}},
        "folds": {"count": 4},
    }
)
SONGS_PER_SHARD = 3
_KINDS = {
    SONGS: File,
    HISTORY: File,
    COPIES: Copy,
    READINGS: Reading,
    SUMS: ShardSums,
    FINGERPRINTS: Fingerprint,
}


def content_hash(text):
    return hashlib.md5(text.encode()).hexdigest()


def rows(songs=6, genres=("blues", "jazz", "metal"), folds=4):
    """Rows of made-up songs of 1.5 s, dealt to folds by turns."""
    return [
        File(
            path=(path := f"{genre}/{genre}.{number:05d}.wav"),
            uri=path,
            genre=genre,
            group=f"file:{path}",
            fold=f"fold-{number % folds:02d}",
            duration_s=1.5,
            sample_rate_hz=8_000,
            channels=1,
            content_hash=content_hash(path),
        )
        for genre in genres
        for number in range(songs)
    ]


def noise(file, config=CONFIG):
    """A file's made-up features, by its content hash."""
    rng = np.random.default_rng(int(file.content_hash, 16))
    samples = round(file.duration_s * config.audio.sample_rate_hz)
    return {
        name: rng.uniform(-1, 1, (feature.frames(samples), feature.bins)).astype(np.float32)
        for name, feature in config.features.chosen.items()
    }


def dataset(
    url,
    files,
    features_of=noise,
    *,
    config=CONFIG,
    earlier=None,
    history=(),
    copies=(),
    fingerprints=None,
    at="/music",
):
    """Writes and publishes a version of a dataset.

    Parameters
    ----------
    url : path
        Its folder.
    files : list of File
        Its ledger; shards, places and records are filled in here.
    features_of : callable
        Gives a file's features.
    earlier : Dataset
        The version that it goes on from.
    fingerprints : dict
        By content hash. Default: made-up ones of all that is written.
    """
    url, number = str(url), earlier.version + 1 if earlier else 1
    members = defaultdict(list)
    for file in files:
        if file.status == ledger.WRITTEN:
            members[file.fold].append(replace(file, record=record_id(file.content_hash, file.genre)))
    shards, placed, shard_sums, sums = [], {}, [], defaultdict(lambda: defaultdict(list))
    for fold, of_fold in sorted(members.items()):
        for start in range(0, len(of_fold), SONGS_PER_SHARD):
            some = of_fold[start : start + SONGS_PER_SHARD]
            content, places, of_shard = _shard(some, features_of, config)
            shard = _shard_of(fold, some, content, number, earlier)
            storage.write_bytes(storage.join(url, shard.name), content)
            shards.append(shard)
            shard_sums += [ShardSums.of(shard.name, name, Sums.total(parts)) for name, parts in of_shard.items()]
            for name, parts in of_shard.items():
                sums[fold][name] += parts
            for file, (offset, length) in zip(some, places, strict=True):
                placed[file.path, file.genre] = replace(file, shard=shard.name, offset=offset, length=length)
    songs = [placed.get((file.path, file.genre), file) for file in files]
    every = [*ledger.written(songs), *history]
    if fingerprints is None:
        fingerprints = {file.content_hash: b"" if file.duration_s < 3 else content_of(file) for file in every}
    tables = {
        SONGS: songs,
        HISTORY: history,
        COPIES: copies,
        READINGS: [_reading(file) for file in songs],
        SUMS: shard_sums,
        FINGERPRINTS: [Fingerprint(*pair) for pair in sorted(fingerprints.items()) if pair[1]],
    }
    made = Dataset(
        url=url,
        version=number,
        ancestors=(*earlier.ancestors, earlier.digest) if earlier else (),
        config=config,
        root=at,
        listing="",
        reading="",
        genres=tuple(sorted({file.genre for file in ledger.written(songs)})),
        features=_features(config),
        folds={fold: _fold(of_fold, sums[fold]) for fold, of_fold in sorted(members.items())},
        shards=tuple(shards),
        tables={name: (_table(url, name, _KINDS[name], some),) for name, some in tables.items()},
        search=Search(version=1, recordings=len(fingerprints), recall="99 % of crops of ten seconds"),
        shown=len(songs),
        duplicates=sum(file.status == DUPLICATE for file in songs),
        rejected=ledger.count_rejects(songs),
        unknown=Unknown.of(songs, ARTIST.key),
    )
    return published(made)


def published(made):
    """Publishes a version, in place of what may be there under its number."""
    storage.write_bytes(versions.json_url(made.url, made.version), made.content())
    versions.mend_copies(made)
    return made


def with_table(made, name, rows):
    """A dataset with other rows in a table, published in its place, checksums and all."""
    table = _table(made.url, name, _KINDS[name], rows)
    return published(made.model_copy(update={"tables": {**made.tables, name: (table,)}}))


def content_of(file):
    """A made-up fingerprint."""
    return hashlib.sha256(file.content_hash.encode()).digest()


def of_music(url, config):
    """A dataset of a corpus of real files, whose songs are dealt to folds by turns, each a group of its own."""
    at = root.root_of(config.corpus)
    files, features = [], {}
    turns = Counter()
    for entry in listing.list_files(config.corpus):
        recording = decode.load(entry.location, config.audio)
        file = replace(
            entry.file,
            uri=root.relative(entry.file.uri, at),
            group=f"file:{entry.file.path}",
            fold=f"fold-{turns[entry.file.genre] % config.folds.count:02d}",
            duration_s=len(recording.samples) / config.audio.sample_rate_hz,
            sample_rate_hz=recording.sample_rate_hz,
            channels=recording.channels,
            content_hash=recording.content_hash,
        )
        turns[file.genre] += 1
        files.append(file)
        features[file.path] = compute(recording.samples, config.audio.sample_rate_hz, config.features)
    return dataset(url, files, lambda file: features[file.path], config=config, at=at)


def _shard(files, features_of, config):
    sink, places, sums = io.BytesIO(), [], defaultdict(list)
    for file in files:
        record = Record(file.record, file.genre, features_of(file))
        for name, values in record.features.items():
            scale = scale_of(values, config.shards.dtype)
            sums[name].append(Sums.of(dequantise(quantise(values, config.shards.dtype, scale), scale)))
        length, pieces = records.serialise(record, config.shards.dtype)
        places.append((sink.tell(), length + tfrecord.FRAMING_BYTES))
        tfrecord.write_record(sink, length, pieces)
    return sink.getvalue(), places, sums


def _shard_of(fold, files, content, number, earlier):
    sha256 = hashlib.sha256(content).hexdigest()
    kept = {(shard.fold, shard.sha256): shard.name for shard in earlier.shards} if earlier else {}
    name = kept.get((fold, sha256), f"shards/{number:06d}/{fold}-{sha256[:16]}.tfrecord")
    return Shard(name=name, fold=fold, songs=len(files), bytes=len(content), sha256=sha256)


def _features(config):
    rate_hz = config.audio.sample_rate_hz
    return {
        name: FeatureInfo(bins=feature.bins, frame_rate_hz=feature.frame_rate_hz(rate_hz), dtype=config.shards.dtype)
        for name, feature in config.features.chosen.items()
    }


def _fold(files, sums):
    return Fold(
        songs=dict(sorted(Counter(file.genre for file in files).items())),
        duration_s=sum(file.duration_s for file in files),
        sums={name: Sums.total(parts) for name, parts in sums.items()},
    )


def _table(url, name, kind, some):
    content = parquet.encode(kind, some)
    sha256 = hashlib.sha256(content).hexdigest()
    table = Table(name=Table.name_of(name, sha256), rows=len(some), bytes=len(content), sha256=sha256)
    storage.write_bytes(storage.join(url, table.name), content)
    return table


def _reading(file):
    is_rejected = file.status == REJECTED
    return Reading(
        uri=file.uri,
        version="1",
        duration_s=file.duration_s,
        sample_rate_hz=file.sample_rate_hz,
        channels=file.channels,
        content_hash=file.content_hash,
        reason=file.reason,
        error=file.error,
        is_rejected=is_rejected,
    )
