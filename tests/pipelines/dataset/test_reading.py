import shutil
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset.ledger import File, record_id
from pipelines.dataset.reading import files_by_record, find_file, read_record, read_shard


def test_a_song_is_found_by_its_unmistakable_end(dataset):
    song = dataset.ledger()[0]
    assert find_file(dataset, song.path) == find_file(dataset, song.path[1:]) == song
    with pytest.raises(UsageError, match=f"{len(dataset.ledger())} songs end in ''"):
        find_file(dataset, "")
    assert find_file(dataset, PurePosixPath(song.path).stem) == song
    with pytest.raises(UsageError, match=rf"did you mean {song.path}\?"):
        find_file(dataset, song.path.replace("/", ""))


def cut(path):
    path.write_bytes(path.read_bytes()[:20])


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (cut, "it has 20 bytes, expected"),
        (lambda path: path.write_bytes(b""), "it has 0 bytes, expected"),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()), "length of the TFRecord at byte 0 is damaged"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_a_damaged_shard_is_named(dataset, tmp_path, harm, message):
    shutil.copytree(dataset.url, tmp_path / "d")
    copied = dataset.model_copy(update={"url": str(tmp_path / "d")})
    song = dataset.ledger()[0]
    assert read_record(copied, song).id == song.record
    harm(tmp_path / "d" / song.shard)
    with pytest.raises(SpectroshardError, match=f"^{tmp_path}/d/{song.shard}: .*{message}"):
        read_record(copied, song)


def test_a_record_is_read_from_its_place_alone(dataset):
    for file in dataset.ledger():
        record = read_record(dataset, file)
        assert (record.id, record.genre) == (record_id(file.content_hash, file.genre), file.genre)
    assert read_record(dataset, File("a.wav", "a.wav", status="duplicate")) is None
    first, second = dataset.ledger()[:2]
    with pytest.raises(SpectroshardError, match="where the ledger has it"):
        read_record(dataset, replace(first, record=second.record))


def test_records_are_told_of_which_file_they_are(dataset):
    file_of = files_by_record(dataset)
    for shard in dataset.shards:
        held = [file_of[record.id] for record in read_shard(storage.join(dataset.url, shard.name))]
        assert {(file.shard, file.fold) for file in held} == {(shard.name, shard.fold)}
