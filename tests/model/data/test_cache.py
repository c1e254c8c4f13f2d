import hashlib
import itertools
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from model.config import Training
from model.data import batches, cache, shards
from model.data.cache import Cache
from model.networks.windows import Windows
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset.dataset import Shard

BYTES = 1000


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """No file is held, and none was checked."""
    monkeypatch.setattr(cache, "_held", type(cache._held)(maxlen=16))
    monkeypatch.setattr(cache, "_checked", set())


@pytest.fixture
def fetched(monkeypatch):
    """The URLs that a store was asked for."""
    asked, fetch = [], storage.fetch
    monkeypatch.setattr(storage, "fetch", lambda url, *keys: asked.append(url) or fetch(url, *keys))
    return asked


def stored(folder, number):
    """A file of a store, and what is to be known of it."""
    content, path = bytes([number]) * BYTES, folder / f"{number}"
    if not path.exists():
        path.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    name = f"shards/000001/fold-00-{sha256[:16]}.tfrecord"
    return str(path), Shard(name=name, fold="fold-00", songs=1, bytes=BYTES, sha256=sha256)


def let_go():
    while cache._held:
        cache._held.popleft().close()


def kept(folder):
    return {path.read_bytes()[0] for path in folder.glob("*.kept")}


def test_a_file_is_fetched_once(tmp_path, fetched):
    url, shard = stored(tmp_path, 1)
    paths = {Cache(tmp_path / "c", 1e9).fetch(url, shard) for _ in range(3)}
    assert paths.pop().read_bytes() == Path(url).read_bytes() and not paths
    assert fetched == [url]


def test_what_was_used_longest_ago_makes_room(tmp_path):
    files, small = [stored(tmp_path, number) for number in range(5)], Cache(tmp_path / "c", 3 * BYTES)
    for number in (0, 1, 2, 0, 3):
        small.fetch(*files[number])
        let_go()
    assert kept(small.folder) == {0, 2, 3}
    small.fetch(*files[4])
    assert kept(small.folder) == {0, 3, 4}


def test_what_is_in_use_stays(tmp_path):
    small = Cache(tmp_path / "c", BYTES)
    paths = [small.fetch(*stored(tmp_path, number)) for number in range(3)]
    assert [path.read_bytes()[0] for path in paths] == [0, 1, 2]


def test_what_a_disk_has_damaged_since_is_fetched_again(tmp_path, fetched):
    url, shard = stored(tmp_path, 1)
    path = Cache(tmp_path / "c", 1e9).fetch(url, shard)
    cache._checked.clear()  # as in another process
    path.write_bytes(b"2" * BYTES)
    assert Cache(tmp_path / "c", 1e9).fetch(url, shard).read_bytes() == Path(url).read_bytes()
    assert fetched == [url, url]


def test_what_is_not_what_it_must_be_is_not_kept(tmp_path):
    url, shard = stored(tmp_path, 1)
    Path(url).write_bytes(b"2" * BYTES)
    with pytest.raises(SpectroshardError, match=rf"^{url}: is damaged, or of another build .*; spectroshard verify"):
        Cache(tmp_path / "c", 1e9).fetch(url, shard)
    assert not [path for path in (tmp_path / "c").iterdir() if path.name != "lock"]


def test_what_a_killed_process_has_left_is_written_anew_or_removed(tmp_path):
    url, shard = stored(tmp_path, 1)
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / f"{shard.sha256}-{BYTES}.part").write_bytes(b"half")
    (folder / f"{'0' * 64}-{BYTES}.part").write_bytes(b"half")
    assert Cache(folder, 1e9).fetch(url, shard).read_bytes() == Path(url).read_bytes()
    assert not list(folder.glob("*.part"))


