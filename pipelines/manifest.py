"""Manifests: tables of `path, genre` and optionally `song, artist, fold` or `split`, in CSV or Parquet."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from pipelines import storage
from pipelines.errors import SpectroshardError
from pipelines.ledger import Entry, Song, fold_name

_SPLITS = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


def entries(url: str, root: str) -> list[Entry]:
    """The songs of a manifest; rows that cannot be right are there too, rejected.

    Parameters
    ----------
    url : str
    root : str
        What the paths are relative to and must lie in. Default: the manifest's folder.

    Raises
    ------
    SpectroshardError
        A column is missing, or a split or fold is none.
    """
    root = (root or url.rpartition("/")[0] or ".").rstrip("/")
    rows = _read_table(url)
    columns = set(rows[0]) if rows else set()
    if rows and (missing := {"path", "genre"} - columns):
        raise SpectroshardError(
            f"manifest {url}: no column {' or '.join(sorted(missing))}; found {', '.join(sorted(columns))};"
            " expected path, genre and optionally song, artist, fold or split"
        )
    if {"fold", "split"} <= columns:
        raise SpectroshardError(f"manifest {url}: has both a fold and a split column; keep one")
    return _judge_repeats([_row_entry(row, root, url) for row in rows])


def _read_table(url: str) -> list[dict[str, str]]:
    import pyarrow.parquet as pq

    content = storage.read_bytes(url)
    if url.lower().endswith(".parquet"):
        rows: Iterable[Mapping[Any, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    else:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        if rows.fieldnames and "path" not in rows.fieldnames:
            rows = [dict.fromkeys(rows.fieldnames, "")]  # so that an empty table names its columns too
    return [
        {str(key).strip().lower(): "" if value is None else str(value).strip() for key, value in row.items()}
        for row in rows
    ]


def _row_entry(row: Mapping[str, str], root: str, manifest: str) -> Entry:
    path = row["path"]
    fs, root_path = storage.filesystem(root)
    _, full = storage.filesystem(path if "://" in path or path.startswith("/") else storage.join(root, path))
    song_id = full.removeprefix(root_path.rstrip("/")).lstrip("/")
    outside = ".." in PurePosixPath(path).parts or not full.startswith(root_path.rstrip("/") + "/")
    song = Song(
        path if outside else song_id,
        fs.unstrip_protocol(full),
        row["genre"],
        row.get("song", ""),
        row.get("artist", ""),
        fold=_own_fold(row, manifest),
    )
    if outside or not path:
        song = song.rejected("outside_root", f"path {path!r} is not below {root}; corpus.root says where songs may lie")
    elif not song.genre:
        song = song.rejected("no_genre", "the manifest's genre is empty")
    version = storage.version(fs.info(full)) if storage.is_local(root) and not outside and fs.exists(full) else ""
    return Entry(song, song.uri, version)


def _own_fold(row: Mapping[str, str], manifest: str) -> str:
    if split := row.get("split", ""):
        if split.lower() not in _SPLITS:
            raise SpectroshardError(
                f"manifest {manifest}: split {split!r} of {row['path']}; expected one of {', '.join(_SPLITS)}"
            )
        return _SPLITS[split.lower()]
    if fold := row.get("fold", ""):
        number = re.fullmatch(r"(?:fold[-_ ]?)?(\d+)(?:\.0*)?", fold.lower())
        if number is None:
            raise SpectroshardError(f"manifest {manifest}: fold {fold!r} of {row['path']}; expected a whole number")
        return fold_name(int(number[1]))
    return ""


def _judge_repeats(entries: Sequence[Entry]) -> list[Entry]:
    """Rejects the rows that name a path again, and all rows of a path when they disagree."""
    by_id: dict[str, list[Entry]] = {}
    for entry in entries:
        by_id.setdefault(entry.song.song_id, []).append(entry)
    judged = []
    for song_id, rows in by_id.items():
        agree = len({row.song for row in rows}) == 1
        for index, row in enumerate(rows):
            if len(rows) == 1 or row.song.reason or (agree and index == 0):
                judged.append(row)
            elif agree:
                error = f"the manifest names {song_id} {len(rows)} times; the first row counts"
                judged.append(replace(row, song=row.song.rejected("repeated", error)))
            else:
                genres = ", ".join(sorted({r.song.genre for r in rows}))
                error = f"{len(rows)} rows for {song_id} disagree (genres: {genres}); keep one"
                judged.append(replace(row, song=row.song.rejected("contradicted", error)))
    return judged
