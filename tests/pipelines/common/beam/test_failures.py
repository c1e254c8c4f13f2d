"""An error that was raised in a worker, as the user is told of it: its root cause in one line."""

import errno

import apache_beam as beam
import pytest

from pipelines.common.beam.failures import root_cause
from pipelines.common.errors import SpectroshardError, UsageError
from tests.pipelines.conftest import in_process

ERRORS = {
    "system": (OSError(errno.ENOSPC, "No space left on device", "/d/a b"), "/d/a b: no space left on device"),
    "own": (SpectroshardError("s3://b/x: is missing; build again"), "s3://b/x: is missing; build again"),
    "usage": (UsageError("folds.count: expected at least 2"), "folds.count: expected at least 2"),
    "programming": (TypeError("expected str, got None"), "TypeError: expected str, got None"),
    "lines": (ValueError("first\nsecond"), "ValueError: first second"),
    "colons": (ValueError("a: b"), "ValueError: a: b"),
    "memory": (MemoryError("Unable to allocate 9 GiB"), "memory ran out (Unable to allocate 9 GiB); run the same command again, best with fewer --workers"),
}  # fmt: skip
RUNNERS = {"one": (), "processes": ("--direct_running_mode=multi_processing", "--direct_num_workers=2")}


class Failing(beam.DoFn):
    def __init__(self, kind):
        self.kind = kind

    def process(self, element):
        raise ERRORS[self.kind][0]


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_here(kind):
    error, line = ERRORS[kind]
    assert root_cause(error) == line


SLOW = pytest.param("processes", marks=pytest.mark.slow)  # each time, processes start


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("runner", ["one", SLOW])
def test_an_error_in_a_worker(runner, kind):
    with pytest.raises(Exception) as raised, in_process(*RUNNERS[runner])(1) as pipeline:
        _ = pipeline | beam.Create([1, 2]) | beam.Reshuffle() | "Read files" >> beam.ParDo(Failing(kind))
    assert root_cause(raised.value) == ERRORS[kind][1]
