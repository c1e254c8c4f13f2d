"""Predictions as CSV, Parquet and JSON, and as text for a terminal; their columns are the fields of `Prediction`."""

import csv
import io
import json
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import pydantic
from pydantic.fields import FieldInfo

from model.inference.prediction import REJECTED, Prediction, format_time, genre_changes
from model.reports import prediction_page
from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.corpus.names.spellings import escape_undecodable

if typing.TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".json", ".parquet", ".html")

_NUMBER_BY_GENRE = dict[str, float]


def check_output(url: str, inputs: Sequence[str]) -> None:
    """Refuses an output that has no format, or that is one of the inputs.

    Raises
    ------
    UsageError
    """
    if not url.endswith(SUFFIXES):
        raise UsageError(f"--output {url}: expected a file that ends in {', '.join(SUFFIXES)}")
    if storage.filesystem(url)[1] in [storage.filesystem(each)[1] for each in inputs]:
        raise UsageError(f"--output {url}: is one of the inputs; give another file")


def write_predictions(url: str, predictions: Sequence[Prediction], genres: Sequence[str]) -> None:
    """Writes predictions as `.csv`, `.json`, `.parquet`, or as a page for people, `.html`."""
    predictions = [
        p.model_copy(update={"path": escape_undecodable(p.path), "error": escape_undecodable(p.error)})
        for p in predictions
    ]
    if url.endswith(".html"):
        prediction_page.write_page(url, predictions, genres)
    elif url.endswith(".json"):
        rows = [prediction.model_dump(mode="json") for prediction in predictions]
        storage.write_bytes(url, json.dumps(rows, indent=1).encode())
    else:
        storage.write_bytes(url, (_csv if url.endswith(".csv") else _parquet)(predictions, genres))


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


def _row(row: pydantic.BaseModel, genres: Sequence[str]) -> dict[str, Any]:
    """A row's cells by column; models below it become rows too."""
    cells: dict[str, Any] = {}
    for name, field in type(row).model_fields.items():
        value = getattr(row, name)
        if field.annotation == _NUMBER_BY_GENRE:
            cells |= {f"p_{genre}": value.get(genre) for genre in genres}
        elif isinstance(value, tuple):
            cells[name] = [_row(each, genres) for each in value]
        else:
            cells[name] = value
    return cells


def _csv(predictions: Sequence[Prediction], genres: Sequence[str]) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, columns(genres))
    writer.writeheader()
    for prediction in predictions:
        lists = {name: "; ".join(map(str, each)) for name, each in prediction if isinstance(each, tuple)}
        cells = _row(prediction, genres) | lists
        writer.writerow({name: _inert(cell) if isinstance(cell, str) else cell for name, cell in cells.items()})
    return sink.getvalue().encode()


def _inert(cell: str) -> str:
    """A text as a cell that a spreadsheet does not run as a formula.

    >>> _inert("=HYPERLINK(0)"), _inert("blues/a=b.wav")
    ("'=HYPERLINK(0)", 'blues/a=b.wav')
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _parquet(predictions: Sequence[Prediction], genres: Sequence[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([_row(p, genres) for p in predictions], schema=pa.schema(_fields(Prediction, genres)))
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _fields(model: type[pydantic.BaseModel], genres: Sequence[str]) -> Iterator["pa.Field"]:
    """A model's fields as Parquet's."""
    import pyarrow as pa

    for name, field in model.model_fields.items():
        for column in _column_names(name, field, genres):
            yield pa.field(column, _arrow_type(field.annotation, genres))


def _arrow_type(annotation: Any, genres: Sequence[str]) -> "pa.DataType":
    import pyarrow as pa

    scalars = {str: pa.string(), float: pa.float64(), bool: pa.bool_(), int: pa.int32(), _NUMBER_BY_GENRE: pa.float64()}
    if annotation in scalars:
        return scalars[annotation]
    inner, *_ = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple:
        return pa.list_(pa.struct(_fields(inner, genres)))
    return _arrow_type(inner, genres)  # a value or None


def summarise_prediction(prediction: Prediction) -> str:
    """A prediction for a terminal: a bar for each genre, and the song's timeline."""
    if prediction.status == REJECTED:
        return f"{prediction.path}\n  rejected: {prediction.reason} ({prediction.error})"
    width = max(map(len, prediction.probabilities))
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    bars = [f"  {genre:<{width}} {share:4.0%} {'█' * round(40 * share)}".rstrip() for genre, share in ranked]
    rejection = [] if prediction.is_confident else ["  low confidence: no genre assigned"]
    year = f"{prediction.year}  " if prediction.year else ""
    head = f"{prediction.path}  {year}{format_time(prediction.duration_s)}"
    return "\n".join([head, *rejection, *bars, f"  timeline: {genre_changes(prediction.timeline)}"])
