"""S3, as s3fs speaks it."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import s3fs

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.common.storage import retries
from tests.pipelines.common.storage.s3_server import Server

CONTENT = bytes(range(256)) * 10


@pytest.fixture(scope="module")
def one_server():
    server = Server()
    keys = {"ENDPOINT_URL": server.url, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "MAX_ATTEMPTS": "1"}.items():  # the library's own pauses are long
            patch.setenv(f"AWS_{name}", value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield server
        s3fs.S3FileSystem.clear_instance_cache()
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(one_server):
    one_server.reset()
    return one_server


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(retries, "PAUSES_S", (0, 0, 0, 0))


def test_what_is_written_is_read_listed_and_removed(server):
    storage.write_bytes("s3://bucket/a/b/ü #1%.bin", CONTENT)
    storage.write_bytes("s3://bucket/a/c.bin", b"")
    assert storage.read_bytes("s3://bucket/a/b/ü #1%.bin") == CONTENT
    assert storage.read_bytes("s3://bucket/a/b/ü #1%.bin", 10, 20) == CONTENT[10:20]
    assert storage.read_bytes("s3://bucket/a/c.bin") == b""
    for name in ("b/ü #1%.bin", "c.bin"):
        with storage.local_copy(f"s3://bucket/a/{name}") as path:
            assert path.read_bytes() == storage.read_bytes(f"s3://bucket/a/{name}")
    assert storage.names("s3://bucket/a") == ["b", "c.bin"]
    assert storage.sizes("s3://bucket/a") == {"b/ü #1%.bin": 2560, "c.bin": 0}
    assert list(storage.find_glob("s3://bucket/*/*.bin")) == ["bucket/a/c.bin"]
    assert list(storage.find_glob("s3://bucket/**/*.bin")) == list(storage.find("s3://bucket/a"))
    assert storage.is_folder("s3://bucket/a") and not storage.is_folder("s3://bucket/b")
    storage.remove("s3://bucket/a")
    storage.remove("s3://bucket/a")
    assert not server.objects


def test_a_write_is_one_request_and_a_local_copy_two(server):
    storage.write_bytes("s3://bucket/a.bin", CONTENT)
    with storage.local_copy("s3://bucket/a.bin"):
        assert [method for method, _ in server.requests] == ["PUT", "HEAD", "GET"]


def test_of_many_one_makes_an_object(server):
    url = "s3://bucket/versions/1/dataset.json"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(storage.create, [url] * 16, [b"the same"] * 16))
    assert sum(made) == 1
    assert not storage.create(url, b"another")
    assert storage.read_bytes(url) == b"the same"


def test_who_made_an_object_whose_answer_was_lost_is_known(server, no_pauses):
    answers = iter(["lost", "503", "lost"])
    server.misbehave = lambda method: next(answers, "")
    assert storage.create("s3://bucket/a.json", b"one")
    answers = iter(["lost", "503", "lost"])
    assert not storage.create("s3://bucket/a.json", b"one")


def test_a_store_that_does_not_look_whether_there_is_one_is_refused(server):
    server.knows_conditions = False
    with pytest.raises(UsageError, match=r"^s3://bucket/a.json: versions need .*; this one made it a second time$"):
        storage.create("s3://bucket/a.json", b"one")


@pytest.mark.parametrize("how", ["503", "cut", "lost"])
def test_a_bad_line_changes_nothing(server, no_pauses, how):
    sequence = random.Random(1)
    server.misbehave = lambda method: how if sequence.random() < 0.25 else ""
    for number in range(3):
        url = f"s3://bucket/a/{number}.bin"
        assert storage.create(url, CONTENT)
        assert not storage.create(url, b"another")
        assert storage.read_bytes(url) == CONTENT
        assert storage.names("s3://bucket/a") == [f"{each}.bin" for each in range(number + 1)]
        with storage.local_copy(url) as path:
            assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(("how", "requests"), [("503", 5), ("cut", 5), ("lost", 10)])
def test_a_store_that_stays_away_is_not_asked_for_minutes(server, no_pauses, how, requests):
    server.objects["bucket/a.bin"] = (CONTENT, {})
    server.misbehave = lambda method: how
    with pytest.raises(storage.StoreError, match=r"; after 5 attempts: 's3://bucket/a.bin'"):
        storage.read_bytes("s3://bucket/a.bin", 0, 10)
    assert len(server.requests) == requests  # aiohttp repeats what was not answered


def test_a_refusal_is_told_at_once(server, no_pauses):
    server.misbehave = lambda method: "denied"
    with pytest.raises(PermissionError, match=r"Access Denied: 's3://bucket/a.bin'"):
        storage.read_bytes("s3://bucket/a.bin", 0, 10)
    assert len(server.requests) == 1
