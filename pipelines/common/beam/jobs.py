"""Jobs: pipelines that a runner of its own works on, what they are called there, and how they end."""

import contextlib
import json
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError

import apache_beam as beam
from apache_beam.options.pipeline_options import FlinkRunnerOptions, GoogleCloudOptions, PortableOptions

from pipelines.common.beam.failures import root_cause
from pipelines.common.errors import SpectroshardError, UsageError

_ENGINES = {"FlinkRunner": "Flink", "DataflowRunner": "Dataflow", "PortableRunner": "Beam"}
_IN_THIS_PROCESS = "embed", "[local]", "[auto]"
_ENDED = ("FINISHED", "FAILED", "CANCELED")  # as Flink calls it
_LOOKS_EVERY_S, _APPEARS_WITHIN_S, _ANSWERS_WITHIN_S = 1.0, 60.0, 60.0


class UnknownEndError(SpectroshardError):
    """A job may be at work, but is not answered for."""


@dataclass(frozen=True)
class Job:
    """A pipeline in the hands of a cluster.

    Attributes
    ----------
    engine : str
        `Flink`, `Dataflow`, or `Beam` of another job server.
    id : str
        What it is called there.
    address : str
        Where to look for it.
    """

    engine: str
    id: str
    address: str

    def __str__(self) -> str:
        return f"{self.engine} job {self.id} at {self.address}"


def refuse_this_machine(pipeline: beam.Pipeline) -> None:
    """Refuses a pipeline that would end with this process.

    Raises
    ------
    UsageError
        Its runner, or its workers, are this process.
    """
    options = pipeline.options.view_as(PortableOptions)
    if _engine(pipeline) is None or options.environment_type == "LOOPBACK":
        raise UsageError(
            "--detach: the work would end with this command; give the --runner of a cluster, such as flink"
        )


def submit(pipeline: beam.Pipeline, name: str) -> tuple[Any, Job | None]:
    """Begins to run a pipeline; gives the job that it is, on a cluster.

    Parameters
    ----------
    pipeline : beam.Pipeline
    name : str
        What it is called where many jobs are, unless Beam's options say it.
    """
    options, engine = pipeline.options, _engine(pipeline)
    cloud, master = options.view_as(GoogleCloudOptions), options.view_as(FlinkRunnerOptions).flink_master
    if engine and not cloud.job_name:
        cloud.job_name = f"spectroshard-{name}-{uuid.uuid4().hex[:8]}"
    result: Any = pipeline.run()  # each runner's has its own way to tell its id
    if engine == "Flink":
        address = f"http://{master.rpartition('://')[2]}"
        return result, Job(engine, _flink_id(address, cloud.job_name), address)
    if engine == "Dataflow":
        where = f"https://console.cloud.google.com/dataflow/jobs/{cloud.region}"
        # Where a template is launched, Dataflow makes the job when this process has ended.
        job_id = result.job_id() if getattr(result, "_job", None) else cloud.job_name
        return result, Job(engine, job_id, f"{where}/{job_id}?project={cloud.project}")
    if engine:
        return result, Job(engine, result._job_id, options.view_as(PortableOptions).job_endpoint)
    return result, None


def wait(result: Any, job: Job | None) -> None:
    """Waits for the end of a pipeline.

    Raises
    ------
    SpectroshardError
        The job did not end well, or was cancelled.
    UnknownEndError
        The cluster does not answer.
    """
    if job is None:
        result.wait_until_finish()
        return
    try:
        if job.engine == "Flink":
            state = _wait_for_flink(job)  # Beam looks once a minute, and an answer that fails is the end to it
            if state == "CANCELED":
                raise SpectroshardError("was cancelled")
        result.wait_until_finish()
    except KeyboardInterrupt:
        print(f"{job} goes on without this command, until it is cancelled there", file=sys.stderr)
        raise
    except UnknownEndError:
        raise
    except Exception as error:
        raise SpectroshardError(f"{job}: {root_cause(error)}; run the same command again to continue") from error


@contextlib.contextmanager
def running(pipeline: beam.Pipeline, name: str) -> Iterator[beam.Pipeline]:
    """A pipeline that is run when the block ends; its end is waited for."""
    yield pipeline
    wait(*submit(pipeline, name))


def _engine(pipeline: beam.Pipeline) -> str | None:
    """What kind of cluster a pipeline runs on; None on this machine."""
    options = pipeline.options
    endpoint = options.view_as(PortableOptions).job_endpoint
    engine = _ENGINES.get(type(pipeline.runner).__name__)
    master = options.view_as(FlinkRunnerOptions).flink_master if engine == "Flink" and not endpoint else endpoint
    if engine == "Flink" and endpoint:
        engine = "Beam"  # the job server knows the cluster; this process does not
    return None if engine != "Dataflow" and master in (None, *_IN_THIS_PROCESS) else engine


def _flink_id(address: str, name: str) -> str:
    """The id of the newest job of a name, which may take a moment to appear."""
    until_s = time.monotonic() + _APPEARS_WITHIN_S
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            named = [job for job in _asked(f"{address}/jobs/overview")["jobs"] if job["name"] == name]
            if named:
                return str(max(named, key=lambda job: int(job["start-time"]))["jid"])
        time.sleep(_LOOKS_EVERY_S)
    raise UnknownEndError(
        f"{address}: the job {name} did not appear there; what became of it, the job server's log says"
    )


def _wait_for_flink(job: Job) -> str:
    """Waits for the end of a job; gives its state then."""
    answered_s = worked_s = time.monotonic()
    while True:
        try:
            told = _asked(f"{job.address}/jobs/{job.id}")
            if told["state"] in _ENDED:
                return str(told["state"])
            answered_s = time.monotonic()
            if not _lacks_slots(told):
                worked_s = answered_s
            elif answered_s - worked_s > _ANSWERS_WITHIN_S:
                print(f"{job}: waits for task slots; see whether its TaskManagers are there", file=sys.stderr)
                worked_s = float("inf")  # once is enough, until it has had some again
        except OSError as error:
            if time.monotonic() - answered_s > _ANSWERS_WITHIN_S:
                raise UnknownEndError(f"{job}: {_silence(error)}") from error
        time.sleep(_LOOKS_EVERY_S)


def _silence(error: OSError) -> str:
    """What is said of a job that is not answered for."""
    if isinstance(error, HTTPError) and error.code == HTTPStatus.NOT_FOUND:
        return (
            "is not known there any more, as when the JobManager was restarted; run the same command again to continue"
        )
    return (
        f"gives no answer ({error}); once the cluster does, `spectroshard status` says whether the job is at work, and"
        " if not, run the same command again to continue"
    )


def _lacks_slots(told: Mapping[str, Any]) -> bool:
    """Whether tasks of a job are to be run, and none is; its steps count as running where some of theirs have ended."""
    tasks = [step["tasks"] for step in told["vertices"]]
    return any(each["SCHEDULED"] for each in tasks) and not any(each["RUNNING"] for each in tasks)


def _asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=_ANSWERS_WITHIN_S) as answer:
        return json.load(answer)
