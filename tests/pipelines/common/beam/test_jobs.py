import pytest
import threadpoolctl

from pipelines.common import storage
from pipelines.common.beam import jobs
from tests.pipelines.conftest import in_process

ORDERS = [{"number": number} for number in range(5)]


class Square(jobs.Fulfil):
    """Squares a number; refuses one below zero, and breaks at 13."""

    kind, verb = "square", "Square"

    def fulfil(self, order):
        if order["number"] == 13:
            raise RuntimeError("thirteen")
        return {"square": order["number"] ** 2, "rejected": order["number"] < 0}


def run(folder, orders):
    receipts = jobs.run(in_process(), Square(str(folder)), [{"songs": [], **order} for order in orders])
    return [receipt["square"] for receipt in receipts]


def receipts_of(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.receipt.json")}


class CountThreads(jobs.Fulfil):
    """Tells how many threads each BLAS has."""

    kind, verb = "count", "Count"

    def fulfil(self, order):
        return {
            "threads": [
                library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"
            ],
            "rejected": 0,
        }


def test_blas_has_one_thread_so_that_sums_do_not_depend_on_the_machine(tmp_path):
    with threadpoolctl.threadpool_limits(2, "blas"):
        (receipt,) = jobs.run(in_process(), CountThreads(str(tmp_path)), [{"songs": []}])
    assert set(receipt["threads"]) == {1}


def test_receipts_come_in_the_order_of_the_orders(tmp_path):
    assert run(tmp_path, ORDERS[::-1]) == [16, 9, 4, 1, 0]


def test_equal_orders_are_each_done(tmp_path):
    assert run(tmp_path, [{"number": 3}] * 40) == [9] * 40


def test_what_is_done_is_not_done_again(tmp_path):
    run(tmp_path, ORDERS)
    before = receipts_of(tmp_path)
    gone = sorted(before)[2]
    (tmp_path / gone).unlink()
    assert run(tmp_path, ORDERS) == [0, 1, 4, 9, 16]
    after = receipts_of(tmp_path)
    assert [name for name in before if before[name] != after[name]] == [gone]


def test_work_that_breaks_keeps_what_was_done(tmp_path):
    with pytest.raises(RuntimeError, match="thirteen"):
        run(tmp_path, [*ORDERS, {"number": 13}])
    assert len(receipts_of(tmp_path)) <= len(ORDERS)
    assert run(tmp_path, ORDERS) == [0, 1, 4, 9, 16]


def test_a_receipt_with_rejects_does_not_last(tmp_path):
    orders = [{"number": 2}, {"number": -2}]
    run(tmp_path, orders)
    before = receipts_of(tmp_path)
    run(tmp_path, orders)
    after = receipts_of(tmp_path)
    assert sum(before[name] != after[name] for name in before) == 1


def test_orders_that_are_no_more_take_their_receipts_along(tmp_path):
    run(tmp_path, ORDERS)
    jobs.place(str(tmp_path), "other", [{}])
    jobs.place(str(tmp_path), "square", [{"songs": [], **order} for order in ORDERS[:2]])
    assert [name[:12] for name in storage.names(str(tmp_path))] == ["other-00000-"] + ["square-00000"] * 2 + [
        "square-00001"
    ] * 2


def test_forgetting_leaves_orders_and_other_kinds(tmp_path):
    run(tmp_path, ORDERS)
    jobs.forget(str(tmp_path), "other")
    assert len(receipts_of(tmp_path)) == len(ORDERS)
    jobs.forget(str(tmp_path), "square")
    assert not receipts_of(tmp_path)
    assert len(storage.names(str(tmp_path))) == len(ORDERS)


@pytest.mark.parametrize(("items", "sizes"), [(0, []), (16, [16]), (17, [16, 1]), (16_001, [17] * 941 + [4])])
def test_parts_are_few_and_hold_everything_once(items, sizes):
    parts = jobs.parts(range(items))
    assert [len(part) for part in parts] == sizes
    assert [item for part in parts for item in part] == list(range(items))
