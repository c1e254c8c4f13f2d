import errno
import itertools
import os
import pickle
import random
import uuid
from pathlib import Path
from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipelines.common import storage
from pipelines.common.beam.failures import root_cause
from pipelines.common.storage import retries

CONTENT = bytes(range(256)) * 10


class Flaky(MemoryFileSystem):
    """Files in memory behind a bad line: `fault` is asked before each call, and may raise."""

    protocol = "flaky"
    fault = staticmethod(lambda: None)
    cut = staticmethod(lambda content: content)

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("flaky://"))

    def cat_file(self, path, start=None, end=None, **keys):
        type(self).fault()
        return type(self).cut(super().cat_file(path, start, end, **keys))

    def _open(self, path, mode="rb", **keys):
        if mode == "rb":
            type(self).fault()
            return fsspec.implementations.memory.BytesIO(type(self).cut(super().cat_file(path)))
        return super()._open(path, mode, **keys)


def _failing(name):
    def call(self, *args, **keys):
        type(self).fault()
        return getattr(MemoryFileSystem, name)(self, *args, **keys)

    return call


for name in ("ls", "find", "info", "put_file", "cp_file", "pipe_file", "rm"):
    setattr(Flaky, name, _failing(name))
fsspec.register_implementation("flaky", Flaky, clobber=True)


@pytest.fixture
def pauses(monkeypatch):
    waited = []
    monkeypatch.setattr(retries.time, "sleep", waited.append)
    return waited


@pytest.fixture
def url(monkeypatch):
    where = f"flaky://{uuid.uuid4().hex}/a/b.bin"
    storage.write_bytes(where, CONTENT)

    def set_fault(fault):
        monkeypatch.setattr(Flaky, "fault", staticmethod(fault))

    set_fault(lambda: None)
    return where


def fail_with(monkeypatch, *errors):
    """Has the next calls fail, each with its error, or all for ever with the last where that is not None."""
    left = itertools.chain(errors, itertools.repeat(errors[-1]))

    def fault():
        if (error := next(left)) is not None:
            raise error

    monkeypatch.setattr(Flaky, "fault", staticmethod(fault))


def local_bytes(url):
    with storage.local_copy(url) as path:
        return path.read_bytes()


def opened_bytes(url):
    with storage.opened(url, 100) as stream:
        begin = stream.read(250)
        stream.seek(-10, os.SEEK_END)
        end = stream.read()
        stream.seek(5)
        return begin, stream.tell(), stream.read(3), end


