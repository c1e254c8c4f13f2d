"""What the tests of stores share: a bucket in moto's store, behind a proxy that counts."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.common import storage
from pipelines.common.storage import retries
from tests.pipelines.conftest import built, songs_folder
from tests.stores import servers
from tests.stores.proxy import Proxy

__all__ = ["built", "songs_folder"]


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """A cache of shards that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPECTROSHARD_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def proxy():
    with servers.moto() as url:
        proxy = Proxy(url)
        with servers.s3_at(proxy.url) as patch:
            patch.setenv("AWS_MAX_ATTEMPTS", "1")  # the library's own pauses are long
            patch.setattr(retries, "PAUSES_S", (0.01,) * 4)
            make_bucket("s3://bucket")
            yield proxy
        proxy.close()


@pytest.fixture(scope="session")
def on_a_disk(tmp_path_factory):
    """The life of a dataset on a disk, the bundle that was trained in it, and the dataset's folder."""
    from tests.stores.life import live, within_rounding  # which this module is for, too

    base = tmp_path_factory.mktemp("life")
    life, bundle = live(str(base), tmp_path_factory.mktemp("work"))
    return replace(life, songs=within_rounding(life.songs)), bundle, base / "dataset"


def make_bucket(url):
    fs, path = storage.filesystem(url)
    fs.mkdir(path)


def upload(folder, url):
    """Copies a folder to a store."""
    for path in filter(Path.is_file, folder.rglob("*")):
        storage.write_bytes(storage.join(url, str(path.relative_to(folder))), path.read_bytes())


def objects(url):
    """Every object below a URL with its bytes."""
    return {name: storage.read_bytes(storage.join(url, name)) for name in storage.sizes(url)}


def without_what_tells_where(published):
    """The files of a dataset but for those that hold the corpus's names and times, and what tells of its runs."""
    holding = ("dataset.json", "versions/", "tables/readings-", "runs/")
    return {name: content for name, content in published.items() if not name.startswith(holding)}
