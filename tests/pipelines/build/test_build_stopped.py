"""Builds that are stopped at any point: run again, they end as if nothing had happened, and read nothing twice."""

import json
import os
import shutil
from pathlib import Path

import pytest

from pipelines.build.build import build
from pipelines.build.runs import staging
from pipelines.build.runs.run import Run
from pipelines.build.steps import assemble, gather, plan, publish
from pipelines.build.steps.assemble import AssembleShard
from pipelines.build.steps.make_record import RecordMaker
from pipelines.common import storage
from pipelines.dataset import versions
from pipelines.dataset.readings import StagedReading
from tests.audio_files import tone, write
from tests.pipelines.conftest import Pipelines, config_of, in_process, published

pytestmark = pytest.mark.usefixtures("in_this_process")


DAMAGES = (Path.unlink, lambda path: os.truncate(path, path.stat().st_size // 2), lambda path: os.truncate(path, 0))


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


@pytest.fixture
def decoded(monkeypatch):
    """The names of files that are decoded."""
    names, make = [], RecordMaker.make

    def noting(self, location, *rest):
        names.append(Path(location).name)
        return make(self, location, *rest)

    monkeypatch.setattr(RecordMaker, "make", noting)
    return names


def staged_songs(output):
    """How many songs' readings are staged."""
    return len(staging.read(staging.tables(f"{output}/staging"), ["uri"]))


def assembled_songs(output):
    """How many songs are in shards that have a result."""
    results = (Path(output) / "staging/shards").rglob("*.json")
    return sum(json.loads(path.read_bytes())["shard"]["songs"] for path in results)


def finish(config, output, undisturbed):
    """Builds on, and checks that only what was missing is done, and that nothing tells the result from another's."""
    staged, assembled, pipelines = staged_songs(output), assembled_songs(output), Pipelines()
    built = build(config, str(output), pipelines)
    assert (built.songs_read, built.is_new) == (18 - staged, True)
    assert pipelines.counters()["written_songs"] == 18 - assembled
    assert published(output) == published(undisturbed)
    return built


@pytest.mark.parametrize(
    ("owner", "name", "k", "staged"),
    [
        pytest.param(RecordMaker, "make", 0, 0, marks=pytest.mark.slow),
        (RecordMaker, "make", 13, 8),
        pytest.param(staging.Stage, "flush", 1, 8, marks=pytest.mark.slow),
        pytest.param(gather, "_readings", 0, 18, marks=pytest.mark.slow),
        pytest.param(plan, "assign", 0, 18, marks=pytest.mark.slow),
        pytest.param(plan, "_records_to_write", 0, 18, marks=pytest.mark.slow),
        pytest.param(AssembleShard, "_assemble", 3, 18, marks=pytest.mark.slow),
        (AssembleShard, "_append", 5, 18),
        pytest.param(assemble, "result_url", 3, 18, marks=pytest.mark.slow),
        pytest.param(publish, "describe", 0, 18, marks=pytest.mark.slow),
        (versions, "commit", 0, 18),
    ],
)
def test_stopped_at_any_step(built, songs_folder, tmp_path, monkeypatch, stop, owner, name, k, staged):
    config, output = config_of(songs_folder), tmp_path / "out"
    stop(owner, name, k)
    with pytest.raises(RuntimeError, match="stopped"):
        build(config, str(output), in_process())
    assert set(storage.names(str(output))) <= {"runs", "staging", "shards", "tables"}
    assert not versions.numbers(str(output))
    assert set(published(output)) - {n for n in published(output) if "staging" in n} <= set(
        published(built.dataset.url)
    )
    assert staged_songs(output) == staged
    monkeypatch.undo()
    finish(config, output, built.dataset.url)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        pytest.param(Run, "end", marks=pytest.mark.slow),
        (versions, "mend_copies"),
        pytest.param(Run, "tidy", marks=pytest.mark.slow),
    ],
)
def test_stopped_after_it_was_published(built, songs_folder, tmp_path, monkeypatch, stop, owner, name):
    config, output = config_of(songs_folder), tmp_path / "out"
    stop(owner, name, 0)
    with pytest.raises(Exception, match="stopped"):
        build(config, str(output), in_process())
    assert versions.numbers(str(output)) == [1]
    monkeypatch.undo()
    assert not build(config, str(output), in_process()).is_new
    assert published(output) == published(built.dataset.url)


