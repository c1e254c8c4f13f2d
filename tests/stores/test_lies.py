"""A store that lies: what is published is right, or the build fails in a line that names the URL."""

import re

import pytest

from pipelines.build.build import build
from pipelines.common import storage
from pipelines.common.beam.failures import root_cause
from pipelines.dataset import versions
from tests.pipelines.conftest import config_of, in_process, in_this_process
from tests.stores import lies
from tests.stores.conftest import upload
from tests.stores.proxy import nothing

__all__ = ["in_this_process"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_this_process")]

TOLD = {
    "half of each song": (lies.cut("/songs/"), r"/songs/.*\.wav: \d+ bytes came of \d+; after 5 attempts"),
    "another song": (lies.swapped("/songs/"), r"/songs/.*\.wav: another object came: its ETag is .*; after 5 attempts"),
    "other sizes": (lies.headed("/songs/", -1), r"/songs/.*\.wav: another object came: its size is .*"),
    "old ETags": (
        lies.headed("/songs/", etag='"0"'),
        r"/songs/.*\.wav: another object came: its ETag is .*; after 5 attempts",
    ),
    "half of what is staged": (lies.cut(".records"), r"\.records: \d+ bytes came of \d+; after 5 attempts"),
    "another run's files": (lies.swapped("/runs/2"), r"/runs/2.*: "),
    "no list of what is staged": (lies.unlisted("/staging/"), r"/staging/.*: has no reading of 18 files"),
    "no list of shards": (lies.unlisted("/shards/0"), r"/shards/.*\.tfrecord: is missing; nothing is published"),
}
DONE = {
    "no list of versions": lies.unlisted("/versions/"),
    "what is removed is listed": lies.still_listed("/dataset/"),
    "pages that overlap": lies.paged(),
    "pages backwards": lies.paged(order=-1),
    "failures of what is done": lies.failed("/dataset/"),
}


@pytest.fixture
def store(proxy, songs_folder):
    """A store that begins to lie when it holds songs."""
    upload(songs_folder, "s3://bucket/songs")
    yield proxy
    proxy.lie = nothing
    for name in storage.names("s3://bucket"):
        storage.remove(f"s3://bucket/{name}")


def built_in(url="s3://bucket/dataset"):
    return build(config_of("s3://bucket/songs"), url, in_process())


@pytest.mark.parametrize("name", TOLD)
def test_a_lie_that_is_noticed_ends_the_build_in_a_line_and_the_next_one_is_right(store, built, name):
    store.lie, told = TOLD[name]
    with pytest.raises(Exception, match="s3://bucket") as caught:
        built_in()
    store.lie = nothing
    assert re.search(told, root_cause(caught.value)), root_cause(caught.value)
    assert not versions.numbers("s3://bucket/dataset")
    assert built_in().dataset.digest == built.dataset.digest


@pytest.mark.parametrize("name", DONE)
def test_other_lies_change_nothing(store, built, name):
    store.lie = DONE[name]
    assert built_in().dataset.digest == built.dataset.digest
    store.lie = nothing
    assert storage.read_bytes("s3://bucket/dataset/dataset.json") == built_in().dataset.content()
    assert not built_in().is_new


def test_a_version_that_is_not_listed_is_asked_for_by_name_and_built_on(store):
    first = built_in().dataset
    storage.remove("s3://bucket/songs/jazz/jazz.00003.wav")
    store.lie = lies.unlisted("/versions/")
    second = built_in().dataset
    store.lie = nothing
    assert second.version == 2 and first.digest in second.ancestors
    assert versions.numbers("s3://bucket/dataset") == [1, 2]
