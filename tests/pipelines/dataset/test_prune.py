"""Versions and pruning, of datasets whose files are of a few bytes: here only their names and places matter."""

import hashlib
import uuid

import pytest

from pipelines.common import lease, storage
from pipelines.common.errors import BusyError, SpectroshardError, UsageError
from pipelines.config import BuildConfig
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset, Search, Shard, Table
from pipelines.dataset.prune import litter, prune
from pipelines.dataset.unknown import Unknown

FOLDS = ("fold-00", "fold-01", "fold-02")


def shard(name, fold="fold-02"):
    """A shard of a made-up content, in the folder of the version that its name begins with."""
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    at = f"shards/{name.partition('/')[0]}/{fold}-{sha256[:16]}.tfrecord"
    return Shard(name=at, fold=fold, songs=1, bytes=4, sha256=sha256)


def table(name):
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    return Table(name=Table.name_of("songs", sha256), rows=0, bytes=4, sha256=sha256)


def dataset_of(url, number, *shards, tables=("songs-1",)):
    """A version with some shards, not yet published; its files are there."""
    made = Dataset(
        url=str(url),
        version=number,
        ancestors=(),
        config=BuildConfig.model_validate({"features": {"log_mel": {}}}),
        root="/music",
        listing="",
        reading="",
        genres=("blues",),
        features={},
        folds={fold: {"songs": {}, "duration_s": 0.0, "sums": {}} for fold in FOLDS},
        shards=shards,
        tables={"songs": tuple(map(table, tables))},
        search=Search(version=1, recordings=0, recall=""),
        shown=0,
        duplicates=0,
        rejected={},
        unknown=Unknown.of([], str),
    )
    for name in [part.name for part in (*made.shards, *made.tables["songs"])]:
        storage.write_bytes(storage.join(made.url, name), b"1234")
    return made


@pytest.fixture
def three(tmp_path):
    """Three versions: each leaves a shard and a table of the one before, and keeps one shard."""
    for number in (1, 2, 3):
        shards = (shard("000001/kept"), shard(f"{number:06d}/new"))
        made = dataset_of(tmp_path, number, *shards, tables=(f"songs-{number}",))
        assert versions.commit(made)
        versions.mend_copies(made)
    return tmp_path


def names_of(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"runs/lease.json"}


def test_versions_are_found_by_their_names(three):
    assert versions.numbers(str(three)) == [1, 2, 3]
    assert versions.newest(str(three)).version == 3 == versions.load(str(three)).version
    assert versions.load(f"{three}@2").name == f"{three}@2"
    with pytest.raises(UsageError, match="no version 7; there are 1, 2, 3"):
        versions.load(f"{three}@7")
    assert versions.newest(str(three / "none")) is None and versions.numbers(str(three / "none")) == []


def test_a_version_is_committed_once(three):
    mine, other = dataset_of(three, 4, shard("000004/a")), dataset_of(three, 4, shard("000004/b"))
    assert versions.commit(mine) and versions.commit(mine)  # a second attempt
    assert not versions.commit(other)
    assert versions.version(str(three), 4) == mine


def test_a_folder_without_its_commit_is_no_version(three):
    (three / "versions/000004").mkdir()
    (three / "versions/notes").mkdir()
    assert versions.numbers(str(three)) == [1, 2, 3]


def test_a_damaged_version_is_named(three):
    path = three / "versions/000002/dataset.json"
    path.write_bytes(path.read_bytes().replace(b"/music", b"/musik"))
    with pytest.raises(SpectroshardError, match=rf"{path}: is damaged"):
        versions.version(str(three), 2)


def test_copies_at_the_top_are_mended_and_otherwise_left_alone(three, monkeypatch):
    newest = versions.newest(str(three))
    train = [shard.name for shard in newest.shards_of(newest.splits()["train"])]
    assert (three / "train.txt").read_text().splitlines() == train
    (three / "train.txt").write_text(f"{shard('000001/new').name}\n")
    (three / "validation.txt").unlink()
    (three / "dataset.json").write_bytes(versions.version(str(three), 1).content())
    versions.mend_copies(newest)
    assert (three / "train.txt").read_text().splitlines() == train
    assert (three / "validation.txt").read_text() == ""
    assert (three / "dataset.json").read_bytes() == newest.content()
    monkeypatch.setattr(storage, "write_bytes", lambda *_: pytest.fail("written again"))
    versions.mend_copies(newest)


