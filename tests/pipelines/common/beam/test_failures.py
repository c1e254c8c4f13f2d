"""An error that was raised in a worker, as the user is told of it: its root cause in one line."""

import errno

import apache_beam as beam
import pytest

from pipelines.common.beam.failures import root_cause
from pipelines.common.child import ChildKilled
from pipelines.common.errors import BusyError, SpectroshardError, UsageError
from tests.pipelines.conftest import in_process

ERRORS = {
    "system": (OSError(errno.ENOSPC, "No space left on device", "/d/a b"), "/d/a b: no space left on device"),
    "own": (SpectroshardError("s3://b/x: is missing; build again"), "s3://b/x: is missing; build again"),
    "usage": (UsageError("folds.count: expected at least 2"), "folds.count: expected at least 2"),
    "busy": (BusyError("/d: a build by here has been at work"), "/d: a build by here has been at work"),
    "killed": (ChildKilled("was killed from outside"), "was killed from outside"),
    "quoting": (
        SpectroshardError("a.wav: cannot be read (OSError: [Errno 5] I/O error: '/d/a') [1 of 2]"),
        "a.wav: cannot be read (OSError: [Errno 5] I/O error: '/d/a') [1 of 2]",
    ),
    "programming": (TypeError("expected str, got None"), "TypeError: expected str, got None"),
    "lines": (ValueError("first\nsecond"), "ValueError: first second"),
    "colons": (ValueError("a: b"), "ValueError: a: b"),
    "memory": (
        MemoryError("Unable to allocate 9 GiB"),
        "memory ran out (Unable to allocate 9 GiB); run the same command again, best with fewer --workers",
    ),
}  # fmt: skip
RUNNERS = {
    "one": (),
    "threads": ("--direct_running_mode=multi_threading", "--direct_num_workers=2"),
    "processes": ("--direct_running_mode=multi_processing", "--direct_num_workers=2"),
}


class Failing(beam.DoFn):
    """Raises an error of a kind in one of its methods."""

    def __init__(self, kind, method="process"):
        self.kind, self.method = kind, method

    def _fail(self, method):
        if method == self.method:
            raise ERRORS[self.kind][0] from ValueError("what lies behind it")

    def setup(self):
        self._fail("setup")

    def start_bundle(self):
        self._fail("start_bundle")

    def process(self, element):
        self._fail("process")
        yield element

    def finish_bundle(self):
        self._fail("finish_bundle")


def line_of(runner, failing):
    with pytest.raises(Exception) as raised, in_process(*RUNNERS[runner])(1) as pipeline:
        _ = pipeline | beam.Create([1, 2]) | beam.Reshuffle() | "Read files" >> beam.ParDo(failing)
    return root_cause(raised.value)


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_here(kind):
    error, line = ERRORS[kind]
    assert root_cause(error) == line


SLOW = pytest.param("processes", marks=pytest.mark.slow)  # each time, processes start


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("runner", ["one", "threads", SLOW])
def test_an_error_in_a_worker(runner, kind):
    assert line_of(runner, Failing(kind)) == ERRORS[kind][1]


@pytest.mark.parametrize("method", ["setup", "start_bundle", "finish_bundle"])
@pytest.mark.parametrize("runner", ["one", "threads"])
def test_an_error_before_or_after_a_worker_s_work(runner, method):
    for kind in ("own", "system"):
        assert line_of(runner, Failing(kind, method)) == ERRORS[kind][1]


def test_an_error_in_a_single_step_that_is_no_class_of_its_own():
    def plan(_):
        raise ERRORS["usage"][0]

    with pytest.raises(Exception) as raised, in_process()(1) as pipeline:
        _ = pipeline | beam.Create([1]) | "Plan" >> beam.Map(plan)
    assert root_cause(raised.value) == ERRORS["usage"][1]


FRAMES = (
    "\n\tat java.base/java.util.concurrent.CompletableFuture.get(CompletableFuture.java:2073)\n\tat a.B.c(B.java:1)"
)
OF_WORKER = (
    "Error received from SDK harness for instruction 4: Traceback (most recent call last):\n"
    '  File "sdk_worker.py", line 311, in _execute\n    response = task()\n'
    "OSError: [Errno 28] No space left on device: '/data/a' [while running 'Read songs/Read songs']\n"
)
LOST = "org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: CANCELLED: client cancelled"


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            f"java.util.concurrent.ExecutionException: java.lang.RuntimeException: {OF_WORKER}{FRAMES}\n"
            f"Caused by: java.lang.RuntimeException: {OF_WORKER}{FRAMES}\n\t... 6 more\n",
            "/data/a: no space left on device",
        ),
        (
            f"java.util.concurrent.ExecutionException: {LOST}{FRAMES}\nCaused by: {LOST}{FRAMES}\n\t... 1 more\n",
            f"workers were lost, as happens when memory runs out; the TaskManagers' logs say more ({LOST})",
        ),
        (
            "java.io.IOException: Insufficient number of network buffers: required 512, but only 509 available."
            f"{FRAMES}\n",
            "IOException: Insufficient number of network buffers: required 512, but only 509 available.",
        ),
        (
            f"java.lang.RuntimeException: java.io.IOException: No space left on device{FRAMES}\n"
            f"Caused by: java.io.IOException: No space left on device{FRAMES}\n\t... 6 more\n",
            "no space left on a TaskManager's disk, where its io.tmp.dirs are (by default /tmp); the exceptions on"
            " Flink's page of the job name its host",
        ),
    ],
)
def test_what_a_java_process_tells(told, line):
    error = RuntimeError(f"Pipeline job-1f failed in state FAILED: {told}")
    assert root_cause(error) == line
