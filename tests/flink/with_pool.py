"""Longer faults, on clusters of one TaskManager: its worker pool goes, or its JobManager does: `make soak-flink`."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flink import cluster as flink
from tests.flink.conftest import wait_until
from tests.flink.with_flink import a_part_is_read, build
from tests.pipelines.conftest import published


@pytest.fixture
def lone(tmp_path):
    with flink.running(tmp_path / "flink", task_managers=1) as cluster:
        yield cluster


def start_pool(cluster, port):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # it starts the first python that it finds
    return subprocess.Popen(
        [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main", f"--service_port={port}"],
        cwd=flink.REPOSITORY,
        env=cluster.environment | {"PATH": path, "PYTHONPATH": str(flink.REPOSITORY)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def test_a_worker_pool_that_goes_and_comes_back(lone, corpus, local, tmp_path):
    output, port = tmp_path / "dataset", flink.free_port()
    external = ["--", "--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"]
    pool = start_pool(lone, port)
    command = build(corpus, output, lone, *external)
    wait_until(a_part_is_read(output), command)
    os.killpg(pool.pid, signal.SIGKILL)
    pool.wait()
    assert command.end() == 1
    last = command.told().splitlines()[-1]
    assert f"at http://{lone.address}: " in last and last.endswith("run the same command again to continue")
    assert not list(output.glob("versions/*"))
    start_pool(lone, port)
    again = build(corpus, output, lone, *external)
    assert again.end() == 0, again.told()
    assert published(output) == local


def test_a_job_manager_that_is_killed(lone, corpus, local, tmp_path):
    output = tmp_path / "dataset"
    command = build(corpus, output, lone)
    wait_until(a_part_is_read(output), command)
    os.kill(lone.processes(flink.JOB_MANAGER)[0], signal.SIGKILL)
    assert command.end() == 1
    assert "gives no answer" in command.told().splitlines()[-1]
    assert not list(output.glob("versions/*"))
    lone.stop()
    lone.start(task_managers=1)
    wait_until(lambda: build(corpus, output, lone).end() == 0, "its lease has not ended")
    assert published(output) == local
