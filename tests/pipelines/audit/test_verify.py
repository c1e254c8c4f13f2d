import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from pipelines.audit.verify import verify
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset import versions
from pipelines.dataset.dataset import FINGERPRINTS, HISTORY, READINGS, SONGS, SUMS, Dataset
from pipelines.dataset.readings import Fingerprint
from pipelines.dataset.shard_sums import ShardSums
from pipelines.dataset.sums import Sums
from spectroshard import cli
from tests.pipelines.conftest import content_of
from tests.pipelines.dataset import made


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Three versions: songs come, one leaves, one is rejected, one is a duplicate."""
    url = tmp_path_factory.mktemp("original") / "dataset"
    rows = [replace(row, duration_s=5.0) for row in made.rows(songs=7)]
    first = made.dataset(url, [row for row in rows if "00006" not in row.path])
    second = made.dataset(url, rows, earlier=first)
    left, rejected = rows[0], rows[1]
    rows[1] = replace(rejected, status="rejected", reason="silent", error="", fold="", content_hash="")
    rows.append(replace(rows[2], path="blues/again.wav", status="duplicate", copy_of=rows[2].path))
    made.dataset(url, rows[1:], earlier=second, history=[left, rejected])
    return url


@pytest.fixture
def dataset(original, tmp_path):
    shutil.copytree(original, tmp_path / "d")
    return Dataset.load(str(tmp_path / "d"))


def test_all_versions_are_read(original):
    found = verify(str(original))
    assert found.faults == () and not found.fails and found.litter == {}
    named = [path for path in original.rglob("*") if path.suffix in (".tfrecord", ".parquet")]
    assert (found.shards + found.tables, found.bytes) == (len(named), sum(path.stat().st_size for path in named))
    assert found.versions == (1, 2, 3)
    assert found.summary.startswith(f"3 versions, {found.shards} shards, {found.tables} tables, ")
    assert found.summary.endswith("B read: no fault")
    assert verify(f"{original}@1").summary.startswith("1 version, ")


class Rows(list):
    """A list that weak references may point to."""


def test_tables_are_held_one_at_a_time_beside_the_ledger(dataset, monkeypatch):
    rows_of, held, most = Dataset.rows, {}, []

    def rows(self, table, kind):
        most.append({name for name, own in held.items() if own() is not None})
        found = Rows(rows_of(self, table, kind))
        held[table] = weakref.ref(found)
        return found

    monkeypatch.setattr(Dataset, "rows", rows)
    assert not verify(f"{dataset.url}@3").fails
    assert held.keys() == dataset.tables.keys() - {FINGERPRINTS} and set().union(*most) == {SONGS}


@hypothesis.settings(max_examples=60)
@hypothesis.given(st.data())
def test_one_flipped_bit_is_found_wherever_it_is(original, data):
    path = data.draw(st.sampled_from(sorted(path for path in original.rglob("*") if path.is_file())))
    content = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    harmed = bytearray(content)
    harmed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(harmed)
    try:
        found = verify(str(original))
    finally:
        path.write_bytes(content)
    assert found.fails
    assert any(str(path.relative_to(original)) in fault and "(version" in fault for fault in found.faults)


def test_files_that_are_missing_cut_or_exchanged_are_told_with_their_versions(dataset, tmp_path):
    first, newest = versions.version(dataset.url, 1), dataset
    old = next(shard for shard in first.shards if shard not in newest.shards)
    new = next(shard for shard in newest.shards if shard not in first.shards)
    every = next(shard for shard in first.shards if shard in newest.shards)
    (tmp_path / "d" / old.name).unlink()
    shutil.copy(tmp_path / "d" / every.name, tmp_path / "d" / new.name)
    path = tmp_path / "d" / every.name
    path.write_bytes(path.read_bytes()[:-1])
    faults = verify(dataset.url).faults
    assert any(fault.startswith(f"{old.name}: is missing (version") and " 3)" not in fault for fault in faults)
    assert any(fault.startswith(f"{new.name}: is damaged") and fault.endswith("3)") for fault in faults)
    assert any(
        fault.startswith(f"{every.name}: is damaged") and fault.endswith("(versions 1, 2, 3)") for fault in faults
    )
    assert not any(old.name in fault for fault in verify(f"{dataset.url}@3").faults)
    assert not any(new.name in fault for fault in verify(f"{dataset.url}@1").faults)


def test_a_table_that_is_missing_or_another_is_told(dataset, tmp_path):
    songs, readings = (dataset.tables[name][0] for name in (SONGS, READINGS))
    (tmp_path / "d" / readings.name).unlink()
    shutil.copy(tmp_path / "d" / versions.version(dataset.url, 1).tables[SONGS][0].name, tmp_path / "d" / songs.name)
    faults = verify(dataset.url).faults
    assert f"{readings.name}: is missing (version 3)" in faults
    assert any(fault.startswith(f"{songs.name}: is damaged, or of another build") for fault in faults)


def test_what_is_superfluous_is_litter_and_no_fault(dataset, tmp_path):
    (tmp_path / "d" / "shards" / "000001" / "fold-00-0123456789abcdef.tfrecord").write_bytes(b"x" * 40_000)
    (tmp_path / "d" / "tables" / "songs-0123456789abcdef.parquet").write_bytes(b"")
    found = verify(dataset.url)
    assert not found.fails
    assert found.summary.endswith("no fault; 2 files of litter (40.0 kB) that no version names")


def test_copies_at_the_top_are_those_of_the_newest_version(dataset, tmp_path):
    (tmp_path / "d" / "test.txt").write_text("shards/000001/another.tfrecord\n")
    (tmp_path / "d" / "train.txt").unlink()
    shutil.copy(tmp_path / "d" / "versions" / "000001" / "dataset.json", tmp_path / "d" / "dataset.json")
    other = "is not what version 3, the newest, makes of it (version 3)"
    assert verify(dataset.url).faults == (
        "train.txt: is missing (version 3)",
        f"test.txt: {other}",
        f"dataset.json: {other}",
    )
    assert verify(f"{dataset.url}@2").faults == ()


def test_a_version_in_another_s_place_is_told(dataset, tmp_path):
    folder = tmp_path / "d" / "versions"
    shutil.copy(folder / "000001" / "dataset.json", folder / "000002" / "dataset.json")
    faults = verify(dataset.url).faults
    assert any(f"{folder}/000002/dataset.json: is that of version 1; restore it" in fault for fault in faults)


def forged(dataset, table, change):
    rows = {SONGS: dataset.ledger, HISTORY: dataset.history, READINGS: dataset.readings}
    own = rows[table]() if table in rows else dataset.rows(table, {FINGERPRINTS: Fingerprint, SUMS: ShardSums}[table])
    return made.with_table(dataset, table, change(own))


def last_rejected(rows):
    return [*rows[:-1], replace(rows[-1], status="rejected", reason="silent")]


def other_sums(rows):
    sums = rows[0].sums
    more = Sums(frames=sums.frames, sum=np.array(sums.sum) + 1, sum_of_squares=np.array(sums.sum_of_squares))
    return [ShardSums.of(rows[0].shard, rows[0].feature, more), *rows[1:]]


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        (SONGS, lambda rows: rows[:-1], "says of files shown 21, duplicate 1, rejected 1, the ledger shown 20"),
        (SONGS, last_rejected, "duplicate 0, rejected 2"),
        (READINGS, lambda rows: rows[:1], "the table readings: lacks blues/blues.00002.wav and 18 more"),
        (FINGERPRINTS, lambda rows: [], "the table fingerprints: lacks blues/blues.00002.wav and 18 more"),
        (HISTORY, lambda rows: [replace(row, fold="") for row in rows], "history: holds blues/blues.00000.wav without"),
        (SUMS, other_sums, "is not what its records add up to"),
        (SUMS, lambda rows: rows[1:], "is not what its records add up to"),
    ],
)  # fmt: skip
def test_a_table_that_does_not_match_is_told(dataset, table, change, message):
    assert any(message in fault for fault in verify(forged(dataset, table, change).url).faults)


def test_a_history_of_what_has_a_fold_is_told(dataset):
    present = next(row for row in dataset.ledger() if row.genre == "jazz")
    faults = verify(forged(dataset, HISTORY, lambda rows: [*rows, replace(present, path="old.wav")]).url).faults
    assert f"the table history: holds old.wav, whose content is that of {present.path} now (version 3)" in faults


def test_sums_of_a_fold_are_added_up_again(dataset):
    fold = dataset.folds["fold-00"]
    sums = fold.sums["log_mel"]
    more = Sums(frames=sums.frames + 1, sum=sums.sum, sum_of_squares=sums.sum_of_squares)
    wrong = fold.model_copy(update={"sums": {**fold.sums, "log_mel": more}})
    made.published(dataset.model_copy(update={"folds": {**dataset.folds, "fold-00": wrong}}))
    assert (
        "dataset.json: the sums of log_mel in fold-00 are not what its records add up to (version 3)"
        in verify(dataset.url).faults
    )


def test_what_is_not_there_is_told(dataset, tmp_path):
    with pytest.raises(UsageError, match="no dataset there"):
        verify(str(tmp_path))
    with pytest.raises(UsageError, match="no version 9; there are 1, 2, 3"):
        verify(f"{dataset.url}@9")
    shutil.rmtree(tmp_path / "d" / "versions")
    with pytest.raises(SpectroshardError, match="version 3, and every other, is missing"):
        verify(dataset.url)


def test_the_command(dataset, tmp_path, capsys):
    before = content_of(tmp_path / "d")
    assert cli.main(["verify", dataset.url]) == 0
    assert "no fault" in capsys.readouterr().out
    assert content_of(tmp_path / "d") == before
    (tmp_path / "d" / dataset.shards[0].name).unlink()
    assert cli.main(["verify", f"{dataset.url}@3"]) == 1
    fault, summary = capsys.readouterr().out.splitlines()
    assert fault == f"{dataset.shards[0].name}: is missing (version 3)" and summary.endswith(": 1 fault")
    assert cli.main(["verify", str(tmp_path)]) == 2


def test_what_cannot_be_opened_is_a_fault_among_others(dataset):
    for name in (dataset.shards[0].name, dataset.tables[SONGS][0].name, "test.txt", "versions/000001/dataset.json"):
        path = Path(dataset.url) / name
        path.unlink()
        path.mkdir()
    found = verify(dataset.url)
    assert sum("cannot be read (Is a directory)" in fault for fault in found.faults) >= 4


def test_the_way_out_of_a_damaged_commit_is_said(dataset):
    commit = Path(versions.json_url(dataset.url, dataset.version))
    commit.write_bytes(commit.read_bytes()[:-9])
    with pytest.raises(SpectroshardError, match=r"is damaged.*; .*dataset\.json is a whole copy of it: put that in"):
        versions.newest(dataset.url)
    (Path(dataset.url) / "dataset.json").unlink()
    with pytest.raises(SpectroshardError, match=r"is damaged.*; restore it from a copy, or build a new"):
        versions.newest(dataset.url)
