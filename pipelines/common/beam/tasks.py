"""Work as tasks and results: small JSON files, so that work that was interrupted goes on where it was.

A task is a frozen dataclass, kept as a JSON file that is named by its number and a digest of its content and of what a
result holds: a version whose results hold something else does not take up those of an earlier one. Running a task
leaves the result, another frozen dataclass, in a file beside it. Only names of tasks travel through Beam; a task that
has a result is not run again, whichever run left it.
"""

import json
import math
from collections.abc import Iterator, Sequence, Sized
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import apache_beam as beam
import pydantic
from apache_beam.pvalue import PCollection

from pipelines.common import storage
from pipelines.common.beam import jobs
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.beam.workers import WorkerDoFn, call_glibc
from pipelines.common.output.progress import Progress
from pipelines.common.section import digest


class Task(Protocol):
    """What a worker is given: a frozen dataclass."""

    @property
    def files(self) -> Sequence[Any]:
        """What it is about; progress counts them."""
        ...


class Result(Protocol):
    """What a worker gives back: a frozen dataclass."""

    @property
    def rejected(self) -> int | Sized:
        """How many files were rejected, or which; a result with any is not kept for a further run."""
        ...


Item = TypeVar("Item")
TaskT = TypeVar("TaskT", bound=Task)
ResultT = TypeVar("ResultT", bound=Result)

_LEAST_ITEMS, _MOST_PARTS = 16, 1000


def parts(items: Sequence[Item]) -> list[Sequence[Item]]:
    """Cuts items into parts: many enough to share out, few enough to list.

    >>> [len(part) for part in parts(range(40))]
    [16, 16, 8]
    """
    size = max(_LEAST_ITEMS, math.ceil(len(items) / _MOST_PARTS))
    return [items[start : start + size] for start in range(0, len(items), size)]


class TaskDoFn(WorkerDoFn, Generic[TaskT, ResultT]):
    """Runs a task, given by its name, and leaves its result.

    Parameters
    ----------
    folder : str
        Where tasks and results are.
    """

    kind: ClassVar[str]
    """The first part of its tasks' names."""
    verb: ClassVar[str]
    """What the work is, as in 'Read files'."""
    task_type: ClassVar[type[Any]]
    result_type: ClassVar[type[Any]]

    def __init__(self, folder: str):
        self.folder = folder

    def run(self, task: TaskT) -> ResultT:
        """Does the work."""
        raise NotImplementedError

    def process(self, element: str) -> Iterator[str]:
        task = _load(storage.join(self.folder, _task_file(element)), self.task_type)
        # A runner takes many threads in turn, and what one has freed is kept for it alone.
        call_glibc("malloc_trim", 0)
        result = self.run(task)
        storage.write_bytes(storage.join(self.folder, _result_file(element)), json.dumps(_plain(result)).encode())
        yield element


def place(folder: str, kind: str, tasks: Sequence[Task], result_type: type[Any]) -> list[str]:
    """Writes the tasks of a kind, and returns their names.

    Those that are there already stay. Other tasks of the kind are removed with their results: what they tell of may be
    overwritten now.
    """
    values = [_plain(task) for task in tasks]
    schema = pydantic.TypeAdapter(result_type).json_schema()
    value_of = {f"{kind}-{number:05d}-{digest([value, schema])[:24]}": value for number, value in enumerate(values)}
    present = [name for name in storage.names(folder) if name.startswith(f"{kind}-")]
    for name in present:
        if name.partition(".")[0] not in value_of:
            storage.remove(storage.join(folder, name))
    for name, value in value_of.items():
        if _task_file(name) not in present:
            storage.write_bytes(storage.join(folder, _task_file(name)), json.dumps(value).encode())
    return list(value_of)


def results(folder: str, names: Sequence[str], result_type: type[ResultT]) -> list[ResultT]:
    """The results of tasks that are done, in the order of the names."""
    return [_load(storage.join(folder, _result_file(name)), result_type) for name in names]


def done(folder: str, names: Sequence[str]) -> list[str]:
    """Which of the tasks have a result."""
    present = set(storage.names(folder))
    return [name for name in names if _result_file(name) in present]


def spread(pipeline: beam.Pipeline, names: Sequence[str], worker: TaskDoFn[Any, Any]) -> PCollection[str]:
    """Spreads tasks over workers, which run them."""
    done: PCollection[str] = (
        pipeline
        | "List tasks" >> beam.Create(names, reshuffle=False)
        | "Spread tasks" >> beam.Reshuffle()
        | worker.verb >> beam.ParDo(worker)
    )
    return done


def run(new_pipeline: NewPipeline, worker: TaskDoFn[TaskT, ResultT], tasks: Sequence[TaskT]) -> list[ResultT]:
    """Runs all tasks that are not done, in a pipeline of their own, and returns the results of all, in their order.

    A result of an earlier run that tells of rejected files does not count: whatever was wrong may have been mended.

    Parameters
    ----------
    new_pipeline : callable
        Gives an empty pipeline.
    worker : TaskDoFn
    tasks : sequence of Task
    """
    folder = worker.folder
    names = place(folder, worker.kind, tasks, worker.result_type)
    sizes = {name: len(task.files) for name, task in zip(names, tasks, strict=True)}
    earlier = done(folder, names)
    for name, result in zip(earlier, results(folder, earlier, worker.result_type), strict=True):
        if result.rejected:
            storage.remove(storage.join(folder, _result_file(name)))
    ready = set(done(folder, names))
    missing = [name for name in names if name not in ready]
    with Progress(worker.verb, sum(sizes.values()), lambda: sum(sizes[name] for name in done(folder, names))):
        if missing:
            with jobs.running(new_pipeline(sum(sizes[name] for name in missing)), worker.kind) as pipeline:
                spread(pipeline, missing, worker)
    return results(folder, names, worker.result_type)


def _plain(value: Any) -> Any:
    """A dataclass as what JSON can say."""
    return pydantic.TypeAdapter(type(value)).dump_python(value)


def _load(url: str, kind: type[Any]) -> Any:
    return pydantic.TypeAdapter(kind).validate_python(json.loads(storage.read_bytes(url)))


def _task_file(name: str) -> str:
    return f"{name}.task.json"


def _result_file(name: str) -> str:
    return f"{name}.result.json"
