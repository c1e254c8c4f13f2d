"""Tables of rows: what is written is read, and equal rows give equal bytes."""

import uuid
from dataclasses import dataclass, field

import pytest

from pipelines.common import parquet, storage
from pipelines.common.columns import IS_STORED
from pipelines.common.errors import SpectroshardError


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    number: int = 0
    seconds: float = 0.0
    is_there: bool = False
    content: bytes = b""
    passing: str = field(default="", metadata={IS_STORED: False})


ROWS = [Row("é", 2**62, 0.1, True, b"\0\xff"), Row(""), Row("é", -1)]


@pytest.fixture(params=["local", "memory"])
def url(request, tmp_path):
    return str(tmp_path / "rows.parquet") if request.param == "local" else f"memory://{uuid.uuid4().hex}/rows.parquet"


def test_rows_are_read_as_they_were_written(url):
    parquet.write(url, Row, ROWS)
    assert parquet.read(url, Row) == ROWS
    assert parquet.row_count(storage.read_bytes(url)) == 3
    assert parquet.table(storage.read_bytes(url), ["number"]).to_pydict() == {"number": [2**62, 0, -1]}


def test_no_rows_are_a_table_too(url):
    parquet.write(url, Row, [])
    assert parquet.read(url, Row) == []
    assert parquet.table(storage.read_bytes(url)).schema == parquet.empty(Row).schema


def test_a_field_may_stay_out_of_the_table(url):
    parquet.write(url, Row, [Row("a", passing="not kept")])
    assert parquet.read(url, Row) == [Row("a")]
    assert "passing" not in parquet.schema(Row).names


def test_a_column_that_was_not_there_yet_has_the_default():
    earlier = parquet.table(parquet.encode(Row, [Row("a", 1, 2.5)])).drop_columns(["seconds"])
    assert list(parquet.rows_of(earlier, Row)) == [Row("a", 1)]


def test_equal_rows_give_equal_bytes_however_they_come():
    assert parquet.encode(Row, ROWS) == parquet.encode(Row, iter(ROWS)) != parquet.encode(Row, ROWS[::-1])


def test_equal_texts_of_a_group_of_rows_are_one_object(url):
    parquet.write(url, Row, ROWS)
    first, _, last = parquet.read(url, Row)
    assert first.name is last.name


def test_groups_are_read_one_by_one(url):
    groups = [ROWS[:2], [], ROWS[2:]]
    storage.write_bytes(url, parquet.encode_groups(Row, groups))
    assert parquet.group_count(url) == 3
    assert [parquet.read_group(url, Row, number) for number in range(3)] == groups
    assert list(parquet.iterate(url, Row)) == ROWS


def test_a_large_table_has_groups_of_bounded_size(url, monkeypatch):
    monkeypatch.setattr(parquet, "_ROWS_IN_GROUP", 2)
    parquet.write(url, Row, ROWS)
    assert parquet.group_count(url) == 2 and parquet.read(url, Row) == ROWS


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda content: None, "is missing"),
        (lambda content: b"", "is damaged"),
        (lambda content: content[:-9], "is damaged"),
        (lambda content: b"PAR1 and no more", "is damaged"),
    ],
)
def test_what_is_no_table_is_named(url, harm, message):
    content = harm(parquet.encode(Row, ROWS))
    if content is not None:
        storage.write_bytes(url, content)
    with pytest.raises(SpectroshardError, match=f"{url}: {message}"):
        parquet.read(url, Row)


@pytest.mark.parametrize("ask", [parquet.group_count, parquet.count_rows, lambda url: parquet.read_group(url, Row, 0)])
def test_what_reads_a_part_of_a_damaged_table_names_it(url, ask):
    storage.write_bytes(url, parquet.encode(Row, ROWS)[:-9])
    with pytest.raises(SpectroshardError, match=f"{url}: is damaged"):
        ask(url)
