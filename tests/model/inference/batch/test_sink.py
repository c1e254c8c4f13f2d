import pytest

from tests.benchmarks.predictions import sink


@pytest.mark.slow
def test_many_rows_take_no_more_memory_than_few(tmp_path):
    few, many = (sink(rows, str(tmp_path / str(rows))) for rows in (4_000, 40_000))
    assert (few.predictions.totals.songs, many.predictions.totals.songs) == (4_000, 40_000)
    assert (few.predictions.parts, many.predictions.parts) == (63, 200)
    assert many.graph_mb < few.graph_mb + 60  # as tables alone, the rows would take twice that
