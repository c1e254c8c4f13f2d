"""S3 by the Versity gateway, a server whose objects are files: `make test-s3`, which no other command runs."""

import logging
import random
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from pipelines.common import storage
from pipelines.common.storage import retries
from tests.stores import servers
from tests.stores.conftest import make_bucket, objects
from tests.stores.life import live
from tests.stores.proxy import Proxy

MULTIPART_BYTES = 120 << 20
"""s3fs uploads what is larger than 100 MB in parts."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with servers.versity(tmp_path_factory.mktemp("versity")) as url:
        proxy = Proxy(url)
        with servers.s3_at(proxy.url):
            make_bucket("s3://bucket")
            yield proxy
        proxy.close()


def create(number):
    return storage.create("s3://bucket/once/dataset.json", b"%d" % number)


def test_of_many_processes_one_makes_an_object(proxy):
    with ProcessPoolExecutor(8, get_context("spawn")) as pool:
        made = list(pool.map(create, range(32)))
    assert sum(made) == 1
    assert storage.read_bytes("s3://bucket/once/dataset.json") == b"%d" % made.index(True)


def test_a_thousand_files_are_listed_by_one_request(proxy):
    fs, path = storage.filesystem("s3://bucket/many")
    fs.pipe({f"{path}/{number // 500}/{number} ü.wav": b"" for number in range(1001)})
    proxy.asked.clear()
    assert len(storage.find("s3://bucket/many")) == 1001
    assert proxy.counts() == {"LIST": 2}
    storage.remove("s3://bucket/many")
    assert storage.names("s3://bucket/many") == []


def test_ranges_are_read_by_many_at_once_over_a_bad_line(proxy, monkeypatch):
    monkeypatch.setattr(retries, "PAUSES_S", (0.01,) * 4)
    content, sequence = random.Random(1).randbytes(1 << 20), random.Random(2)
    storage.write_bytes("s3://bucket/ranges.bin", content)
    ranges = [sorted(sequence.choices(range(1 << 20), k=2)) for _ in range(400)]
    monkeypatch.setattr(proxy, "share", 0.05)
    with ThreadPoolExecutor(16) as pool:
        read = list(pool.map(lambda each: storage.read_bytes("s3://bucket/ranges.bin", *each), ranges))
    assert read == [content[begin:end] for begin, end in ranges]


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.bin"
    path.write_bytes(random.Random(3).randbytes(1 << 20) * (MULTIPART_BYTES >> 20))
    return path


def test_a_large_file_is_uploaded_in_parts_over_a_bad_line(proxy, large, monkeypatch):
    monkeypatch.setattr(proxy, "share", 0.05)
    proxy.asked.clear()
    content = large.read_bytes()
    storage.put_new(large, "s3://bucket/large/a.bin")
    assert proxy.counts("large/a.bin")["PUT"] >= 3
    assert storage.read_bytes("s3://bucket/large/a.bin") == content
    storage.remove("s3://bucket/large")


def test_an_upload_that_fails_in_the_middle_is_never_seen(proxy, large, monkeypatch):
    monkeypatch.setattr(retries, "PAUSES_S", (0.01,) * 4)
    monkeypatch.setattr(proxy, "harm_of", lambda asked: "503" if "partNumber=3" in asked.query else "")
    with pytest.raises(storage.StoreError, match=r"after 5 attempts; try again later: 's3://bucket/large/b.bin'"):
        storage.put_new(large, "s3://bucket/large/b.bin")
    assert storage.names("s3://bucket/large") == [] and large.exists()


def test_an_upload_that_is_killed_in_the_middle_is_never_seen(proxy, large, monkeypatch):
    monkeypatch.setattr(proxy, "harm_of", lambda asked: time.sleep(5) or "" if "partNumber=3" in asked.query else "")
    command = f"put_new(Path({str(large)!r}), 's3://bucket/large/c.bin')"
    code = f"from pathlib import Path; from pipelines.common.storage import put_new; {command}"
    process = subprocess.Popen([sys.executable, "-c", code])
    proxy.asked.clear()
    while not any("partNumber=3" in asked.query for asked in proxy.asked):
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert storage.names("s3://bucket/large") == []


def test_of_a_life_over_a_bad_line_nothing_is_lost(proxy, on_a_disk, tmp_path, monkeypatch, capfd, caplog):
    """One request in twenty is harmed, from the first build to the last prediction."""
    monkeypatch.setattr(proxy, "share", 0.05)
    proxy.asked.clear()
    with caplog.at_level(logging.INFO):
        life, _ = live("s3://bucket/life", tmp_path)
    monkeypatch.setattr(proxy, "share", 0)
    assert life == on_a_disk[0]
    assert proxy.harmed > 30
    fetched = Counter(asked.key for asked in proxy.asked if asked.kind == "GET" and asked.key.endswith(".wav"))
    assert len(fetched) == 20
    told = capfd.readouterr()
    for text in (told.out, told.err, caplog.text, *map(repr, objects("s3://bucket/life").values())):
        assert servers.SECRET not in text and servers.KEY not in text
