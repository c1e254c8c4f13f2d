"""What is told of songs: predictions as tables, as a page, and for a terminal."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from model.inference.prediction import REJECTED, Prediction, clock, turns
from model.reports import mixtures
from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.corpus.listing import escape_undecodable

SUFFIXES = (".csv", ".json", ".parquet", ".html")


def check_output(url: str, inputs: Sequence[str]) -> None:
    """Refuses a file that predictions cannot be written to, or that they are to be made of.

    Raises
    ------
    UsageError
    """
    if not url.endswith(SUFFIXES):
        raise UsageError(f"--output {url}: expected a file that ends in {', '.join(SUFFIXES)}")
    if storage.filesystem(url)[1] in [storage.filesystem(each)[1] for each in inputs]:
        raise UsageError(f"--output {url}: is what is to be read; give another file")


def write_predictions(url: str, predictions: Sequence[Prediction], genres: Sequence[str]) -> None:
    """Writes predictions as `.csv`, `.json`, `.parquet` or, to be looked at, `.html`.

    A table has a column `p_GENRE` for each genre.
    """
    predictions = [
        p.model_copy(update={"path": escape_undecodable(p.path), "error": escape_undecodable(p.error)})
        for p in predictions
    ]
    if url.endswith(".html"):
        mixtures.write_mixtures(url, predictions, genres)
    elif url.endswith(".json"):
        rows = [prediction.model_dump(mode="json") for prediction in predictions]
        storage.write_bytes(url, json.dumps(rows, indent=1).encode())
    else:
        storage.write_bytes(url, (_csv if url.endswith(".csv") else _parquet)(predictions, genres))


def _row(prediction: Prediction, genres: Sequence[str]) -> dict[str, Any]:
    plain = prediction.model_dump(exclude={"probabilities", "course"})
    return plain | {f"p_{genre}": prediction.probabilities.get(genre) for genre in genres}


def _csv(predictions: Sequence[Prediction], genres: Sequence[str]) -> bytes:
    sink = io.StringIO(newline="")
    rows = [
        _row(p, genres) | {"course": "; ".join(f"{moment.start_s:g} {moment.genre}" for moment in p.course)}
        for p in predictions
    ]
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def _parquet(predictions: Sequence[Prediction], genres: Sequence[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        _row(p, genres)
        | {
            "course": [
                {"start_s": moment.start_s, **{f"p_{g}": moment.probabilities[g] for g in genres}}
                for moment in p.course
            ]
        }
        for p in predictions
    ]
    moment = pa.struct([("start_s", pa.float64()), *((f"p_{genre}", pa.float64()) for genre in genres)])
    texts, numbers = ("path", "status", "genre", "reason", "error"), ("probability", "duration_s")
    columns = [(name, pa.string()) for name in texts] + [(name, pa.float64()) for name in numbers]
    columns += [("is_confident", pa.bool_()), ("year", pa.int32())]
    columns += [(f"p_{genre}", pa.float64()) for genre in genres] + [("course", pa.list_(moment))]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(columns)), sink)
    return sink.getvalue()


def show(prediction: Prediction) -> str:
    """A prediction for a terminal: a bar for each genre, and the song's course."""
    if prediction.status == REJECTED:
        return f"{prediction.path}\n  rejected: {prediction.reason} ({prediction.error})"
    width = max(map(len, prediction.probabilities))
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    bars = [f"  {genre:<{width}} {share:4.0%} {'█' * round(40 * share)}".rstrip() for genre, share in ranked]
    verdict = [] if prediction.is_confident else ["  none of these with confidence"]
    year = f"{prediction.year}  " if prediction.year else ""
    head = f"{prediction.path}  {year}{clock(prediction.duration_s)}"
    return "\n".join([head, *verdict, *bars, f"  course: {turns(prediction.course)}"])
