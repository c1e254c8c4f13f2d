import threading

import pytest

from pipelines.common.ahead import mapped_ahead


def test_results_keep_their_order_and_few_are_ahead():
    begun, first = [], threading.Event()

    def work(number):
        begun.append(number)
        if number == 0:
            first.wait(10)
        if number == 1:
            first.set()  # the second is at work while the first is
        return number

    results = mapped_ahead(work, range(100), threads=2)
    assert next(results) == 0
    assert len(begun) <= 3
    assert list(results) == list(range(1, 100))


def test_an_error_comes_in_its_place_and_ends_the_work():
    def work(number):
        if number == 3:
            raise OSError("no space left")
        return number

    results = mapped_ahead(work, range(10**9), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="no space left"):
        next(results)


def test_who_stops_asking_stops_the_work():
    begun = []
    results = mapped_ahead(begun.append, range(10**9), threads=2)
    next(results)
    results.close()
    assert len(begun) <= 4
