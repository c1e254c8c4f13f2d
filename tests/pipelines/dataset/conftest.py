"""What the tests of the format share: one made-up dataset, which is only to be read."""

import pytest

from tests.pipelines.dataset import made


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A dataset of 18 songs in four folds."""
    return made.dataset(tmp_path_factory.mktemp("made") / "dataset", made.rows())
