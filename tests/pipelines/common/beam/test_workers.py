"""Steps that wait for all of another, and what workers do before they work."""

import apache_beam as beam
import pytest
import threadpoolctl
from apache_beam.testing.util import assert_that, equal_to

from pipelines.common.beam import workers
from pipelines.common.beam.workers import AfterAll, WorkerDoFn
from tests.pipelines.conftest import in_process


@pytest.mark.parametrize("elements", [[], ["a"], list(range(100))])
def test_a_step_goes_on_once_when_all_of_another_is_done_also_where_that_was_nothing(elements):
    with in_process()(1) as pipeline:
        begun = pipeline | "Begin" >> beam.Create(["run"])
        done = pipeline | beam.Create(elements) | beam.Reshuffle()
        went_on = (begun, done) | AfterAll() | beam.Map(str.upper)
        assert_that(went_on, equal_to(["RUN"]))


def test_a_step_sees_what_another_has_left(tmp_path):
    def leave(number):
        (tmp_path / str(number)).touch()

    with in_process("--direct_running_mode=multi_threading", "--direct_num_workers=2")(1) as pipeline:
        begun = pipeline | "Begin" >> beam.Create([str(tmp_path)])
        left = pipeline | beam.Create(range(20)) | beam.Reshuffle() | beam.Map(leave)
        seen = (begun, left) | AfterAll() | beam.Map(lambda _: len(list(tmp_path.iterdir())))
        assert_that(seen, equal_to([20]))


def test_a_worker_has_one_thread_of_blas():
    before = {id(each): each["num_threads"] for each in threadpoolctl.threadpool_info()}
    try:
        worker = WorkerDoFn()
        worker.setup()
        worker.start_bundle()
        blas = [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]
        assert blas and {each["num_threads"] for each in blas} == {1}
    finally:
        threadpoolctl.threadpool_limits(max(before.values(), default=1), "blas")


def test_a_c_library_without_a_function_goes_without_it():
    workers.call_glibc("no_such_function_of_any_library", 1)
