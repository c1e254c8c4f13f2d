"""The file system in memory, which knows no folders and no links, through the code of all stores."""

import pytest

from pipelines.common import storage
from pipelines.dataset.dataset import Dataset
from spectroshard import cli
from tests.stores.conftest import upload
from tests.stores.life import live

pytestmark = pytest.mark.slow


def test_a_life_is_the_one_on_a_disk(on_a_disk, tmp_path):
    assert live(f"memory://{tmp_path.name}", tmp_path, on_a_disk[1])[0] == on_a_disk[0]


def test_a_shard_that_is_damaged_ends_a_training_in_a_line(on_a_disk, tmp_path, capfd):
    url = f"memory://{tmp_path.name}/dataset"
    upload(on_a_disk[2], url)
    dataset = Dataset.load(url)
    shard = dataset.shards_of(dataset.splits()["train"])[0]
    storage.write_bytes(f"{url}/{shard.name}", b"0" * shard.bytes)
    assert cli.main(["train", url, "--output", str(tmp_path / "bundle"), "--set", "training.cache_mb=0"]) == 1
    told = capfd.readouterr().err.splitlines()
    assert f"{shard.name}: is damaged, or of another build" in told[-1]
    assert not any("Traceback" in line for line in told)
