"""Rows of a frozen dataclass as a Parquet file, a column for each field."""

import contextlib
import dataclasses
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.common import storage
from pipelines.common.columns import IS_STORED
from pipelines.common.errors import SpectroshardError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")

_ROWS_IN_GROUP = 50_000

_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    float: pa.float64(),
    int: pa.int64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
}


def write(url: str, kind: type[Any], rows: Iterable[Any], *, is_lasting: bool = True) -> None:
    """Writes rows to a Parquet file, in their order, at once.

    Parameters
    ----------
    url : str
    kind : type
        The rows' frozen dataclass.
    rows : iterable
    is_lasting : bool
        As in `storage.writing`.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Point:
    ...     name: str
    ...     x: float
    >>> write("memory://points.parquet", Point, [Point("a", 1.5), Point("b", -2.0)])
    >>> read("memory://points.parquet", Point)
    [Point(name='a', x=1.5), Point(name='b', x=-2.0)]
    """
    storage.write_bytes(url, encode(kind, rows), is_lasting=is_lasting)


def encode(kind: type[Any], rows: Iterable[Any]) -> bytes:
    """The bytes of a Parquet file of some rows; equal rows give equal bytes."""
    return encode_groups(kind, _batches(rows))


def _batches(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(rows)
    while batch := list(itertools.islice(rows, _ROWS_IN_GROUP)):
        yield batch


def encode_groups(kind: type[Any], groups: Iterable[Sequence[Any]]) -> bytes:
    """The bytes of a Parquet file whose row groups can be read one by one, with `read_group`."""
    sink, columns = io.BytesIO(), schema(kind)
    with pq.ParquetWriter(sink, columns, compression="zstd") as writer:
        for rows in groups:
            values = {name: [getattr(row, name) for row in rows] for name in columns.names}
            writer.write_table(pa.Table.from_pydict(values, schema=columns), row_group_size=max(len(rows), 1))
    return sink.getvalue()


def table(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table that a Parquet file holds, or some of its columns."""
    # In this thread: where one of pyarrow's own lets go of a Python object as the process ends, it aborts.
    return pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)


def columns(content: bytes) -> pa.Schema:
    """The columns of the table that a Parquet file holds."""
    return pq.ParquetFile(pa.BufferReader(content)).schema_arrow


def read(url: str, kind: type[Row]) -> list[Row]:
    """The rows of a table, in its order.

    Raises
    ------
    SpectroshardError
        It is missing or damaged.
    """
    return list(iterate(url, kind))


def iterate(url: str, kind: type[Row]) -> Iterator[Row]:
    """The rows of a table one by one, as `read` gives them, in the memory of one row group."""
    try:
        with _naming(url):
            file = pq.ParquetFile(pa.BufferReader(storage.read_bytes(url)))
            for group in range(file.num_row_groups):
                yield from rows_of(file.read_row_group(group, schema(kind).names, use_threads=False), kind)
    except FileNotFoundError as error:
        raise SpectroshardError(f"{url}: is missing") from error


@contextlib.contextmanager
def _naming(url: str) -> Iterator[None]:
    """Has an error tell which table is damaged."""
    try:
        yield
    except (pa.ArrowException, TypeError) as error:
        raise SpectroshardError(f"{url}: is damaged ({error})") from error


def read_group(url: str, kind: type[Row], group: int) -> list[Row]:
    """The rows of one row group; of a remote file, no more than these are fetched."""
    with _naming(url), storage.opened(url) as stream:
        return list(rows_of(pq.ParquetFile(stream).read_row_group(group, use_threads=False), kind))


def group_count(url: str) -> int:
    """How many row groups a table has."""
    with _naming(url), storage.opened(url) as stream:
        return int(pq.ParquetFile(stream).num_row_groups)


def count_rows(url: str) -> int:
    """How many rows a table has; of a remote file, only its footer is fetched."""
    with _naming(url), storage.opened(url) as stream:
        return int(pq.ParquetFile(stream).metadata.num_rows)


def row_count(content: bytes) -> int:
    """How many rows a Parquet file has that holds this."""
    return int(pq.ParquetFile(pa.BufferReader(content)).metadata.num_rows)


def rows_of(rows: pa.Table, kind: type[Row]) -> Iterator[Row]:
    """A table's rows as objects, in which equal strings are one object, and equal integers: a corpus has few genres.

    A column that the table lacks, as it was written before there was one, has the field's default.
    """
    names = [name for name in schema(kind).names if name in rows.column_names]
    known: dict[Any, Any] = {}
    columns = [_values(rows.column(name), known) for name in names]
    if names == [field.name for field in dataclasses.fields(kind)][: len(names)]:
        return itertools.starmap(kind, zip(*columns, strict=True))  # in half the time that names take
    return (kind(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True))


def _values(column: pa.ChunkedArray, known: dict[Any, Any]) -> list[Any]:
    if not (pa.types.is_string(column.type) or pa.types.is_integer(column.type)):
        return list(column.to_pylist())
    encoded = column.combine_chunks().dictionary_encode()
    distinct = [known.setdefault(value, value) for value in encoded.dictionary.to_pylist()]
    return [distinct[index] for index in encoded.indices.to_pylist()]


def schema(kind: type[Any]) -> pa.Schema:
    """The columns of a table of some rows, in the order of their fields."""
    stored = (field for field in dataclasses.fields(kind) if field.metadata.get(IS_STORED, True))
    return pa.schema([(field.name, _TYPES[field.type]) for field in stored])


def empty(kind: type[Any]) -> pa.Table:
    """A table of no rows."""
    return schema(kind).empty_table()