def test_what_others_have_there_stays(tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    others = [folder / "film.part", folder / "old.kept"]
    for path in others:
        path.write_bytes(b"1" * BYTES)
    Cache(folder, 1).fetch(*stored(tmp_path, 1))
    assert all(path.exists() for path in others)


def read_many(folder, seed):
    """Fetches files in some order through a cache for few of them, and reads each as a reader would."""
    files, small, sequence = (
        [stored(folder, number) for number in range(8)],
        Cache(folder / "c", 3 * BYTES),
        random.Random(seed),
    )
    for number in sequence.choices(range(8), k=60):
        assert small.fetch(*files[number]).read_bytes() == bytes([number]) * BYTES
        while len(cache._held) > 1:
            cache._held.popleft().close()
    let_go()
    return True


def test_many_processes_share_it(tmp_path):
    for number in range(8):
        stored(tmp_path, number)
    with ProcessPoolExecutor(6, get_context("fork")) as pool:
        assert all(pool.map(read_many, itertools.repeat(tmp_path), range(6)))
    Cache(tmp_path / "c", 3 * BYTES).fetch(*stored(tmp_path, 9))
    assert len(kept(tmp_path / "c")) <= 3


def test_the_environment_says_where_and_how_much(monkeypatch, tmp_path):
    monkeypatch.delenv("SPECTROSHARD_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache.of_environment() == Cache(tmp_path / "spectroshard", 50e9)
    monkeypatch.setenv("SPECTROSHARD_CACHE", "~/elsewhere")
    monkeypatch.setenv("SPECTROSHARD_CACHE_GB", "0.5")
    assert Cache.of_environment() == Cache(Path.home() / "elsewhere", 5e8)
    for wrong in ("much", "0", "-1", "nan"):
        monkeypatch.setenv("SPECTROSHARD_CACHE_GB", wrong)
        with pytest.raises(UsageError, match=f"^SPECTROSHARD_CACHE_GB={wrong}: expected gigabytes, a number above 0$"):
            Cache.of_environment()


@pytest.fixture
def remote(dataset, tmp_path, monkeypatch):
    """The dataset in a store, and a cache with room for two of its shards."""
    url = f"memory://{tmp_path.name}"
    for path in filter(Path.is_file, Path(dataset.url).rglob("*")):
        storage.write_bytes(storage.join(url, str(path.relative_to(dataset.url))), path.read_bytes())
    monkeypatch.setenv("SPECTROSHARD_CACHE", str(tmp_path / "c"))
    monkeypatch.setenv("SPECTROSHARD_CACHE_GB", str(2 * max(shard.bytes for shard in dataset.shards) / 1e9))
    return dataset.model_copy(update={"url": url})


def stream(dataset, cache_mb):
    folds = dataset.splits()["train"]
    windows = Windows.of(dataset, ("log_mel",), 2.0, folds)
    training = Training(epochs=2, windows_per_epoch=1, windows_per_song=2, batch_size=4, cache_mb=cache_mb, mixup=0)
    return list(batches.training_batches(dataset, folds, windows, training).as_numpy_iterator())


@pytest.mark.parametrize("cache_mb", [0.0, 1000.0])
def test_training_gets_the_same_from_a_store(dataset, remote, fetched, cache_mb):
    for ours, expected in zip(stream(remote, cache_mb), stream(dataset, 1000.0), strict=True):
        np.testing.assert_array_equal(ours[1], expected[1])
        np.testing.assert_array_equal(ours[2], expected[2])
    assert set(fetched) == {f"{remote.url}/{shard.name}" for shard in remote.shards_of(remote.splits()["train"])}


def test_whole_songs_are_the_same_from_a_store(dataset, remote):
    def ids(source):
        windows = Windows.of(source, ("log_mel",), 2.0, ["fold-00"])
        return [song["id"] for song in batches.whole_songs(source, list(source.folds), windows).as_numpy_iterator()]

    assert ids(remote) == ids(dataset)


def test_a_shard_that_a_store_lacks_or_has_damaged_is_named(remote):
    lost, damaged = (remote.shards_of([fold])[0] for fold in ("fold-00", "fold-01"))
    storage.remove(f"{remote.url}/{lost.name}")
    with pytest.raises(SpectroshardError, match=rf"{lost.name}: is missing"):
        shards.Shards(remote, ["fold-00"])
    storage.write_bytes(f"{remote.url}/{damaged.name}", b"0" * damaged.bytes)
    with pytest.raises(SpectroshardError, match=rf"{damaged.name}: is damaged"):
        shards.Shards(remote, ["fold-01"]).path(0)
