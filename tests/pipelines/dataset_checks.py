"""What must hold of every version of a dataset, computed anew from the songs' files."""

import hashlib
import io
from collections import defaultdict
from pathlib import Path

import numpy as np

from pipelines.audio import decode
from pipelines.dataset import records, tfrecord, versions
from pipelines.dataset.ledger import record_id
from pipelines.dataset.records import Record
from pipelines.dataset.sums import Sums
from pipelines.features.compute import compute

_made = {}


def check_version(dataset, songs):
    """Checks a version, the newest of its folder, of a corpus that is a folder of genre folders."""
    check_ledger(dataset, songs)
    check_shards(dataset)
    check_statistics(dataset)
    check_copies_at_the_top(dataset)


def check_ledger(dataset, songs):
    """All that was shown is accounted for, and every written file's record is what its file gives."""
    ledger = dataset.ledger()
    status = [file.status for file in ledger]
    assert dataset.shown == len(ledger) == dataset.songs + dataset.duplicates + sum(dataset.rejected.values())
    assert (status.count("written"), status.count("duplicate")) == (dataset.songs, dataset.duplicates)
    for file in ledger:
        assert bool(file.shard) == (file.status == "written") and bool(file.reason) >= (file.status == "rejected")
        if file.status == "written":
            framed = read_range(Path(dataset.url) / file.shard, file.offset, file.length)
            assert tfrecord.content_of(framed) == record_of(Path(songs) / file.path, file.genre, dataset.config)


def check_shards(dataset):
    """Each shard holds the records that the ledger puts there, and no others; all are of its fold."""
    members = defaultdict(list)
    for file in dataset.ledger():
        if file.status == "written":
            members[file.shard].append(file)
    assert sorted(members) == [shard.name for shard in dataset.shards]
    for shard in dataset.shards:
        content = (Path(dataset.url) / shard.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (shard.bytes, shard.sha256)
        assert {file.fold for file in members[shard.name]} == {shard.fold}
        assert sorted(file.record for file in members[shard.name]) == sorted(map(record_name, serialized(content)))


def check_statistics(dataset):
    """The sums of each fold are those of its records."""
    for name, fold in dataset.folds.items():
        contents = [(Path(dataset.url) / shard.name).read_bytes() for shard in dataset.shards_of([name])]
        held = [each for content in contents for each in serialized(content)]
        assert sum(fold.songs.values()) == len(held)
        for feature in dataset.features:
            wanted = Sums.total(Sums.of(records.decode(each).features[feature]) for each in held)
            assert fold.sums[feature].frames == wanted.frames
            np.testing.assert_allclose(fold.sums[feature].sum, wanted.sum, rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(fold.sums[feature].sum_of_squares, wanted.sum_of_squares, rtol=1e-5)


def check_copies_at_the_top(dataset):
    """What readers find at the top is the newest version's."""
    folder = Path(dataset.url)
    committed = Path(versions.json_url(dataset.url, versions.numbers(dataset.url)[-1])).read_bytes()
    assert (folder / "dataset.json").read_bytes() == committed == dataset.content()
    for split, folds in dataset.splits().items():
        assert (folder / f"{split}.txt").read_text().split() == [shard.name for shard in dataset.shards_of(folds)]


def record_of(path, genre, config):
    """The serialised record that a song's file gives, made here and now."""
    at = hashlib.sha256(path.read_bytes()).hexdigest(), genre, str(config.record_values())
    if at not in _made:
        recording = decode.load(str(path), config.audio)
        features = compute(recording.samples, config.audio.sample_rate_hz, config.features)
        record = Record(record_id(recording.content_hash, genre), genre, features)
        _made[at] = b"".join(records.serialise(record, config.shards.dtype)[1])
    return _made[at]


def read_range(path, offset, length):
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(length)


def serialized(content):
    """The serialised records of a shard's bytes."""
    return list(tfrecord.read_records(io.BytesIO(content)))


def record_name(content):
    return records.decode(content).id
