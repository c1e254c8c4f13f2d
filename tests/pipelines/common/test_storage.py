import errno
import os
import pickle
import uuid
import zipfile
from pathlib import Path

import pytest

from pipelines.common import storage
from pipelines.common.beam.failures import root_cause
from pipelines.common.storage import filesystems


def put_new(url, content):
    local = Path(url).with_name("local")
    local.parent.mkdir(exist_ok=True)
    local.write_bytes(content)
    storage.put_new(local, url)


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path):
    return str(tmp_path / "a folder") if request.param == "local" else f"memory://{uuid.uuid4().hex}"


def test_what_is_written_is_read(folder):
    url = storage.join(folder, "b/ü #1%.bin")
    storage.write_bytes(url, b"one")
    storage.write_bytes(url, b"two")
    assert storage.read_bytes(url) == b"two"
    assert storage.names(folder) == ["b"]
    assert storage.names(storage.join(folder, "b")) == ["ü #1%.bin"]
    with storage.local_copy(url) as path:
        assert path.read_bytes() == b"two"


def test_what_fails_leaves_what_was_there(folder):
    url = storage.join(folder, "a.bin")
    storage.write_bytes(url, b"before")
    with pytest.raises(RuntimeError), storage.writing(url) as path:
        path.write_bytes(b"half")
        raise RuntimeError
    assert storage.names(folder) == ["a.bin"]
    assert storage.read_bytes(url) == b"before"


def test_what_a_killed_process_leaves_is_known(tmp_path):
    with storage.writing(str(tmp_path / "a.bin")) as path:
        path.touch()
        (left,) = storage.names(str(tmp_path))
        assert storage.is_unfinished(left)
    assert not any(map(storage.is_unfinished, ["a.bin", ".hidden", ".a.b", "a." + "0" * 32]))


def test_removing_what_is_not_there_is_no_error(folder):
    storage.write_bytes(storage.join(folder, "a/b/c"), b"")
    for _ in range(2):
        storage.remove(storage.join(folder, "a"))
    assert storage.names(folder) == []


def test_listings_are_not_remembered_as_other_processes_write_too():
    assert not storage.filesystem("s3://bucket/a")[0].dircache.use_listings_cache


def test_the_object_that_marks_a_bucket_s_folder_is_none_of_its_files(monkeypatch):
    fs, path = storage.filesystem("memory://marked")
    monkeypatch.setattr(type(fs), "ls", lambda *args, **keys: [f"{path}/", f"{path}/a.wav"])
    assert storage.names("memory://marked") == ["a.wav"]


def test_a_version_changes_when_a_file_does(folder):
    url = storage.join(folder, "a.bin")
    assert storage.version(url) == ""
    versions = set()
    for content in (b"one", b"two", b"three"):
        storage.write_bytes(url, content)
        now = (storage.version(url), *storage.find(folder).values())
        assert now == (storage.version(url), *storage.find(folder).values())
        versions |= {now}
    assert len(versions) == 3


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/a/./b//c/../d/", "/a/b/d"),
        ("b c/d#1%20.wav", "HERE/b c/d#1%20.wav"),
        ("a::b.wav", "HERE/a::b.wav"),
        ("file:///a/b", "/a/b"),
        ("~/a", "HOME/a"),
        ("memory://a/b/", "memory:///a/b"),
        ("s3://bucket/a b", "s3://bucket/a b"),
    ],
)
def test_a_url_is_made_absolute_and_a_local_one_a_path(tmp_path, monkeypatch, url, expected):
    monkeypatch.chdir(tmp_path)
    assert storage.absolute(url) == expected.replace("HERE", str(tmp_path)).replace("HOME", str(Path.home()))


