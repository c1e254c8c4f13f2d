"""Builds that are stopped, at any point and by any means: run again, they end as if nothing had happened."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.build import build as building
from pipelines.build.build import build
from pipelines.build.read_files import ReadFiles
from pipelines.build.write_shards import WriteShards
from pipelines.common import storage
from pipelines.dataset import ledger, tfrecord
from pipelines.dataset.dataset import Dataset
from tests.pipelines.conftest import Pipelines, config_of, content_of, in_process


@pytest.fixture
def stop(monkeypatch):
    """Lets a function fail at its k-th call, until `monkeypatch.undo()`."""

    def at(owner, name, k):
        function, calls = getattr(owner, name), []

        def failing(*args, **keys):
            calls.append(args)
            if len(calls) > k:
                raise RuntimeError("stopped")
            return function(*args, **keys)

        monkeypatch.setattr(owner, name, failing)

    return at


def done_songs(output):
    """How many songs are in shards that have a result."""
    results = (Path(output) / "_build").glob("shard-*.result.json")
    return sum(json.loads(path.read_bytes())["records"] for path in results)


def finish(config, output, undisturbed):
    """Builds on, and checks that only what was missing is done, and that nothing tells the result from another's."""
    before, pipelines = done_songs(output), Pipelines()
    built = build(config, output, pipelines)
    assert pipelines.counters()["written_songs"] == 18 - before
    assert content_of(Path(output)) == content_of(Path(undisturbed))
    return built


@pytest.mark.parametrize(
    ("owner", "name", "k"),
    [
        (ReadFiles, "run", 0),
        (ReadFiles, "run", 1),
        (ledger, "write", 0),
        (WriteShards, "run", 0),
        (WriteShards, "run", 3),
        (tfrecord, "write_record", 5),
        (ledger, "write", 1),
        (building, "describe_dataset", 0),
        (Dataset, "save", 0),
    ],
)
def test_stopped_at_any_step(built, songs_folder, tmp_path, monkeypatch, stop, owner, name, k):
    config, output = config_of(songs_folder), str(tmp_path / "out")
    stop(owner, name, k)
    with pytest.raises(RuntimeError, match="stopped"):
        build(config, output, in_process())
    assert "dataset.json" not in storage.names(output)
    assert {path.name for path in Path(output).glob("*.tfrecord")} <= {shard.name for shard in built.dataset.shards}
    monkeypatch.undo()
    assert finish(config, output, built.dataset.url).is_new


def test_stopped_before_it_tidies_up(built, songs_folder, tmp_path, monkeypatch):
    config, output = config_of(songs_folder), str(tmp_path / "out")
    remove = storage.remove

    def failing(url):
        if url.endswith(building.WORK_NAME):
            raise RuntimeError("stopped")
        remove(url)

    monkeypatch.setattr(storage, "remove", failing)
    with pytest.raises(RuntimeError, match="stopped"):
        build(config, output, in_process())
    assert {"_build", "dataset.json"} <= set(storage.names(output))
    monkeypatch.undo()
    assert not build(config, output, in_process()).is_new
    assert content_of(tmp_path / "out") == content_of(Path(built.dataset.url))


def test_stopped_builds_of_other_configurations_leave_nothing(built, songs_folder, tmp_path, monkeypatch, stop):
    config, output = config_of(songs_folder), str(tmp_path / "out")
    for sections in ({}, {"features": {"chroma": {}}}, {"shards": {"size_mb": 0.001}}):
        stop(Dataset, "save", 0)
        with pytest.raises(RuntimeError, match="stopped"):
            build(config_of(songs_folder, **sections), output, in_process())
        monkeypatch.undo()
    # Its shards were there once, with results, and were written over since.
    assert build(config, output, in_process()).is_new
    assert content_of(tmp_path / "out") == content_of(Path(built.dataset.url))


SCRIPT = """
import sys
from pipelines.build.build import build
from pipelines.config import BuildConfig
from tests.pipelines.conftest import in_process
build(BuildConfig.model_validate_json(sys.argv[1]), sys.argv[2], in_process())
"""


@pytest.mark.parametrize("shards", [1, 4, 6])
def test_killed(built, songs_folder, tmp_path, shards):
    config, output = config_of(songs_folder), tmp_path / "out"
    command = [sys.executable, "-c", SCRIPT, config.model_dump_json(), str(output)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[3])
    deadline_s = time.monotonic() + 60
    while len(list(output.glob("*.tfrecord"))) < shards and time.monotonic() < deadline_s:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    (output / f".fold-00-00000-of-00002.tfrecord.{'0' * 32}").write_bytes(b"what a killed process had not finished")
    finish(config, str(output), built.dataset.url)
