"""Longer faults, on clusters of one TaskManager: its pool goes, its JobManager, or disk space: `make soak-flink`."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flink import cluster as flink
from tests.flink.conftest import spectroshard, wait_until
from tests.flink.with_flink import a_part_is_read, build, newest_job
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


def test_a_detached_job_is_lost_with_a_job_manager_that_is_started_again(lone, corpus, local, tmp_path):
    output = tmp_path / "dataset"
    detached = build(corpus, output, lone, "--detach")
    assert detached.end() == 0, detached.told()
    job = f"Flink job {newest_job(lone)['jid']} at http://{lone.address}"
    wait_until(a_part_is_read(output), "nothing is read")
    os.kill(lone.processes(flink.JOB_MANAGER)[0], signal.SIGKILL)
    lone.add_job_manager()
    lone.wait_for_slots(1)
    assert lone.rest("/jobs/overview")["jobs"] == []
    at_once = build(corpus, output, lone)
    assert at_once.end() == 3 and f"({job}) has been at work" in at_once.told(), at_once.told()
    wait_until(lambda: spectroshard("status", output).end() == 1, "its lease has not ended")
    status = spectroshard("status", output)
    assert f"its {job} was last heard of at" in status.told()
    assert status.told().rstrip().endswith("run the same build again to continue")
    again = build(corpus, output, lone)
    assert again.end() == 0, again.told()
    assert published(output) == local


def test_workers_whose_disk_is_full(corpus, local, tmp_path):
    cluster, output = flink.Cluster(tmp_path / "flink", flink.free_port(), flink.free_port()), tmp_path / "dataset"
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.stop)
        cluster.start(task_managers=1, disk_mb=16)
        command = build(corpus, output, cluster)
        wait_until(a_part_is_read(output), command)
        # Its mount is seen by its own processes alone.
        filler = Path(f"/proc/{cluster.task_managers[0].pid}/root{cluster.disk}/filler")
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 20))
        assert command.end() == 1
        last = command.told().splitlines()[-1]
        assert (
            f"no space left on device (volume {cluster.disk})" in last
            and str(cluster.disk) in last.partition(" (volume")[0]
        ), last
        assert last.endswith("run the same command again to continue")
        assert not list(output.glob("versions/*"))
        filler.unlink()
        again = build(corpus, output, cluster)
        assert again.end() == 0, again.told()
        assert published(output) == local
