"""Builds that are left to a cluster, as which the in-process runner poses."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.build import build as building
from pipelines.build.build import build, submit
from pipelines.build.runs.status import status_of
from pipelines.common import lease, storage
from pipelines.common.beam import jobs
from pipelines.common.beam.jobs import Job, UnknownEndError
from pipelines.common.errors import BusyError, SpectroshardError, UsageError
from tests.pipelines.conftest import config_of, in_process, published

JOB = Job("Flink", "1f", "http://10.0.0.7:8081")


@pytest.fixture
def cluster(monkeypatch):
    """Lets a pipeline be a job of a cluster: it runs when it is submitted, or when it is told to."""
    pipelines = []

    def submit(pipeline, name):
        pipelines.append(pipeline)
        return None, JOB

    monkeypatch.setattr(jobs, "refuse_this_machine", lambda pipeline: None)
    monkeypatch.setattr(jobs, "submit", submit)
    return pipelines


def lease_of(output):
    return storage.join(str(output), "runs/lease.json")


def test_a_build_that_was_left_to_a_cluster_ends_there(cluster, built, songs_folder, tmp_path):
    output, config = tmp_path / "out", config_of(songs_folder)
    assert submit(config, str(output), in_process()) == JOB
    told = status_of(str(output))
    assert told.exit_code == 0 and f"({JOB}), last heard of" in told.lines[2]
    assert "read songs: 0 of 18" in told.lines[1]
    with pytest.raises(BusyError, match="Flink job 1f"):
        submit(config, str(output), in_process())
    cluster[0].run().wait_until_finish()
    assert published(output) == published(built.dataset.url)
    assert [path.name for path in (output / "runs").rglob("*") if path.is_file()] == ["outcome.json"]
    assert submit(config, str(output), in_process()) is None


def test_what_its_plan_refuses_is_told_by_status(cluster, songs_folder, tmp_path):
    output, config = tmp_path / "out", config_of(songs_folder, build={"max_reject_share": 0.0})
    (songs_folder / "blues" / "bad.wav").write_text("no audio")
    try:
        submit(config, str(output), in_process())
        cluster[0].run().wait_until_finish()
    finally:
        (songs_folder / "blues" / "bad.wav").unlink()
    told = status_of(str(output))
    assert told.exit_code == 1 and "refused" in told.lines[1]
    assert lease.read(lease_of(output)) is None


def test_a_job_that_died_is_named(cluster, songs_folder, tmp_path):
    output = tmp_path / "out"
    submit(config_of(songs_folder), str(output), in_process())
    left = lease.read(lease_of(output))
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    storage.write_bytes(lease_of(output), dataclasses.replace(left, renewed=long_ago).to_json())
    told = status_of(str(output))
    assert told.exit_code == 1
    assert f"read songs: 0 of 18; its {JOB} was last heard of at {long_ago:%Y-%m-%d %H:%M} UTC" in told.lines[1]


def test_a_job_renews_its_lease_where_its_command_has_gone(cluster, songs_folder, tmp_path, monkeypatch):
    output = tmp_path / "out"
    submit(config_of(songs_folder), str(output), in_process())
    renewed = []
    monkeypatch.setattr(lease, "_change", lambda url, token, change: renewed.append((url, token)) or True)
    monkeypatch.setattr(lease, "_looked_s", {})
    token = json.loads(Path(lease_of(output)).read_bytes())["token"]
    cluster[0].run().wait_until_finish()
    assert renewed[0] == (lease_of(output), token)


def test_on_this_machine_it_is_refused_before_anything_is_written(songs_folder, tmp_path):
    with pytest.raises(UsageError, match="--detach"):
        submit(config_of(songs_folder), str(tmp_path / "out"), in_process())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("end", "is_held"),
    [(SpectroshardError("failed"), False), (UnknownEndError("?"), True), (KeyboardInterrupt(), True)],
)
def test_the_lease_stays_where_the_job_may_go_on(cluster, songs_folder, tmp_path, monkeypatch, end, is_held):
    def wait(result, job):
        raise end

    monkeypatch.setattr(building.jobs, "wait", wait)
    with pytest.raises(type(end)):
        build(config_of(songs_folder), str(tmp_path / "out"), in_process())
    assert (lease.holder(lease_of(tmp_path / "out")) is not None) == is_held
