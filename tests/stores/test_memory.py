"""The file system in memory, which knows no folders and no links, through the code of all stores."""

import pytest

from tests.stores.life import live


@pytest.mark.slow
def test_a_life_is_the_one_on_a_disk(on_a_disk, tmp_path):
    assert live(f"memory://{tmp_path.name}", tmp_path, on_a_disk[1])[0] == on_a_disk[0]
