"""Faults of the machine: they end the build with what and where, nothing is published, no file is rejected for them."""

import errno
import importlib
import os
from fnmatch import fnmatch

import pytest

from pipelines.build.build import build
from pipelines.build.runs import staging
from pipelines.build.steps import assemble, make_record
from pipelines.common import storage
from pipelines.common.beam.failures import root_cause
from pipelines.common.storage import conditional, reading
from pipelines.dataset import versions
from tests.pipelines.conftest import config_of, in_process, published

# The room has a function of this name too.
writing = importlib.import_module("pipelines.common.storage.writing")

NO_MEMORY = "memory ran out; run the same command again, *"

pytestmark = pytest.mark.usefixtures("in_this_process")


def full(path):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def failing(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def short(*_):
    raise MemoryError


def assert_fails_and_is_completed(built, songs_folder, output, monkeypatch, fault):
    """Builds, which fails in a line, then builds again as if nothing had happened."""
    config = config_of(songs_folder)
    with pytest.raises(Exception) as raised:
        build(config, str(output), in_process())
    line = root_cause(raised.value)
    assert fnmatch(line, fault), line
    assert not versions.numbers(str(output)) and "dataset.json" not in storage.names(str(output))
    staged = staging.read(staging.tables(f"{output}/staging"), ["is_rejected"])
    assert not any(staged["is_rejected"].to_pylist())
    monkeypatch.undo()
    monkeypatch.setattr(make_record.RecordMaker, "make", lambda self, *arguments: make_record.make_record(*arguments))
    built_again = build(config, str(output), in_process())
    assert (built_again.dataset.rejected, built_again.songs_read) == ({}, 18 - len(staged))
    assert published(output) == published(built.dataset.url)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("runs/*/listing.parquet", marks=pytest.mark.slow),
        "staging/*/*.records",
        pytest.param("staging/*/*.parquet", marks=pytest.mark.slow),
        pytest.param("runs/*/readings.parquet", marks=pytest.mark.slow),
        pytest.param("runs/*/plan/songs.parquet", marks=pytest.mark.slow),
        pytest.param("shards/000001/*.tfrecord", marks=pytest.mark.slow),
        pytest.param("staging/shards/*.json", marks=pytest.mark.slow),
        pytest.param("tables/songs-*.parquet", marks=pytest.mark.slow),
        "versions/000001/dataset.json",
    ],
)
def test_a_full_disk(built, songs_folder, tmp_path, monkeypatch, place):
    output, rename, sync = tmp_path / "out", writing._rename, conditional.sync

    def full_at(path):
        if fnmatch(str(path).removeprefix(f"{output}/"), place):
            full(path)

    def renamed(finished, target, *how):
        full_at(target)
        rename(finished, target, *how)

    def synced(path):
        # The file is synced under the name that it has until it is finished.
        full_at(path.with_name(path.name[1:-33]) if path.name.startswith(".") else path)
        sync(path)

    monkeypatch.setattr(writing, "_rename", renamed)
    monkeypatch.setattr(conditional, "sync", synced)
    fault = f"{output}/{place}: no space left on device (volume *)"
    assert_fails_and_is_completed(built, songs_folder, output, monkeypatch, fault)


@pytest.mark.slow
def test_a_full_disk_when_all_is_published(built, songs_folder, tmp_path, monkeypatch):
    output, write_bytes = tmp_path / "out", storage.write_bytes

    def full_at(url, content, **how):
        if url.endswith("train.txt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), url)
        write_bytes(url, content, **how)

    monkeypatch.setattr(storage, "write_bytes", full_at)
    with pytest.raises(Exception) as raised:
        build(config_of(songs_folder), str(output), in_process())
    assert root_cause(raised.value) == f"{output}/train.txt: no space left on device"
    monkeypatch.undo()
    assert not build(config_of(songs_folder), str(output), in_process()).is_new
    assert published(output) == published(built.dataset.url)


@pytest.mark.parametrize(
    ("owner", "name", "fault"),
    [
        (make_record, "file_hash", "*/songs*/*.wav: input/output error"),
        pytest.param(make_record, "compute_spooled", "*/songs*/*.wav: input/output error", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_fails_while_songs_are_read(built, songs_folder, tmp_path, monkeypatch, owner, name, fault):
    monkeypatch.setattr(owner, name, failing)
    assert_fails_and_is_completed(built, songs_folder, tmp_path / "out", monkeypatch, fault)


@pytest.mark.slow
def test_a_disk_that_fails_while_staged_records_are_read(built, songs_folder, tmp_path, monkeypatch):
    read_local = reading._read_local

    def failing_at(path, *range_):
        if path.suffix == ".records":
            failing()
        return read_local(path, *range_)

    monkeypatch.setattr(reading, "_read_local", failing_at)
    fault = f"{tmp_path}/out/staging/*.records: input/output error"
    assert_fails_and_is_completed(built, songs_folder, tmp_path / "out", monkeypatch, fault)


@pytest.mark.slow
def test_memory_that_runs_out_while_songs_are_read(built, songs_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(make_record, "compute_spooled", short)
    assert_fails_and_is_completed(built, songs_folder, tmp_path / "out", monkeypatch, NO_MEMORY)


@pytest.mark.slow
@pytest.mark.parametrize("at", [0, 11])
def test_memory_that_runs_out_while_shards_are_assembled(built, songs_folder, tmp_path, monkeypatch, at):
    add, calls = assemble.Totals.add, []

    def short_at(self, serialized):
        calls.append(serialized)
        return short() if len(calls) > at else add(self, serialized)

    monkeypatch.setattr(assemble.Totals, "add", short_at)
    assert_fails_and_is_completed(built, songs_folder, tmp_path / "out", monkeypatch, NO_MEMORY)
