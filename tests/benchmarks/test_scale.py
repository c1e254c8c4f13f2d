"""The table of scale and money: what the documentation shows is what the script says, and that is what adds up."""

from pathlib import Path

import pytest

from tests.benchmarks.scale import SIZES, Costs, markdown, scale

CLUSTERS = Path(__file__).parents[2] / "docs/clusters.md"


def test_the_documentation_has_the_table():
    assert markdown(Costs()) in CLUSTERS.read_text()


def test_all_that_is_shared_halves_with_twice_the_workers():
    one, two = (scale(SIZES[0], workers, Costs()) for workers in (10, 20))
    assert one.on_one_worker_hours == two.on_one_worker_hours
    shared = [each.hours - each.on_one_worker_hours for each in (one, two)]
    assert shared[0] == pytest.approx(2 * shared[1])
    assert (one.gets, one.puts, one.shards, one.month) == (two.gets, two.puts, two.shards, two.month)


def test_money_is_hours_requests_and_bytes_by_their_prices():
    costs = Costs(core_hour=1.0, gb_hour=0.0, million_gets=1.0, million_puts=0.0, gb_month=1.0)
    found = scale(SIZES[0], 7, costs)
    assert found.machines == pytest.approx(14 * found.hours)
    assert found.asked == pytest.approx(found.gets / 1e6)
    assert found.month == found.stored_gb
