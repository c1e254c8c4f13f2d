from dataclasses import dataclass

import pytest
import threadpoolctl

from pipelines.audio.schema import AudioConfig
from pipelines.common import storage
from pipelines.common.beam import tasks
from tests.pipelines.conftest import in_process


@dataclass(frozen=True)
class SquareTask:
    number: int
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class SquareResult:
    square: int
    rejected: int


TASKS = [SquareTask(number) for number in range(5)]


class Square(tasks.TaskDoFn[SquareTask, SquareResult]):
    """Squares a number; refuses one below zero, and breaks at 13."""

    kind, verb = "square", "Square"
    task_type, result_type = SquareTask, SquareResult

    def run(self, task):
        if task.number == 13:
            raise RuntimeError("thirteen")
        return SquareResult(task.number**2, rejected=task.number < 0)


def run(folder, some):
    return [result.square for result in tasks.run(in_process(), Square(str(folder)), some)]


def results_of(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.result.json")}


@dataclass(frozen=True)
class Threads:
    counts: tuple[int, ...]
    rejected: int = 0


class CountThreads(tasks.TaskDoFn[SquareTask, Threads]):
    """Tells how many threads each BLAS has."""

    kind, verb = "count", "Count"
    task_type, result_type = SquareTask, Threads

    def run(self, task):
        libraries = threadpoolctl.threadpool_info()
        return Threads(tuple(library["num_threads"] for library in libraries if library["user_api"] == "blas"))


def test_blas_has_one_thread_so_that_sums_do_not_depend_on_the_machine(tmp_path):
    with threadpoolctl.threadpool_limits(2, "blas"):
        (result,) = tasks.run(in_process(), CountThreads(str(tmp_path)), TASKS[:1])
    assert set(result.counts) == {1}


def test_results_come_in_the_order_of_the_tasks(tmp_path):
    assert run(tmp_path, TASKS[::-1]) == [16, 9, 4, 1, 0]


def test_equal_tasks_are_each_run(tmp_path):
    assert run(tmp_path, [SquareTask(3)] * 40) == [9] * 40


def test_what_is_done_is_not_done_again(tmp_path):
    run(tmp_path, TASKS)
    before = results_of(tmp_path)
    gone = sorted(before)[2]
    (tmp_path / gone).unlink()
    assert run(tmp_path, TASKS) == [0, 1, 4, 9, 16]
    after = results_of(tmp_path)
    assert [name for name in before if before[name] != after[name]] == [gone]


def test_work_that_breaks_keeps_what_was_done(tmp_path):
    with pytest.raises(RuntimeError, match="thirteen"):
        run(tmp_path, [*TASKS, SquareTask(13)])
    assert len(results_of(tmp_path)) <= len(TASKS)
    assert run(tmp_path, TASKS) == [0, 1, 4, 9, 16]


def test_a_result_with_rejects_does_not_last(tmp_path):
    some = [SquareTask(2), SquareTask(-2)]
    run(tmp_path, some)
    before = results_of(tmp_path)
    run(tmp_path, some)
    after = results_of(tmp_path)
    assert sum(before[name] != after[name] for name in before) == 1


def test_tasks_that_are_no_more_take_their_results_along(tmp_path):
    run(tmp_path, TASKS)
    tasks.place(str(tmp_path), "other", TASKS[:1], SquareResult)
    tasks.place(str(tmp_path), "square", TASKS[:2], SquareResult)
    assert [name[:12] for name in storage.names(str(tmp_path))] == ["other-00000-"] + ["square-00000"] * 2 + [
        "square-00001"
    ] * 2


@dataclass(frozen=True)
class RootedResult(SquareResult):
    root: int = 0


class SquareAndRoot(Square):
    """Square, of a later version."""

    result_type = RootedResult

    def run(self, task):
        return RootedResult(task.number**2, 0, root=task.number)


def test_results_that_an_earlier_version_left_are_not_taken_up(tmp_path):
    run(tmp_path, TASKS[:2])
    results = tasks.run(in_process(), SquareAndRoot(str(tmp_path)), TASKS[:2])
    assert [result.root for result in results] == [0, 1]
    assert len(results_of(tmp_path)) == 2


@dataclass(frozen=True)
class ConfiguredTask:
    audio: AudioConfig
    files: tuple[SquareTask, ...]


@dataclass(frozen=True)
class EchoResult:
    task: ConfiguredTask
    rejected: tuple[str, ...]


class Echo(tasks.TaskDoFn[ConfiguredTask, EchoResult]):
    """Gives back what it was given."""

    kind, verb = "echo", "Echo"
    task_type, result_type = ConfiguredTask, EchoResult

    def run(self, task):
        return EchoResult(task, task.files[0].files)


def test_tasks_and_results_come_back_as_they_were_whatever_files_are_called(tmp_path):
    task = ConfiguredTask(AudioConfig(min_duration_s=1 / 3), (SquareTask(3, ("é.wav", "odd\udcff.wav")),))
    assert tasks.run(in_process(), Echo(str(tmp_path)), [task]) == [EchoResult(task, task.files[0].files)]


@pytest.mark.parametrize(("items", "sizes"), [(0, []), (16, [16]), (17, [16, 1]), (16_001, [17] * 941 + [4])])
def test_parts_are_few_and_hold_everything_once(items, sizes):
    parts = tasks.parts(range(items))
    assert [len(part) for part in parts] == sizes
    assert [item for part in parts for item in part] == list(range(items))