def test_local_links_are_followed_but_not_in_circles(tmp_path):
    for path in ("songs/a/1", "songs/b/2", "elsewhere/3"):
        storage.write_bytes(str(tmp_path / path), b"")
    for name, target in {"c": "../elsewhere", "a/up": "..", "0": "b", "a/4": "1", "a/gone": "nowhere"}.items():
        (tmp_path / "songs" / name).symlink_to(target)
    found = storage.find(str(tmp_path / "songs"))
    assert [os.path.relpath(path, tmp_path / "songs") for path in found] == ["a/1", "a/4", "a/gone", "b/2", "c/3"]
    assert found[str(tmp_path / "songs/a/gone")] == ""


def test_globs_give_files_alone(folder):
    for name in ("a/1.wav", "a/2.txt", "b/3.wav", "b/c.wav/4.wav"):
        storage.write_bytes(storage.join(folder, name), b"x")
    found = storage.find_glob(storage.join(folder, "*/*.wav"))
    assert [Path(path).name for path in found] == ["1.wav", "3.wav"]
    found = storage.find_glob(storage.join(folder, "**/*.wav"))
    assert sorted(Path(path).name for path in found) == ["1.wav", "3.wav", "4.wav"]


def test_a_zip_is_opened_once_until_it_changes(tmp_path, monkeypatch):
    def pack(*contents):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for number, content in enumerate(contents):
                archive.writestr(f"g::/é #{number}%.wav", content)

    def read(number):
        return storage.read_bytes(f"zip://g::/é #{number}%.wav::{tmp_path}/a.zip")

    pack(b"one", b"two")
    opened = []
    monkeypatch.setattr(
        filesystems, "ZipFileSystem", lambda file, kind=filesystems.ZipFileSystem: opened.append(file) or kind(file)
    )
    assert [read(0), read(1), read(0)] == [b"one", b"two", b"one"]
    assert len(opened) == 1
    pack(b"three")
    assert read(0) == b"three"


@pytest.mark.parametrize(
    ("fault", "told"),
    [(errno.ENOSPC, "no space left on device (volume VOLUME)"), (errno.EIO, "input/output error")],
)
@pytest.mark.parametrize("write", [storage.write_bytes, storage.create, put_new])
def test_a_fault_of_the_disk_is_told_with_the_file_that_was_to_be_written(tmp_path, monkeypatch, write, fault, told):
    def fail(_):
        raise OSError(fault, os.strerror(fault))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError) as caught:
        write(str(tmp_path / "a.txt"), b"a")
    volume = next(path for path in tmp_path.parents if path.is_mount())
    assert root_cause(pickle.loads(pickle.dumps(caught.value))) == (
        f"{tmp_path}/a.txt: {told.replace('VOLUME', str(volume))}"
    )
    assert [path.name for path in tmp_path.iterdir()] == (["local"] if write is put_new else [])


def test_of_two_files_the_one_that_is_copied_to_has_no_space(tmp_path):
    target = tmp_path / "shard"
    with pytest.raises(OSError) as caught, storage.naming(str(target)):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/made", None, str(tmp_path / ".shard.0"))
    assert caught.value.filename == str(target)


def test_an_error_of_others_keeps_its_words(tmp_path):
    with pytest.raises(OSError, match=r"^magic$"), storage.writing(str(tmp_path / "a.txt")):
        raise OSError("magic")


def test_a_finished_file_is_moved(folder, tmp_path):
    for content in (b"one", b"two"):
        (tmp_path / "local").write_bytes(content)
        url = storage.join(folder, "b/[ü] #1%.bin")
        storage.put_new(tmp_path / "local", url)
        assert not (tmp_path / "local").exists()
        assert storage.names(storage.join(folder, "b")) == ["[ü] #1%.bin"]
        assert storage.read_bytes(url) == content


def test_a_finished_file_is_copied_from_another_disk(tmp_path, monkeypatch):
    def replace(self, target, rename=Path.replace):
        if self.name == "local":
            raise OSError(errno.EXDEV, "Invalid cross-device link", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    put_new(str(tmp_path / "a/b"), b"one")
    assert storage.names(str(tmp_path / "a")) == ["b"]
    assert storage.read_bytes(str(tmp_path / "a/b")) == b"one"
