"""Rows of a frozen dataclass as a Parquet file, a column for each field."""

import dataclasses
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")

_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    float: pa.float64(),
    int: pa.int32(),
    bytes: pa.binary(),
}


def write(url: str, kind: type[Any], rows: Iterable[Any]) -> None:
    """Writes rows to a Parquet file, in their order, at once.

    Parameters
    ----------
    url : str
    kind : type
        The rows' frozen dataclass. A field is a column of its own name, or of that in its metadata's `column`.
    rows : iterable

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
    schema = pa.schema([(_column(field), _TYPES[field.type]) for field in dataclasses.fields(kind)])
    rows = list(rows)
    columns = {_column(field): [getattr(row, field.name) for row in rows] for field in dataclasses.fields(kind)}
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pydict(columns, schema=schema), sink, compression="zstd")
    storage.write_bytes(url, sink.getvalue())


def table(content: bytes) -> pa.Table:
    """The table that a Parquet file holds."""
    # In this thread: where one of pyarrow's own lets go of a Python object as the process ends, it aborts.
    return pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)


def read(url: str, kind: type[Row]) -> list[Row]:
    """The rows of a table, in its order.

    Raises
    ------
    SpectroshardError
        It is missing or damaged.
    """
    try:
        field_of = {_column(field): field.name for field in dataclasses.fields(kind)}
        rows: list[dict[str, Any]] = table(storage.read_bytes(url)).to_pylist()
        return [kind(**{field_of.get(column, column): value for column, value in row.items()}) for row in rows]
    except (OSError, pa.ArrowException, TypeError) as error:
        raise SpectroshardError(f"{url}: cannot be read ({error}); build the dataset again, in a new folder") from error


def _column(field: "dataclasses.Field[Any]") -> str:
    """A field's column: its own name, or the one that the stored format keeps for it."""
    return str(field.metadata.get("column", field.name))
