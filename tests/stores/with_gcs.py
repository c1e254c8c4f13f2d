"""Google Cloud Storage by a server that speaks its language: `make test-s3`, which no other command runs."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.common import storage
from tests.stores import servers
from tests.stores.conftest import make_bucket
from tests.stores.life import live
from tests.stores.proxy import Proxy


@pytest.fixture(scope="module")
def proxy():
    with servers.fake_gcs() as url:
        proxy = Proxy(url)
        with servers.gcs_at(proxy.url):
            make_bucket("gs://bucket")
            yield proxy
        proxy.close()


def test_of_many_one_makes_an_object(proxy):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: storage.create("gs://bucket/once.json", b"%d" % number), range(16)))
    assert sum(made) == 1
    assert storage.read_bytes("gs://bucket/once.json") == b"%d" % made.index(True)


def test_a_life_is_the_one_on_a_disk(proxy, on_a_disk, tmp_path):
    assert live("gs://bucket/life", tmp_path, on_a_disk[1])[0] == on_a_disk[0]