CALLS = {
    "read": storage.read_bytes,
    "opened": opened_bytes,
    "range": lambda url: storage.read_bytes(url, 10, 20),
    "copy": local_bytes,
    "names": lambda url: storage.names(url.rpartition("/")[0]),
    "find": lambda url: list(storage.find(url.rpartition("/")[0])),
    "sizes": lambda url: storage.sizes(url.rpartition("/")[0]),
    "glob": lambda url: list(storage.find_glob(url.rpartition("/a/")[0] + "/*/*.bin")),
    "glob of one": lambda url: list(storage.find_glob(url)),
    "folder": lambda url: storage.is_folder(url.rpartition("/")[0]),
    "no folder": lambda url: storage.is_folder(url + "/c"),
    "version": storage.version,
    "write": lambda url: storage.write_bytes(url, CONTENT),
    "create": lambda url: storage.create(f"{url}.{uuid.uuid4().hex}", b"new"),
    "create again": lambda url: storage.create(url, b"new"),
    "remove": lambda url: storage.remove(url + ".none"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_a_store_refuses_at_times_is_done_all_the_same(monkeypatch, url, pauses, name):
    expected = CALLS[name](url)
    sequence = random.Random(3)

    def fault():
        if sequence.random() < 0.25:
            raise OSError(errno.EBUSY, "Please reduce your request rate.")

    monkeypatch.setattr(Flaky, "fault", staticmethod(fault))
    for _ in range(20):
        assert CALLS[name](url) == expected
    monkeypatch.setattr(Flaky, "fault", staticmethod(lambda: None))
    assert pauses
    assert storage.read_bytes(url) == CONTENT


@pytest.mark.parametrize("name", CALLS)
def test_a_store_that_stays_away_is_told_in_a_line(monkeypatch, url, pauses, name):
    fail_with(monkeypatch, ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    with pytest.raises(OSError) as caught:
        CALLS[name](url)
    told = root_cause(pickle.loads(pickle.dumps(caught.value)))
    assert told.startswith("flaky://") and told.endswith(": connection refused; after 5 attempts; try again later")
    assert told == root_cause(RuntimeError(f"{type(caught.value).__name__}: {caught.value} [while running 'Read']"))
    assert pauses == [0.5, 1, 2, 4]


class LibraryError(Exception):
    """An error of a library, with what it says of itself."""

    def __init__(self, text="", **attributes):
        super().__init__(text)
        vars(self).update(attributes)


def of_s3(kind, status, code):
    error = kind("as s3fs says it")
    error.__cause__ = LibraryError(response={"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}})
    return error


PASSING = {
    "time": TimeoutError(),
    "connection": ConnectionResetError("reset"),
    "no words": OSError("something of the network"),
    "gcs": LibraryError(", 503", code="503"),
    "http": LibraryError("Too Many Requests", status=429),
    "requests": LibraryError("Bad Gateway", response=LibraryError(status_code=502)),
    "s3": of_s3(OSError, 504, "504"),
    "s3 by name": of_s3(OSError, 400, "IncompleteBody"),
    "aiohttp": type("ClientPayloadError", (Exception,), {})("not all came"),
    "botocore": type("EndpointConnectionError", (type("ConnectionError", (Exception,), {}),), {})("could not connect"),
}
STAYING = {
    "gone": (FileNotFoundError("bucket/a"), "URL: no such file or directory"),
    "denied": (of_s3(PermissionError, 403, "AccessDenied"), "URL: as s3fs says it"),
    "gcs": (OSError("Forbidden: bucket/a\nno access"), "URL: forbidden: bucket/a no access"),
    "expired": (of_s3(PermissionError, 400, "ExpiredToken"), "URL: as s3fs says it"),
    "range": (OSError(errno.EINVAL, "The requested range is not satisfiable"), "URL: the requested range is not"),
    "no credentials": (type("NoCredentialsError", (Exception,), {})("none found"), "URL: none found"),
    "ours": (KeyError("a"), "KeyError: 'a'"),
}


@pytest.mark.parametrize("name", PASSING)
def test_an_error_of_the_store_is_waited_for(monkeypatch, url, pauses, name):
    fail_with(monkeypatch, PASSING[name], PASSING[name], None)
    assert storage.read_bytes(url) == CONTENT
    assert pauses == [0.5, 1]
    fail_with(monkeypatch, PASSING[name])
    with pytest.raises(storage.StoreError) as caught:
        storage.read_bytes(url)
    assert caught.value.filename == url
    assert not storage.is_of_the_path(caught.value)


@pytest.mark.parametrize("name", STAYING)
def test_an_error_that_stays_is_told_at_once(monkeypatch, url, pauses, name):
    error, told = STAYING[name]
    fail_with(monkeypatch, error)
    with pytest.raises(Exception) as caught:
        storage.read_bytes(url)
    assert root_cause(caught.value).startswith(told.replace("URL", url))
    assert not pauses
    if isinstance(caught.value, OSError):
        assert storage.is_of_the_path(caught.value) == (name in ("gone", "denied"))


@pytest.mark.parametrize("name", ["read", "range", "copy", "opened"])
def test_an_answer_that_is_cut_is_asked_for_again(monkeypatch, url, pauses, name):
    expected = CALLS[name](url)
    cuts = iter([True, True])
    monkeypatch.setattr(Flaky, "cut", staticmethod(lambda content: content[:3] if next(cuts, False) else content))
    assert CALLS[name](url) == expected
    assert pauses == [0.5, 1]
    monkeypatch.setattr(Flaky, "cut", staticmethod(lambda content: content[:3]))
    with pytest.raises(storage.StoreError, match=rf"3 bytes came of \d+; after 5 attempts; try again later: '{url}'"):
        CALLS[name](url)


def test_a_file_that_is_opened_reads_alike_everywhere(url, tmp_path):
    local = str(tmp_path / "a.bin")
    storage.write_bytes(local, CONTENT)
    assert opened_bytes(local) == opened_bytes(url) == (CONTENT[:250], 5, CONTENT[5:8], CONTENT[-10:])


@pytest.mark.parametrize("form", ["flaky", "local"])
def test_a_file_that_ends_too_early_is_no_fault_of_the_store(url, tmp_path, pauses, form):
    if form == "local":
        url = str(tmp_path / "a.bin")
        storage.write_bytes(url, CONTENT)
    assert storage.read_bytes(url, 2558, 2560) == CONTENT[2558:]
    assert storage.read_bytes(url, 2560, 2560) == b""
    with pytest.raises(OSError, match="it has 2560 bytes, expected 2561 and more: '"):
        storage.read_bytes(url, 2500, 2561)
    assert not pauses


def test_what_is_on_this_machine_is_tried_once(tmp_path, monkeypatch, pauses):
    def fail(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("pipelines.common.storage.reading._read_local", fail)
    for url in (str(tmp_path / "a"), f"file://{tmp_path}/a"):
        with pytest.raises(OSError, match="Input/output error"):
            storage.read_bytes(url)
    assert not pauses


def test_a_library_that_tries_again_by_itself_is_not_made_to_for_minutes(pauses):
    @retries.retried
    def fail(url):
        raise LibraryError("backend error, 503", code=503)

    for url in ("gs://bucket/a", "zip://a.wav::gs://bucket/a.zip"):
        pauses.clear()
        with pytest.raises(storage.StoreError, match=f"after 2 attempts; try again later: '{url}'"):
            fail(url)
        assert pauses == [0.5]


def test_a_walk_tells_what_could_not_be_listed(monkeypatch, pauses):
    class Walking(Flaky):
        protocol = "walking"
        find = fsspec.AbstractFileSystem.find

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.removeprefix("walking://"))

        def ls(self, path, detail=True, **keys):
            if path.endswith("/b"):
                raise ConnectionResetError("reset")
            return MemoryFileSystem.ls(self, path, detail, **keys)

    fsspec.register_implementation("walking", Walking, clobber=True)
    folder = f"walking://{uuid.uuid4().hex}"
    for name in ("a/1.wav", "b/2.wav"):
        storage.write_bytes(f"{folder}/{name}", b"x")
    assert [path[-7:] for path in storage.find(f"{folder}/a")] == ["a/1.wav"]
    for call in (storage.find, lambda folder: storage.find_glob(f"{folder}/*/*.wav")):
        with pytest.raises(storage.StoreError, match="reset; after 5 attempts"):
            call(folder)


def test_a_cut_upload_is_never_seen(monkeypatch, pauses):
    class Renaming(Flaky):
        """A server such as an SFTP one: what is uploaded is seen while it comes, and can be renamed."""

        protocol = "renaming"
        moved: ClassVar[list[str]] = []

        @classmethod
        def _strip_protocol(cls, path):
            return super()._strip_protocol(path.removeprefix("renaming://"))

        def put_file(self, lpath, rpath, **keys):
            self.pipe_file(rpath, Path(lpath).read_bytes()[:3])
            if next(cuts):
                raise ConnectionResetError("reset")
            self.pipe_file(rpath, Path(lpath).read_bytes())

        def mv(self, path1, path2, **keys):
            assert self.cat_file(path1) == CONTENT
            self.moved.append(path2)
            self.store[path2] = self.store.pop(path1)

    fsspec.register_implementation("renaming", Renaming, clobber=True)
    folder = f"renaming://{uuid.uuid4().hex}"
    cuts = itertools.repeat(True)
    with pytest.raises(storage.StoreError, match="reset; after 5 attempts"):
        storage.write_bytes(f"{folder}/a.bin", CONTENT)
    assert storage.names(folder) == []
    cuts = iter([True, False])
    storage.write_bytes(f"{folder}/a.bin", CONTENT)
    assert storage.read_bytes(f"{folder}/a.bin") == CONTENT
    assert storage.names(folder) == ["a.bin"] and len(Renaming.moved) == 1