def test_stopped_builds_of_other_configurations_leave_nothing(built, songs_folder, tmp_path, monkeypatch, stop):
    config, output = config_of(songs_folder), tmp_path / "out"
    log_mel = config.features.log_mel.model_dump()
    for sections in ({"features": {"log_mel": log_mel | {"fmin": 100.0}}}, {"shards": {"size_mb": 0.001}}):
        stop(versions, "commit", 0)
        with pytest.raises(RuntimeError, match="stopped"):
            build(config_of(songs_folder, **sections), str(output), in_process())
        monkeypatch.undo()
    # Its shards were to hold the same songs, in other records or in other parts.
    assert build(config, str(output), in_process()).is_new
    names = set(published(built.dataset.url))
    assert {name: content for name, content in published(output).items() if name in names} == published(
        built.dataset.url
    )


@pytest.mark.slow
def test_a_stopped_build_of_another_corpus_leaves_nothing(built, songs_folder, tmp_path, monkeypatch, stop):
    """Its files have the names, sizes and times of these, and other samples."""
    other = Path(shutil.copytree(songs_folder, tmp_path / "other"))
    for number, path in enumerate(sorted(other.rglob("*.wav"))):
        status = path.stat()
        write(path, tone(1.5, 8_000, frequency_hz=1_000 + 10 * number), 8_000)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    stop(versions, "commit", 0)
    with pytest.raises(RuntimeError, match="stopped"):
        build(config_of(other), str(tmp_path / "out"), in_process())
    monkeypatch.undo()
    build(config_of(songs_folder), str(tmp_path / "out"), in_process())
    names = set(published(built.dataset.url))
    assert {n: c for n, c in published(tmp_path / "out").items() if n in names} == published(built.dataset.url)


@pytest.fixture
def stopped(songs_folder, tmp_path, monkeypatch, stop):
    """The output of a build that was stopped when all was assembled."""
    stop(versions, "commit", 0)
    with pytest.raises(RuntimeError, match="stopped"):
        build(config_of(songs_folder), str(tmp_path / "out"), in_process())
    monkeypatch.undo()
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("pattern", "read_again"),
    [
        pytest.param("shards/**/*.tfrecord", 0, marks=pytest.mark.slow),
        pytest.param("staging/shards/*/*.json", 0, marks=pytest.mark.slow),
        pytest.param("staging/*/*/*/*.records", 18, marks=pytest.mark.slow),
        ("staging/*/*/*/*.parquet", 18),
        pytest.param("tables/*", 0, marks=pytest.mark.slow),
        pytest.param("runs/*/**/*.*", 0, marks=pytest.mark.slow),
    ],
)
def test_what_a_stopped_build_has_left_is_believed_only_if_it_is_whole(
    built, songs_folder, stopped, pattern, read_again
):
    left = sorted(path for path in stopped.glob(pattern) if path.is_file())
    for number, path in enumerate(left):
        DAMAGES[number % 3](path)
    again = build(config_of(songs_folder), str(stopped), in_process())
    assert left and (again.is_new, again.songs_read) == (True, read_again)
    assert published(stopped) == published(built.dataset.url)


def test_a_staged_table_of_which_a_power_cut_left_zeros_counts_as_none(tmp_path):
    with staging.Stage(str(tmp_path)) as stage:
        stage.add(StagedReading("a.wav", "1", error="of this and that" * 100), 0)
    tables = staging.tables(str(tmp_path))
    assert staging.read(tables, ["uri"])["uri"].to_pylist() == ["a.wav"]
    content = Path(tables[0]).read_bytes()
    Path(tables[0]).write_bytes(content[:4] + bytes(100) + content[104:])
    assert not len(staging.read(tables, ["uri", "error"]))


@pytest.mark.slow
def test_records_that_were_damaged_since_they_were_staged_are_made_again(built, songs_folder, stopped, decoded):
    for path in stopped.rglob("*.tfrecord"):
        path.unlink()
    for path in stopped.rglob("*.records"):
        path.write_bytes(b"\xff" * path.stat().st_size)
    assert build(config_of(songs_folder), str(stopped), in_process()).songs_read == 0
    assert len(decoded) == 18
    assert published(stopped) == published(built.dataset.url)


@pytest.mark.slow
def test_stopped_while_it_tidied_up(built, songs_folder, tmp_path, monkeypatch):
    config, output, remove = config_of(songs_folder), tmp_path / "out", storage.remove

    def failing(url):
        if url.endswith("/staging"):
            raise OSError(5, "Input/output error", url)
        remove(url)

    monkeypatch.setattr(storage, "remove", failing)
    with pytest.raises(Exception, match=r"staging"):
        build(config, str(output), in_process())
    assert (output / "staging").exists()
    monkeypatch.setattr(storage, "remove", remove)
    assert not build(config, str(output), in_process()).is_new
    assert published(output) == published(built.dataset.url)
