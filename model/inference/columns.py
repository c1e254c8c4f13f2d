"""Predictions as columns: a table's are the fields of `Prediction`, and a column `p_GENRE` for each genre."""

import io
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pydantic
from pydantic.fields import FieldInfo

from model.inference.prediction import Prediction

_NUMBER_BY_GENRE = dict[str, float]


def columns(genres: Sequence[str]) -> list[str]:
    """The columns of the tables.

    Examples
    --------
    >>> columns(["jazz", "rock"])[-4:]
    ['error', 'p_jazz', 'p_rock', 'timeline']
    """
    return [column for name, field in Prediction.model_fields.items() for column in _column_names(name, field, genres)]


def _column_names(name: str, field: FieldInfo, genres: Sequence[str]) -> list[str]:
    """A column `p_GENRE` for each genre where a field has a number for each; else one of the field's name."""
    return [f"p_{genre}" for genre in genres] if field.annotation == _NUMBER_BY_GENRE else [name]


def row_of(row: pydantic.BaseModel, genres: Sequence[str]) -> dict[str, Any]:
    """A row's cells by column; models below it become rows too."""
    cells: dict[str, Any] = {}
    for name, field in type(row).model_fields.items():
        value = getattr(row, name)
        if field.annotation == _NUMBER_BY_GENRE:
            cells |= {f"p_{genre}": value.get(genre) for genre in genres}
        elif isinstance(value, tuple):
            cells[name] = [row_of(each, genres) for each in value]
        else:
            cells[name] = value
    return cells


def schema(genres: Sequence[str]) -> pa.Schema:
    """The columns of a Parquet table of predictions."""
    return pa.schema(_fields(Prediction, genres))


def table(predictions: Sequence[Prediction], genres: Sequence[str]) -> pa.Table:
    """Predictions as a table."""
    return pa.Table.from_pylist([row_of(prediction, genres) for prediction in predictions], schema=schema(genres))


def encoded(rows: pa.Table) -> bytes:
    """The bytes of a Parquet file of a table."""
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    return sink.getvalue()


def predictions_of(rows: pa.Table, genres: Sequence[str]) -> list[Prediction]:
    """The predictions that rows of a table tell of; what the table has no column for has its default."""
    return [_model_of(Prediction, row, genres) for row in rows.to_pylist()]


def _model_of(model: type[Any], row: Mapping[str, Any], genres: Sequence[str]) -> Any:
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if field.annotation == _NUMBER_BY_GENRE:
            shares = {genre: row.get(f"p_{genre}") for genre in genres}
            values[name] = {} if None in shares.values() else shares
        elif typing.get_origin(field.annotation) is tuple:
            inner, *_ = typing.get_args(field.annotation)
            values[name] = tuple(_model_of(inner, each, genres) for each in row.get(name) or ())
        elif name in row:
            values[name] = row[name]
    return model.model_construct(**values)


def _fields(model: type[pydantic.BaseModel], genres: Sequence[str]) -> Iterator[pa.Field]:
    """A model's fields as Parquet's."""
    for name, field in model.model_fields.items():
        for column in _column_names(name, field, genres):
            yield pa.field(column, _arrow_type(field.annotation, genres))


def _arrow_type(annotation: Any, genres: Sequence[str]) -> pa.DataType:
    scalars = {str: pa.string(), float: pa.float64(), bool: pa.bool_(), int: pa.int32(), _NUMBER_BY_GENRE: pa.float64()}
    if annotation in scalars:
        return scalars[annotation]
    inner, *_ = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        return pa.list_(pa.struct(_fields(inner, genres)))
    return _arrow_type(inner, genres)  # a value or None
