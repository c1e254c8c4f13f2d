"""S3, as s3fs speaks it."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.common import lease, storage
from pipelines.common.errors import SpectroshardError, UsageError
from tests.stores import lies
from tests.stores.conftest import proxy
from tests.stores.proxy import error, nothing

CONTENT = bytes(range(256)) * 10

__all__ = ["proxy"]


@pytest.fixture
def server(proxy):
    """A store of one empty bucket, of which every request is seen."""
    yield proxy
    proxy.lie, proxy.harm_of = nothing, lambda asked: ""
    for name in storage.names("s3://bucket"):
        storage.remove(f"s3://bucket/{name}")
    proxy.asked.clear()


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
    assert storage.sizes("s3://bucket") == {}


def test_a_write_is_one_request_and_a_local_copy_two(server):
    storage.write_bytes("s3://bucket/a.bin", CONTENT)
    with storage.local_copy("s3://bucket/a.bin"):
        assert [asked.kind for asked in server.asked] == ["PUT", "HEAD", "GET"]


def test_of_many_one_makes_an_object(server):
    url = "s3://bucket/versions/1/dataset.json"
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(storage.create, [url] * 16, [b"the same"] * 16))
    assert sum(made) == 1
    assert not storage.create(url, b"another")
    assert storage.read_bytes(url) == b"the same"


def test_who_made_an_object_whose_answer_was_lost_is_known(server):
    answers = iter(["lost", "503", "lost"])
    server.harm_of = lambda asked: next(answers, "")
    assert storage.create("s3://bucket/a.json", b"one")
    answers = iter(["lost", "503", "lost"])
    assert not storage.create("s3://bucket/a.json", b"one")


def test_who_made_an_object_that_is_said_to_have_failed_is_known(server):
    server.lie = lies.failed("a.json")
    assert storage.create("s3://bucket/a.json", b"one")
    assert not storage.create("s3://bucket/a.json", b"one")


def test_a_store_that_does_not_look_whether_there_is_one_is_refused(server):
    server.lie = lies.made_again
    with pytest.raises(UsageError, match=r"^s3://bucket/a.json: versions need .*; this one made it a second time$"):
        storage.create("s3://bucket/a.json", b"one")


@pytest.mark.parametrize("how", ["503", "cut", "lost"])
def test_a_bad_line_changes_nothing(server, how):
    sequence = random.Random(1)
    server.harm_of = lambda asked: how if sequence.random() < 0.25 else ""
    for number in range(3):
        url = f"s3://bucket/a/{number}.bin"
        assert storage.create(url, CONTENT)
        assert not storage.create(url, b"another")
        assert storage.read_bytes(url) == CONTENT
        assert storage.names("s3://bucket/a") == [f"{each}.bin" for each in range(number + 1)]
        with storage.local_copy(url) as path:
            assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(("how", "requests"), [("503", 5), ("cut", 5), ("lost", 10)])
def test_a_store_that_stays_away_is_not_asked_for_minutes(server, how, requests):
    storage.write_bytes("s3://bucket/a.bin", CONTENT)
    server.asked.clear()
    server.harm_of = lambda asked: how
    with pytest.raises(storage.StoreError, match=r"; after 5 attempts; try again later: 's3://bucket/a.bin'"):
        storage.read_bytes("s3://bucket/a.bin", 0, 10)
    assert len(server.asked) == requests  # aiohttp repeats what was not answered


def test_a_refusal_is_told_at_once(server):
    server.lie = lambda asked, ask: error(403, "AccessDenied")
    with pytest.raises(PermissionError, match=r"as the tests want it: 's3://bucket/a.bin'"):
        storage.read_bytes("s3://bucket/a.bin", 0, 10)
    assert len(server.asked) == 1


def test_an_object_that_is_cut_or_another_is_not_taken_for_it(server, tmp_path):
    for name, content in (("a.bin", CONTENT), ("b.bin", CONTENT[::-1])):
        storage.write_bytes(f"s3://bucket/{name}", content)
    for lie in (lies.cut("b.bin"), lies.swapped(".bin"), lies.headed("b.bin", 1), lies.headed("b.bin", etag='"0"')):
        server.lie = lie
        storage.version("s3://bucket/a.bin")
        for read in (storage.read_bytes, lambda url: storage.fetch(url, tmp_path / "copy")):
            with pytest.raises(storage.StoreError, match=r"came.*; after 5 attempts.*: 's3://bucket/b.bin'"):
                storage.read_bytes("s3://bucket/a.bin", 0, 1)
                read("s3://bucket/b.bin")


@pytest.mark.parametrize("order", [1, -1])
def test_pages_of_a_list_that_overlap_or_come_backwards_are_one_list(server, order):
    for number in range(7):
        storage.write_bytes(f"s3://bucket/a/{number}.bin", b"")
    server.lie = lies.paged(order)
    assert storage.names("s3://bucket/a") == [f"{number}.bin" for number in range(7)]
    assert list(storage.find("s3://bucket/a")) == [f"bucket/a/{number}.bin" for number in range(7)]


def test_an_upload_in_parts_that_is_not_completed_is_told(server, tmp_path, monkeypatch):
    monkeypatch.setattr("s3fs.core.calculate_chunksize", lambda size, chunksize: 5 << 20)  # the least that S3 takes
    large = tmp_path / "large"
    large.write_bytes(bytes(11 << 20))
    server.lie = lies.not_completed
    with pytest.raises(storage.StoreError, match=r"; after 5 attempts; try again later: 's3://bucket/a.bin'"):
        storage.put_new(large, "s3://bucket/a.bin")
    assert storage.names("s3://bucket") == [] and large.exists()
    server.lie = nothing
    storage.put_new(large, "s3://bucket/a.bin")
    assert storage.read_bytes("s3://bucket/a.bin") == bytes(11 << 20)


def test_a_lease_that_is_there_and_not_there_is_not_waited_for_for_ever(server):
    server.lie = lies.contradicted("lease.json")
    with (
        pytest.raises(SpectroshardError, match=r"^s3://bucket/d/runs/lease.json: the store says that it is there, but"),
        lease.held("s3://bucket/d/runs/lease.json", "build"),
    ):
        pass
