"""Forged datasets, whose checksums are right: each is refused in a line that names the shard and the record."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.manifest_file import sealed
from pipelines.dataset import example_proto, records, tfrecord
from pipelines.dataset.check import check_dataset, check_shard, refuse_faults
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import record_id, written
from pipelines.dataset.record_check import examine
from pipelines.dataset.records import Record
from tests.pipelines.dataset import made


@pytest.fixture
def rows():
    return made.rows(songs=4)


def forged(tmp_path, monkeypatch, change, dtype="float16"):
    """A dataset whose first record was changed after it was serialised, its checksums made to fit."""
    serialise = records.serialise
    changed = []

    def serialise_wrongly(record, *how):
        serialized = b"".join(serialise(record, *how)[1])
        if not changed:
            changed.append(record.id)
            serialized = change(serialized)
        return len(serialized), iter([serialized])

    monkeypatch.setattr(records, "serialise", serialise_wrongly)
    config = made.CONFIG.model_copy(update={"shards": made.CONFIG.shards.model_copy(update={"dtype": dtype})})
    dataset = made.dataset(tmp_path / "d", made.rows(songs=4), config=config)
    return dataset, next(row for row in dataset.ledger() if row.record == changed[0])


def with_entry(key, entry):
    """Gives a serialised record another entry."""

    def change(serialized):
        entries = {k: feature.entry for k, feature in example_proto.parse(serialized).items()}
        entries = {k: kept for k, kept in entries.items() if k != key} | ({key: entry(key).begin} if entry else {})
        return example_proto.head(entries) + b"".join(entries[k] for k in sorted(entries))

    return change


def ints(*values):
    return lambda key: example_proto.ints_entry(key, values)


def text(value):
    return lambda key: example_proto.bytes_entry(key, value)


def floats(*values):
    return lambda key: example_proto.floats_entry(key, values)


def with_value(value):
    """Gives the first value of the first feature another value."""

    def change(serialized):
        data = example_proto.parse(serialized)["log_mel/data"].texts[0]
        harmed = np.frombuffer(data, "<f2").copy()
        harmed[0] = value
        return serialized.replace(data, harmed.tobytes())

    return change


MINUS_1 = (1 << 64) - 1  # as protobuf writes it

FORGERIES = {
    "another genre": (with_entry("genre", text(b"jazz")), "is of genre 'jazz', 'blues' by the ledger"),
    "another id": (with_entry("id", text(record_id("5f0c", "blues").encode())), "is another recording's"),
    "no genre": (with_entry("genre", None), "has no genre"),
    "no feature": (with_entry("log_mel/data", None), "has no log_mel/data"),
    "a feature more": (with_entry("mfcc/data", text(b"1234")), "has 'mfcc/data', of which dataset.json says nothing"),
    "NaN": (with_value(np.nan), "log_mel holds values that are not finite"),
    "infinity": (with_value(-np.inf), "log_mel holds values that are not finite"),
    "no frames": (with_entry("log_mel/shape", ints(0, 16)), "log_mel has shape (0, 16)"),
    "no data": (with_entry("log_mel/data", text(b"")), "log_mel has shape (47, 16) and 0 bytes"),
    "very many frames": (with_entry("log_mel/shape", ints(10**12, 16)), "log_mel has shape (1000000000000, 16)"),
    "fewer than no frames": (with_entry("log_mel/shape", ints(MINUS_1, 16)), "log_mel has shape (-1, 16)"),
    "other bins": (with_entry("log_mel/shape", ints(94, 8)), "expected 16 float16 values in each"),
    "one number for a shape": (with_entry("log_mel/shape", ints(752)), "log_mel has shape (752)"),
    "another dtype": (with_entry("log_mel/dtype", text(b"float32")), "is of type 'float32', dataset.json says float16"),
    "a text for a shape": (with_entry("log_mel/shape", text(b"47")), "log_mel has shape ()"),
    "a number for data": (with_entry("log_mel/data", ints(7)), "log_mel/data holds 0 texts"),
    "a key twice": (lambda serialized: serialized + serialized, "bytes, expected"),
    "no Example": (lambda serialized: b"\xff" * 50, "is no tf.train.Example"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_record_is_named(tmp_path, monkeypatch, forgery):
    change, message = FORGERIES[forgery]
    dataset, row = forged(tmp_path, monkeypatch, change)
    (fault,) = check_dataset(dataset)
    assert fault.startswith(f"{row.shard}: {row.path}: ") and message in fault
    shard = next(shard for shard in dataset.shards if shard.name == row.shard)
    assert check_shard(dataset, shard, [r for r in written(dataset.ledger()) if r.shard == shard.name]) == [fault]
    with pytest.raises(Exception, match="spectroshard verify tells"):
        refuse_faults(dataset, {shard.name: storage.join(dataset.url, shard.name)})


@pytest.mark.parametrize("scale", [(np.nan, 0.0), (1.0, np.inf), (1.0,)])
def test_a_scale_that_is_none_is_named(tmp_path, monkeypatch, scale):
    dataset, row = forged(tmp_path, monkeypatch, with_entry("log_mel/scale", floats(*scale)), "uint8")
    (fault,) = check_dataset(dataset)
    assert fault.startswith(f"{row.shard}: {row.path}: log_mel has the scale")


@pytest.mark.parametrize("dtype", ["float16", "uint8"])
def test_what_is_not_forged_passes(tmp_path, monkeypatch, dtype):
    dataset, _ = forged(tmp_path, monkeypatch, lambda serialized: serialized, dtype)
    assert check_dataset(dataset) == []


def test_a_length_without_room_is_named(tmp_path, monkeypatch):
    write_record = tfrecord.write_record
    monkeypatch.setattr(tfrecord, "write_record", lambda file, length, pieces: write_record(file, 2**62, pieces))
    dataset = made.dataset(tmp_path / "d", made.rows(songs=4))
    faults = check_dataset(dataset)
    assert len(faults) == len(dataset.shards)
    assert (
        f"{dataset.shards[0].name}: the TFRecord at byte 0 is damaged: it says that it has {2**62} bytes" in faults[0]
    )


def test_a_train_record_with_a_test_song_s_features_is_named(tmp_path, rows):
    test, train = (next(row for row in rows if row.fold == fold) for fold in ("fold-00", "fold-02"))
    dataset = made.dataset(tmp_path / "d", rows, lambda row: made.noise(test if row.path == train.path else row))
    row = next(row for row in dataset.ledger() if row.path == train.path)
    (fault,) = check_dataset(dataset)
    assert fault.startswith(f"{row.shard}: {train.path}: has the features of {test.path} in fold-00 (shards/000001/")


def test_a_record_in_two_shards_is_named(tmp_path, rows):
    again = replace(rows[0], path="blues/again.wav", fold="fold-02")
    dataset = made.dataset(tmp_path / "d", [*rows, again])
    assert any("holds it too" in fault for fault in check_dataset(dataset))


def test_a_ledger_that_is_not_what_the_shards_hold_is_named(tmp_path, rows):
    dataset = made.dataset(tmp_path / "d", rows)
    songs = dataset.ledger()
    moved, gone = songs[0], songs[1]
    other = next(row for row in songs if row.fold != moved.fold)
    songs[0] = replace(moved, fold=other.fold, shard=other.shard, offset=1)
    songs[1] = replace(gone, status="rejected", reason="silent", fold="", shard="")
    faults = check_dataset(made.with_table(dataset, "songs", songs))
    assert f"{moved.shard}: the record at byte {moved.offset}: the ledger has none there" in faults
    assert f"{other.shard}: does not hold {moved.path}, which the ledger has there" in faults
    assert f"{gone.shard}: the record at byte {gone.offset}: the ledger has none there" in faults
    assert any(fault.startswith("dataset.json: fold-00 has the songs ") for fault in faults)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        ("shards", "../out.tfrecord"),
        ("shards", "/tmp/out.tfrecord"),
        ("shards", "tables/fold-00-0000000000000000.tfrecord"),
        ("shards", "shards/000001/../../out.tfrecord"),
        ("songs", "../songs-0000000000000000.parquet"),
        ("songs", "/tmp/songs.parquet"),
    ],
)
def test_a_name_that_the_format_does_not_make_is_refused(dataset, tmp_path, table, name):
    said = json.loads(dataset.model_dump_json(indent=1))
    (said["shards"] if table == "shards" else said["tables"][table])[0]["name"] = name
    shutil.copytree(dataset.url, tmp_path / "d")
    (tmp_path / "d" / "dataset.json").write_bytes(sealed(json.dumps(said, indent=1).encode()))
    with pytest.raises(UsageError, match=rf"^{tmp_path}/d/dataset\.json: .*'{name}' is no name of a"):
        Dataset.load(str(tmp_path / "d"))


def test_counts_that_are_not_those_of_the_ledger_are_named(dataset):
    fold = dataset.folds["fold-00"]
    more = fold.model_copy(update={"songs": {**fold.songs, "blues": 7}, "duration_s": fold.duration_s + 1})
    wrong = dataset.model_copy(
        update={"folds": {**dataset.folds, "fold-00": more}, "genres": (*dataset.genres, "polka")}
    )
    assert [fault.split(" ")[1:3] for fault in check_dataset(wrong)] == [
        ["fold-00", "has"],
        ["fold-00", "has"],
        ["the", "genres"],
    ]


def test_features_that_are_not_those_of_the_configuration_are_named(dataset):
    info = dataset.features["log_mel"].model_copy(update={"bins": 10**12})
    faults = check_dataset(dataset.model_copy(update={"features": {**dataset.features, "log_mel": info}}))
    assert faults[0].startswith("dataset.json: log_mel is (1000000000000, 'float16')")


def test_damage_is_told_with_the_record_that_it_is_in(dataset, tmp_path):
    shutil.copytree(dataset.url, tmp_path / "d")
    copied = Dataset.load(str(tmp_path / "d"))
    shard = copied.shards[0]
    path = tmp_path / "d" / shard.name
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    fault = check_dataset(copied)[0]
    assert fault.startswith(f"{shard.name}: is damaged, or of another build (SHA-256 ")
    last = max(row.offset for row in copied.ledger() if row.shard == shard.name)
    assert fault.endswith(f"the content of the TFRecord at byte {last} is damaged")
    path.unlink()
    assert check_dataset(copied)[0] == f"{shard.name}: is missing"


def test_shards_that_passed_are_not_read_again(dataset, monkeypatch):
    url_of = {shard.name: storage.join(dataset.url, shard.name) for shard in dataset.shards}
    refuse_faults(dataset, url_of)
    monkeypatch.setattr(tfrecord, "read_records", lambda file: pytest.fail("read again"))
    refuse_faults(dataset, url_of)


@pytest.mark.parametrize("place", [0, 262_143, 262_144, -1])
def test_what_is_not_finite_is_found_wherever_it_is(dataset, place):
    values = np.full((40_000, 16), 65_504, np.float32)

    def examined():
        serialized = b"".join(records.serialise(Record("5f0c", "blues", {"log_mel": values}), "float16")[1])
        return examine(serialized, {"log_mel": dataset.features["log_mel"]})

    assert (examined().id, examined().genre) == ("5f0c", "blues")
    values.flat[place] = np.inf
    with pytest.raises(SpectroshardError, match="not finite"):
        examined()
