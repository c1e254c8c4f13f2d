"""Where pipelines run: in threads or processes of this machine, or on the runner that Beam's options name."""

import contextlib
import math
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc  # type: ignore[import-untyped]
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    ControlFuture,
    GrpcWorkerHandler,
    WorkerHandler,
)
from apache_beam.runners.worker import sdk_worker
from google.protobuf import json_format, text_format

from pipelines.common.beam import failures, loopback
from pipelines.common.child import python_path
from pipelines.common.errors import SpectroshardError, UsageError

NewPipeline = Callable[[int], beam.Pipeline]
"""Returns an empty pipeline whose workers themselves decode so many files; others leave that to child processes."""

MOST_THREADS = 4
"""Up to so many workers are threads; more are processes."""

FEW_FILES = 500
"""Up to so many files are decoded by threads; for more it pays to start processes."""

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
_SAYS_WHERE = ("--runner", "--direct_running_mode", "--direct_num_workers")
_LOOKS_EVERY_S = 0.1

# The traceback that a worker prints when its work fails or is stopped, it logs too: a log can be left out.
_worker_module: Any = sdk_worker
_worker_module.print = lambda *_, **__: None
loopback.keep_to_loopback()


def new_pipelines(beam_flags: Sequence[str], workers: int | None = None, default: int | None = None) -> NewPipeline:
    """A maker of empty pipelines, which run on this machine unless Beam's options name a runner.

    Several workers are threads where the files are few, else processes. Threads start at once and share what is loaded,
    but contend for Python's global lock: two did 1.2 times the work of one. Each process takes one to two seconds of
    CPU to start.

    Parameters
    ----------
    beam_flags : sequence of str
        Options of Apache Beam; they override those chosen here.
    workers : int, optional
        How many files this machine works on at once.
    default : int, optional
        How many if `workers` is not given; by default as many as `cores`.

    Raises
    ------
    UsageError
        `workers` is less than one, or is given beside flags that choose a runner or its workers.
    """
    named = [flag for flag in beam_flags if flag.startswith(_SAYS_WHERE)]
    if workers is not None and named:
        raise UsageError(f"--workers {workers}: {named[0]} says it too; leave out one of the two")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}: expected at least 1")
    is_local = not any(flag.startswith("--runner") for flag in named)
    count = workers or default or cores()
    return lambda files: beam.Pipeline(
        options=PipelineOptions([*(_local(count, files) if is_local else ()), *beam_flags])
    )


def cores() -> int:
    """The number of cores that this process may use, by its affinity and its container's limit."""
    allowed = len(os.sched_getaffinity(0))
    quota, _, period = _CPU_LIMIT.read_text().partition(" ") if _CPU_LIMIT.exists() else ("max", "", "")
    return allowed if quota == "max" else min(allowed, math.ceil(int(quota) / int(period)))


def _local(workers: int, files: int) -> list[str]:
    is_threaded = workers == 1 or files == 0 or (workers <= MOST_THREADS and files <= FEW_FILES)
    mode = "multi_threading" if is_threaded else "multi_processing"
    return [
        "--runner=FnApiRunner",  # Beam's default runner would first look for a binary on the network
        f"--direct_running_mode={mode}",
        f"--direct_num_workers={workers}",
        "--no_pipeline_type_check",  # which takes a third of the time to make the graph; the type checker looks, too
    ]


@WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)
class WatchedWorker(GrpcWorkerHandler):
    """A worker process of `multi_processing`. It replaces Beam's own, whose death leaves a job waiting for ever.

    If a worker dies, its job ends with an error; when a job ends, in whatever way, so do its workers.
    """

    def __init__(self, command: bytes, *beams_own: Any):
        super().__init__(*beams_own)
        self._command = shlex.split(command.decode())
        self._is_closing = threading.Event()

    def start_worker(self) -> None:
        told = {
            "WORKER_ID": self.worker_id,
            "PIPELINE_OPTIONS": json_format.MessageToJson(self.provision_info.provision_info.pipeline_options),
            "CONTROL_API_SERVICE_DESCRIPTOR": text_format.MessageToString(self.control_api_service_descriptor()),
            "LOGGING_API_SERVICE_DESCRIPTOR": text_format.MessageToString(self.logging_api_service_descriptor()),
        }
        threading.excepthook = _tell_thread_error
        # In a process group of its own: Ctrl-C reaches the main process alone, and the worker's children end with it.
        self._process = subprocess.Popen(self._command, env=os.environ | python_path() | told, process_group=0)
        threading.Thread(target=self._watch, daemon=True).start()

    def stop_worker(self) -> None:
        self._kill()

    def close(self) -> None:
        self._is_closing.set()
        if self._awaited():
            self._kill()
        super().close()

    def _watch(self) -> None:
        error = SpectroshardError(_death_message(self._process.pid, self._process.wait()))
        if not self._is_closing.is_set():
            failures.deaths.append(str(error))
        # Beam goes on sending requests until it notices.
        while not self._is_closing.wait(_LOOKS_EVERY_S):
            for answer in self._awaited():
                answer.abort(error)
                answer.set(beam_fn_api_pb2.InstructionResponse())

    def _awaited(self) -> list[ControlFuture]:
        """The requests that the job still waits for, of this worker and of others."""
        connections = list(self.control_handler._connections_by_worker_id.values())
        return [answer for connection in connections for answer in list(connection._futures_by_id.values())]

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def _tell_thread_error(thread: threading.ExceptHookArgs) -> None:
    # Beam's threads lose the worker that they listen to; its death is reported once, as the job's error.
    if not isinstance(thread.exc_value, grpc.RpcError):
        threading.__excepthook__(thread)


def _death_message(process_id: int, code: int) -> str:
    resume = "run the same command again to continue"
    if code == -signal.SIGKILL:
        why = "was killed, as happens when memory runs out"
        return f"worker process {process_id} {why}; {resume}, best with fewer --workers"
    end = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"worker process {process_id} {end} (-v shows more); {resume}"
