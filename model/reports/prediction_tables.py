"""Predictions as CSV, Parquet and JSON, and as text for a terminal; their columns are the fields of `Prediction`."""

import csv
import io
import json
from collections.abc import Sequence

from model.inference.columns import columns, encoded, row_of, table
from model.inference.prediction import REJECTED, Prediction, format_time, genre_changes
from model.reports import prediction_page
from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.corpus.names.spellings import escape_undecodable

SUFFIXES = (".csv", ".json", ".parquet", ".html")


def check_output(url: str, inputs: Sequence[str]) -> None:
    """Refuses an output that has no format, or that is one of the inputs.

    Raises
    ------
    UsageError
    """
    if not (url.endswith(SUFFIXES) or is_folder_output(url)):
        raise UsageError(f"--output {url}: expected a folder, or a file that ends in {', '.join(SUFFIXES)}")
    if storage.filesystem(url)[1] in [storage.filesystem(each)[1] for each in inputs]:
        raise UsageError(f"--output {url}: is one of the inputs; give another file")


def is_folder_output(url: str) -> bool:
    """Whether an output is a folder, of partitioned Parquet: its name has no suffix, or a slash after it.

    >>> is_folder_output("predictions/day=2026.11.27/"), is_folder_output("predictions"), is_folder_output("songs.txt")
    (True, True, False)
    """
    return url.endswith("/") or "." not in url.rpartition("/")[2]


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
        storage.write_bytes(
            url, _csv(predictions, genres) if url.endswith(".csv") else encoded(table(predictions, genres))
        )


def _csv(predictions: Sequence[Prediction], genres: Sequence[str]) -> bytes:
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, columns(genres))
    writer.writeheader()
    for prediction in predictions:
        lists = {name: "; ".join(map(str, each)) for name, each in prediction if isinstance(each, tuple)}
        cells = row_of(prediction, genres) | lists
        writer.writerow({name: _inert(cell) if isinstance(cell, str) else cell for name, cell in cells.items()})
    return sink.getvalue().encode()


def _inert(cell: str) -> str:
    """A text as a cell that a spreadsheet does not run as a formula.

    >>> _inert("=HYPERLINK(0)"), _inert("blues/a=b.wav")
    ("'=HYPERLINK(0)", 'blues/a=b.wav')
    """
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


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
