"""What every worker of a pipeline does before it works, and how a step waits for all of another."""

import ctypes
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import threadpoolctl
from apache_beam.pvalue import PCollection

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_SMALL_BYTES = 4 << 30
_LARGE_BYTES = 1 << 22  # above the arrays of a short song, for which a mapping each would cost time


class WorkerDoFn(beam.DoFn):
    """A DoFn that works on large arrays: one thread of BLAS, and memory that goes back to the system."""

    def setup(self) -> None:
        import scipy.linalg  # noqa: F401 - only libraries that are loaded can be limited

        # The runner shares out the cores: threads of BLAS's own would fight for them, and round by their number.
        threadpoolctl.threadpool_limits(1, "blas")
        # Large arrays go back to the system when they are freed, whatever lies beyond them.
        call_glibc("mallopt", _MMAP_THRESHOLD, _LARGE_BYTES)
        call_glibc("mallopt", _TRIM_THRESHOLD, 2 * _LARGE_BYTES)

    def start_bundle(self) -> None:
        # A runner takes many threads in turn, and what one has freed is kept for it alone.
        call_glibc("malloc_trim", 0)


def call_glibc(name: str, *arguments: int) -> None:
    """Calls a function of the C library, if it has it: others keep less memory to themselves."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)


def has_fitting_workers(pipeline: beam.Pipeline) -> bool:
    """Whether a pipeline's runner gives each step a worker that fits it: elsewhere hints only cost more workers."""
    return type(pipeline.runner).__name__ == "DataflowRunner"


def with_memory(step: beam.PTransform[Any, Any], needed_bytes: int) -> beam.PTransform[Any, Any]:
    """A step with a hint that its worker is to have so much memory; never less than a small worker has."""
    hinted: beam.PTransform[Any, Any] = step.with_resource_hints(min_ram=max(needed_bytes, _SMALL_BYTES))
    return hinted


class AfterAll(beam.PTransform[Any, PCollection[str]]):
    """Gives the elements of one collection, each once, when all of another are there, also where there are none.

    Takes both, the awaited one last.
    """

    def expand(self, input_or_inputs: Any) -> PCollection[str]:
        """The elements of the first."""
        elements, awaited = input_or_inputs  # Beam warns of the type of a pair
        # Nothing of what is awaited goes on, but what is to be grouped is complete only when that is.
        nothing = awaited | "Wait for all" >> beam.FlatMap(_nothing)
        grouped = (elements, nothing) | "Join" >> beam.Flatten() | beam.Map(_with_key) | beam.GroupByKey()
        gone_on: PCollection[str] = grouped | "Go on" >> beam.Keys()
        return gone_on


def _nothing(_: Any) -> Iterator[str]:
    return iter(())


def _with_key(element: str) -> tuple[str, None]:
    return element, None
