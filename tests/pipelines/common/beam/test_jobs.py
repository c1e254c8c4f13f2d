import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.flink_runner import FlinkRunner

from pipelines.common.beam import jobs
from pipelines.common.beam.jobs import Job, UnknownEndError
from pipelines.common.errors import SpectroshardError, UsageError
from tests.pipelines.conftest import in_process


@pytest.fixture
def flink(monkeypatch):
    """A JobManager that answers with what stands in `answers`, a list for each path; the last stays; none is a 404."""
    answers = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            found = answers.get(self.path)
            self.send_response(200 if found else 500 if found is None else 404)
            self.end_headers()
            if found:
                self.wfile.write(json.dumps(found.pop(0) if len(found) > 1 else found[0]).encode())

        def log_message(self, *_):
            pass

    monkeypatch.setattr(jobs, "_LOOKS_EVERY_S", 0.01)
    monkeypatch.setattr(jobs, "_ANSWERS_WITHIN_S", 0.5)
    monkeypatch.setattr(jobs, "_APPEARS_WITHIN_S", 0.5)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}", answers
        server.shutdown()


class Result:
    """What a runner gives, of a job that failed if there is a fault."""

    def __init__(self, fault=""):
        self.fault, self.waited = fault, False

    def wait_until_finish(self):
        self.waited = True
        if self.fault:
            raise RuntimeError(self.fault)


def pipeline_of(*options):
    return beam.Pipeline(options=PipelineOptions(options))


def in_state(state, **tasks):
    return {"state": state, "vertices": [{"tasks": {"SCHEDULED": 0, "RUNNING": 0, "FINISHED": 1} | tasks}]}


def overview(*jobs_):
    return [{"jobs": [{"name": name, "jid": jid, "start-time": start} for name, jid, start in jobs_]}]


@pytest.mark.parametrize(
    "options",
    [
        ["--runner=FnApiRunner"],
        ["--runner=DirectRunner"],
        ["--runner=PortableRunner", "--job_endpoint=embed"],
        ["--runner=FlinkRunner"],
        ["--runner=FlinkRunner", "--flink_master=[local]"],
        ["--runner=FlinkRunner", "--flink_master=10.0.0.7:8081", "--environment_type=LOOPBACK"],
    ],
)
def test_what_would_end_with_this_process_is_not_detached(options):
    with pytest.raises(UsageError, match="--detach: the work would end with this command"):
        jobs.refuse_this_machine(pipeline_of(*options))


@pytest.mark.parametrize(
    "options",
    [
        ["--runner=FlinkRunner", "--flink_master=10.0.0.7:8081"],
        ["--runner=PortableRunner", "--job_endpoint=10.0.0.7:8099"],
    ],
)
def test_what_a_cluster_does_can_be_detached(options):
    jobs.refuse_this_machine(pipeline_of(*options))


def test_on_this_machine_there_is_no_job():
    pipeline = in_process()(0)
    _ = pipeline | beam.Create([1])
    result, job = jobs.submit(pipeline, "build")
    assert job is None
    jobs.wait(result, job)


@pytest.mark.parametrize("named", [(), ("--job_name=mine",)])
def test_a_flink_job_is_found_by_its_name(flink, monkeypatch, named):
    address, answers = flink
    submitted = []

    def run(self, test_runner_api="AUTO"):
        submitted.append(self.options.get_all_options()["job_name"])
        answers["/jobs/overview"] = [*overview(), *overview((submitted[0], "old", 1), (submitted[0], "new", 2))]
        return Result()

    monkeypatch.setattr(beam.Pipeline, "run", run)
    _, job = jobs.submit(pipeline_of("--runner=FlinkRunner", f"--flink_master={address}", *named), "build")
    assert job == Job("Flink", "new", f"http://{address}")
    assert submitted[0] == "mine" if named else submitted[0].startswith("spectroshard-build-")


def test_a_flink_job_that_does_not_appear(flink, monkeypatch):
    address, answers = flink
    answers["/jobs/overview"] = overview(("others", "1f", 1))
    monkeypatch.setattr(beam.Pipeline, "run", lambda *_: Result())
    with pytest.raises(UnknownEndError, match=r"spectroshard-build-\w+ did not appear there"):
        jobs.submit(pipeline_of("--runner=FlinkRunner", f"--flink_master={address}"), "build")


def test_the_end_of_a_flink_job_is_waited_for(flink):
    address, answers = flink
    answers["/jobs/1f"] = [in_state(state) for state in ("CREATED", "RUNNING", "RESTARTING", "FINISHED")]
    result = Result()
    jobs.wait(result, Job("Flink", "1f", f"http://{address}"))
    assert result.waited and answers["/jobs/1f"] == [in_state("FINISHED")]


def test_a_flink_job_that_gets_no_task_slots_is_told_of_once(flink, monkeypatch, capsys):
    address, answers = flink
    monkeypatch.setattr(jobs, "_ANSWERS_WITHIN_S", 0.05)
    waits, works = in_state("RUNNING", SCHEDULED=2), in_state("RUNNING", SCHEDULED=2, RUNNING=1)
    answers["/jobs/1f"] = [waits] * 30 + [works] + [waits] * 30 + [in_state("FINISHED")]
    jobs.wait(Result(), Job("Flink", "1f", f"http://{address}"))
    told = capsys.readouterr().err.splitlines()
    assert (
        told == [f"Flink job 1f at http://{address}: waits for task slots; see whether its TaskManagers are there"] * 2
    )


def test_an_error_names_the_job_and_what_to_do(flink):
    address, answers = flink
    answers["/jobs/1f"] = [in_state("FAILED")]
    with pytest.raises(SpectroshardError) as caught:
        jobs.wait(Result("OSError: [Errno 28] No space left on device: '/d'"), Job("Flink", "1f", f"http://{address}"))
    told = f"Flink job 1f at http://{address}: /d: no space left on device; run the same command again to continue"
    assert str(caught.value) == told


def test_a_cluster_that_does_not_answer_any_more(flink):
    address, _ = flink
    result = Result()
    with pytest.raises(UnknownEndError, match=r"Flink job 1f at .*: gives no answer .*spectroshard status"):
        jobs.wait(result, Job("Flink", "1f", f"http://{address}"))
    assert not result.waited


def test_a_cluster_that_knows_the_job_no_more(flink):
    address, answers = flink
    answers["/jobs/1f"] = []
    told = "Flink job 1f at .*: is not known there any more, .*; run the same command again to continue$"
    with pytest.raises(UnknownEndError, match=told):
        jobs.wait(Result(), Job("Flink", "1f", f"http://{address}"))


def test_who_stops_waiting_is_told_that_the_job_goes_on(flink, monkeypatch, capsys):
    address, _ = flink

    def interrupt(job):
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "_wait_for_flink", interrupt)
    with pytest.raises(KeyboardInterrupt):
        jobs.wait(Result(), Job("Flink", "1f", f"http://{address}"))
    assert f"Flink job 1f at http://{address} goes on without this command" in capsys.readouterr().err


def test_the_runner_that_knows_flink_is_beams():
    assert FlinkRunner.__name__ in jobs._ENGINES
