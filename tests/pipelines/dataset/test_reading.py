import shutil
from pathlib import PurePosixPath

import pytest

from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset.reading import find_file, read_record


@pytest.fixture
def dataset(built):
    return built.dataset


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
        (cut, "content is damaged"),
        (lambda path: path.write_bytes(b""), "does not hold"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_a_damaged_shard_is_named(dataset, tmp_path, harm, message):
    shutil.copytree(dataset.url, tmp_path / "d")
    copied = dataset.model_copy(update={"url": str(tmp_path / "d")})
    song = dataset.ledger()[0]
    assert read_record(copied, song).id == song.path
    harm(tmp_path / "d" / song.shard)
    with pytest.raises(SpectroshardError, match=f"^{tmp_path}/d/{song.shard}: .*{message}"):
        read_record(copied, song)