def test_pruning_removes_just_what_no_kept_version_names(three):
    before = names_of(three)
    pruned = prune(str(three), 2)
    gone = {"versions/000001/dataset.json", shard("000001/new").name, table("songs-1").name}
    assert pruned.versions == (1,) and pruned.files.keys() == gone == before - names_of(three)
    assert pruned.files[table("songs-1").name] == 4
    assert versions.numbers(str(three)) == [2, 3]


def test_a_dry_run_says_the_same_and_removes_nothing(three):
    before = names_of(three)
    told = prune(str(three), 1, dry_run=True)
    assert names_of(three) == before
    assert prune(str(three), 1) == told
    assert before - names_of(three) == told.files.keys()


def test_what_runs_have_left_is_litter_and_is_removed(three):
    storage.write_bytes(str(three / "runs/r/outcome.json"), b"{}")  # which `status` tells of
    left = {"staging/ab/run/000000/x.records", "runs/r/reads.parquet", "shards/000003/x.tfrecord", "tables/x.parquet"}
    for name in left:
        storage.write_bytes(str(three / name), b"12")
    assert dict(litter(str(three), [1, 2, 3])) == dict.fromkeys(left, 2)
    assert prune(str(three), 9).files.keys() == left
    assert not left & names_of(three) and versions.numbers(str(three)) == [1, 2, 3]


def test_what_lies_beside_the_dataset_s_own_folders_stays(three):
    storage.write_bytes(str(three / "README"), b"mine")
    prune(str(three), 1)
    assert (three / "README").read_bytes() == b"mine" and (three / "train.txt").exists()


def test_a_pruning_that_was_stopped_is_done_by_the_next(three, monkeypatch):
    remove = storage.remove

    def stop(url):
        if "versions/000002" in url:
            raise KeyboardInterrupt
        remove(url)

    monkeypatch.setattr(storage, "remove", stop)
    with pytest.raises(KeyboardInterrupt):
        prune(str(three), 1)
    monkeypatch.setattr(storage, "remove", remove)
    assert versions.load(str(three)).version == 3
    prune(str(three), 1)
    assert {name for name in names_of(three) if "/" in name} == {
        "versions/000003/dataset.json", shard("000001/kept").name, shard("000003/new").name,
        table("songs-3").name,
    }  # fmt: skip


def test_nothing_is_pruned_while_somebody_is_at_work(three):
    before = names_of(three)
    with lease.held(str(three / "runs/lease.json"), "build"), pytest.raises(BusyError, match="build"):
        prune(str(three), 1)
    assert names_of(three) == before


@pytest.mark.parametrize("unlisted", [{3}, {4}, {5}, {3, 4}, {4, 5}, {3, 4, 5}])
def test_versions_that_a_store_does_not_list_yet_are_known_all_the_same(monkeypatch, unlisted):
    url = f"memory://{uuid.uuid4().hex}"
    for number in (3, 4, 5):  # earlier ones were pruned
        made = dataset_of(url, number)
        assert versions.commit(made)
    versions.mend_copies(made)
    sizes = storage.sizes
    hidden = {f"{number:06d}/dataset.json" for number in unlisted}
    monkeypatch.setattr(storage, "sizes", lambda at: {n: s for n, s in sizes(at).items() if n not in hidden})
    assert versions.numbers(url) == [3, 4, 5]
    assert prune(url, 2).versions == (3,)
    assert versions.numbers(url) == [4, 5]


@pytest.mark.parametrize("keep", [0, -1])
def test_something_is_kept(three, keep):
    with pytest.raises(UsageError, match=f"--keep {keep}: expected at least 1"):
        prune(str(three), keep)


def test_what_is_no_dataset_is_not_pruned(tmp_path):
    with pytest.raises(UsageError, match="no dataset there"):
        prune(str(tmp_path / "none"), 1)
