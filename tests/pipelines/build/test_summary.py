import shutil

import pytest

from pipelines.build import summary
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output import text_table


@pytest.fixture
def dataset(built):
    return built.dataset


def test_table_aligns_the_first_column_left_and_the_others_right():
    assert text_table.table(["genre", "n"], [["a", 10], ["metal", 2]]) == "genre   n\na      10\nmetal   2"


def test_a_song_is_found_by_its_unmistakable_end(dataset):
    song = dataset.ledger()[0]
    assert summary.find_song(dataset, song.path) == summary.find_song(dataset, song.path[1:]) == song
    with pytest.raises(UsageError, match=f"{len(dataset.ledger())} songs end in ''"):
        summary.find_song(dataset, "")


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
    assert summary.read_song(copied, song).path == song.path
    harm(tmp_path / "d" / song.shard)
    with pytest.raises(SpectroshardError, match=f"^{tmp_path}/d/{song.shard}: .*{message}"):
        summary.read_song(copied, song)
