"""Workers of this machine: how many, threads or processes, and that none outlives its job, nor its job a worker."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, StandardOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.abstract_job_service import UberJarBeamJob

from pipelines.build.build import build
from pipelines.build.steps.read_songs import ReadPart
from pipelines.common.beam import runners
from pipelines.common.beam.runners import FEW_FILES, MOST_THREADS, cores, new_pipelines
from pipelines.common.errors import UsageError
from tests.addresses import LOOPBACK, listens_on
from tests.pipelines.conftest import config_of, published

IN_PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]


def chosen(*arguments, songs=0):
    """The runner, the mode and the number of workers of a pipeline."""
    options = new_pipelines(*arguments)(songs).options
    direct = options.view_as(DirectOptions)
    return options.view_as(StandardOptions).runner, direct.direct_running_mode, direct.direct_num_workers


def test_a_few_workers_of_a_few_songs_are_threads_and_others_processes(monkeypatch):
    monkeypatch.setattr(runners, "cores", lambda: 3)
    assert chosen([]) == ("FnApiRunner", "multi_threading", 3)
    assert chosen([], MOST_THREADS, songs=1) == ("FnApiRunner", "multi_threading", MOST_THREADS)
    assert chosen([], MOST_THREADS + 1, songs=1) == ("FnApiRunner", "multi_processing", MOST_THREADS + 1)
    # They decode nothing themselves.
    assert chosen([], MOST_THREADS + 1, songs=0) == ("FnApiRunner", "multi_threading", MOST_THREADS + 1)
    assert chosen([], 2, songs=FEW_FILES) == ("FnApiRunner", "multi_threading", 2)
    assert chosen([], 2, songs=FEW_FILES + 1) == ("FnApiRunner", "multi_processing", 2)
    assert chosen([], 1, songs=FEW_FILES + 1) == ("FnApiRunner", "multi_threading", 1)


def test_flags_say_more_than_the_default(monkeypatch):
    monkeypatch.setattr(runners, "cores", lambda: 3)
    assert chosen(["--direct_num_workers=7"]) == ("FnApiRunner", "multi_threading", 7)
    assert chosen(["--direct_running_mode", "multi_processing"]) == ("FnApiRunner", "multi_processing", 3)
    assert chosen(["--runner", "DirectRunner"]) == ("DirectRunner", "in_memory", 1)


@pytest.mark.parametrize("flag", ["--runner=FlinkRunner", *IN_PROCESSES])
def test_workers_are_said_once(flag):
    with pytest.raises(UsageError, match=f"--workers 2: {flag} says .*; leave out one"):
        new_pipelines(["--job_name=x", flag], 2)


def test_nobody_does_no_work():
    with pytest.raises(UsageError, match="--workers 0: expected at least 1"):
        new_pipelines([], 0)


@pytest.mark.parametrize(("limit", "expected"), [("150000 100000", 2), ("max 100000", 6), ("900000 100000", 6)])
def test_cores_are_those_that_a_container_may_use(limit, expected, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    monkeypatch.setattr(runners, "_CPU_LIMIT", tmp_path / "cpu.max")
    assert cores() == 6
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert cores() == expected


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
def test_threads_change_no_byte(workers, built, songs_folder, tmp_path):
    build(config_of(songs_folder), str(tmp_path / "out"), new_pipelines([], workers))
    assert published(tmp_path / "out") == published(built.dataset.url)


class NeverDone(ReadPart):
    """Leaves a file named by its process, and is at work for longer than any test."""

    def process(self, element):
        Path(os.environ["AT_WORK"], str(os.getpid())).touch()
        time.sleep(3600)
        yield 0


SCRIPT = """
import signal, sys
from spectroshard import cli
from pipelines.build.steps import read_songs
from tests.pipelines.common.beam.test_runners import NeverDone
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests deaf to it
read_songs.ReadPart = NeverDone
sys.exit(cli.main(sys.argv[1:]))
"""


def stopped(source, output, stop):
    """Starts a build in processes that would never end, stops it, and gives its exit code, errors and workers' ids."""
    config = output.with_suffix(".json")
    config.write_text(json.dumps(config_of(source).model_dump(mode="json")))
    command = [
        sys.executable,
        "-c",
        SCRIPT,
        "build",
        str(source),
        "--config",
        str(config),
        "--output",
        str(output),
        "--",
        *IN_PROCESSES,
    ]
    at_work = output.with_suffix(".at-work")
    at_work.mkdir()
    told = {"env": os.environ | {"AT_WORK": str(at_work)}, "cwd": Path(__file__).parents[4]}
    job = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **told)
    try:
        deadline_s = time.monotonic() + 120
        while not (workers := list(at_work.iterdir())) and time.monotonic() < deadline_s:
            time.sleep(0.05)
        stop(job.pid, int(workers[0].name))
        _, errors = job.communicate(timeout=60)
    finally:
        job.kill()
    return job.returncode, errors, [path.name for path in at_work.iterdir()]


@pytest.mark.slow
def test_a_build_whose_worker_is_killed_ends_and_goes_on(built, songs_folder, tmp_path):
    output = tmp_path / "out"
    code, errors, workers = stopped(songs_folder, output, lambda _, worker: os.kill(worker, signal.SIGKILL))
    assert code == 1
    assert "was killed" in errors.splitlines()[-1] and "Traceback" not in errors
    assert errors.endswith("; run the same command again to continue, best with fewer --workers\n")
    assert not any(Path("/proc", worker).exists() for worker in workers)
    build(config_of(songs_folder), str(output), new_pipelines(IN_PROCESSES))
    assert published(output) == published(built.dataset.url)


def test_a_worker_that_fails_prints_no_traceback(capsys):
    with pytest.raises(RuntimeError, match="ZeroDivisionError"), new_pipelines([])(0) as pipeline:
        _ = pipeline | beam.Create([0]) | beam.Map(lambda number: 1 / number)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.slow
def test_a_build_that_is_interrupted_ends_with_its_workers(songs_folder, tmp_path, number, exit_code):
    output = tmp_path / "out"
    code, errors, workers = stopped(songs_folder, output, lambda job, _: os.kill(job, number))
    assert code == exit_code and errors.splitlines()[-1] == "Stopped. Run the same command again to continue."
    assert not any(Path("/proc", worker).exists() for worker in workers)


def test_only_this_machine_reaches_the_servers_that_workers_talk_to(tmp_path):
    def look(element):
        return len(listens_on([os.getppid()])), listens_on([os.getppid()]) <= LOOPBACK

    with new_pipelines(IN_PROCESSES)(0) as pipeline:
        _ = pipeline | beam.Create([0]) | beam.Map(look) | beam.Map(str) | beam.io.WriteToText(str(tmp_path / "seen"))
    seen = [path.read_text().strip() for path in tmp_path.iterdir()]
    assert seen and all(each in ("(1, True)", "(2, True)") for each in seen), seen


def test_only_this_machine_reaches_the_server_that_stages_a_job(tmp_path):
    with zipfile.ZipFile(tmp_path / "server.jar", "w"):
        pass
    job = UberJarBeamJob(str(tmp_path / "server.jar"), "1f", "build", beam_runner_api_pb2.Pipeline(), None)
    before = listens_on([os.getpid()])
    job.prepare()
    try:
        begun = listens_on([os.getpid()])
    finally:
        job._artifact_staging_server.stop(None).wait()
        Path(job._jar).unlink()
    assert begun and begun - before <= LOOPBACK
