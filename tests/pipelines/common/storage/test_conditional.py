import errno
import os
import uuid
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem

from pipelines.common import storage
from pipelines.common.errors import UsageError

SIZE = 100_000


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    return str(tmp_path / "a folder") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def attempt(url, number):
    return storage.create(url, bytes([number]) * SIZE)


def assert_one_won(url, won):
    assert sum(won) == 1
    assert storage.read_bytes(url) == bytes([won.index(True)]) * SIZE
    assert storage.names(str(Path(url).parent) if storage.is_local(url) else url.rpartition("/")[0]) == ["a.json"]


def test_a_file_is_made_once(folder):
    url = storage.join(folder, "b/a.json")
    assert storage.create(url, b"one")
    assert not storage.create(url, b"two")
    assert not storage.create(url, b"one")
    assert storage.read_bytes(url) == b"one"


def test_of_many_threads_one_makes_it(folder):
    for turn in range(5):
        url = storage.join(folder, f"{turn}/a.json")
        with ThreadPoolExecutor(16) as pool:
            assert_one_won(url, list(pool.map(attempt, [url] * 16, range(16))))


def test_of_many_processes_one_makes_it(tmp_path):
    with ProcessPoolExecutor(16, get_context("fork")) as pool:
        for turn in range(10):
            url = str(tmp_path / f"{turn}/a.json")
            assert_one_won(url, list(pool.map(attempt, [url] * 16, range(16))))


def no_links(*_, **__):
    raise PermissionError(errno.EPERM, "Operation not permitted")


def test_on_a_disk_without_links_too(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    with ProcessPoolExecutor(16, get_context("fork")) as pool:
        for turn in range(5):
            url = str(tmp_path / f"{turn}/a.json")
            assert_one_won(url, list(pool.map(attempt, [url] * 16, range(16))))


def test_a_network_disk_that_made_the_link_but_lost_its_answer(tmp_path, monkeypatch):
    def link(source, target, link=os.link):
        link(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", link)
    assert storage.create(str(tmp_path / "a.json"), b"one")
    assert not storage.create(str(tmp_path / "a.json"), b"two")
    assert storage.names(str(tmp_path)) == ["a.json"]


def test_a_store_without_conditional_creates_is_refused(tmp_path):
    class Other(DirFileSystem):
        protocol = "other"

        def __init__(self, **keys):
            super().__init__(path=str(tmp_path), fs=fsspec.filesystem("file"))

    fsspec.register_implementation("other", Other, clobber=True)
    with pytest.raises(UsageError, match=r"^other://a.json: versions need a store that .*; this one is not known"):
        storage.create("other://a.json", b"")
    assert not list(tmp_path.iterdir())
