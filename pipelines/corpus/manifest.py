"""Manifests: tables in CSV or Parquet of `path, genre` and optionally what else is known of a file.

That is its `fold` or `split`, and its metadata: a column for each field in `pipelines.dataset.ledger.METADATA`.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from pipelines.common import parquet, storage
from pipelines.common.errors import UsageError
from pipelines.common.reasons import Reason
from pipelines.dataset.ledger import METADATA, Entry, File
from pipelines.dataset.splits import fold_name

CONTRADICTED = Reason("contradicted", "the manifest has several rows for the path, and they disagree")
NO_GENRE = Reason("no_genre", "nothing says what the genre is")
OUTSIDE_ROOT = Reason("outside_root", "the path leads out of the corpus's root")
REPEATED = Reason("repeated", "an earlier row of the manifest names the same path")

SPLIT_ALIASES = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""What people call the splits, and what they are called here."""


def is_manifest(url: str) -> bool:
    """Whether a URL is a table by its suffix.

    >>> is_manifest("s3://music/index.CSV"), is_manifest("music/")
    (True, False)
    """
    return url.lower().endswith((".csv", ".parquet"))


def entries(url: str, root: str) -> list[Entry]:
    """The files of a manifest; rows that cannot be right are among them, rejected.

    Parameters
    ----------
    url : str
    root : str
        What the paths are relative to and must lie in. Default: the manifest's folder.

    Raises
    ------
    UsageError
        It is no table, a column is missing, or a row names a split or fold that there is not.
    """
    columns, rows = read_table(url)
    if missing := {"path", "genre"} - columns:
        raise UsageError(
            f"manifest {url}: no column {' or '.join(sorted(missing))}; found {', '.join(sorted(columns)) or 'none'};"
            f" expected path, genre and optionally {', '.join(METADATA)}, fold or split"
        )
    if {"fold", "split"} <= columns:
        raise UsageError(f"manifest {url}: has both a fold and a split column; keep one")
    if not rows:
        raise UsageError(f"manifest {url}: has no rows; expected one for each file")
    root = root_url(url, root)
    return _judge_repeats([_row_entry(row, root, url) for row in rows])


def read_table(url: str) -> tuple[set[str], list[dict[str, str]]]:
    """A table's columns, in lower case, and its rows."""
    import pyarrow as pa

    content = storage.read_bytes(url)
    try:
        if url.lower().endswith(".parquet"):
            table = parquet.table(content)
            names, rows = table.column_names, table.to_pylist()
        else:
            reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
            names, rows = list(reader.fieldnames or []), list(reader)
    except (csv.Error, pa.ArrowException, UnicodeDecodeError) as error:
        raise UsageError(f"manifest {url}: is no table in UTF-8 CSV or Parquet ({error})") from error
    return {_column(name) for name in names}, [{_column(n): _cell(row[n]) for n in names} for row in rows]


def _column(name: object) -> str:
    return str(name).strip().lower()


def _cell(value: Any) -> str:
    is_missing = value is None or value != value  # NaN
    return "" if is_missing else str(value).strip()


def root_url(url: str, root: str) -> str:
    """The URL that a manifest's paths are relative to: the given root, or else the manifest's own folder.

    >>> root_url("s3://music/index.csv", ""), root_url("s3://music/index.csv", "/songs")
    ('s3://music', '/songs')
    """
    return storage.absolute(root or url.rpartition("/")[0] or ".")


def file_url(path: str, root: str) -> str:
    """The URL of a file that a manifest names; a relative path lies below the root."""
    is_relative = "://" not in path and not path.startswith("/")
    return storage.absolute(storage.join(root, str(PurePosixPath(path))) if is_relative else path)


def metadata(row: Mapping[str, str]) -> dict[str, Any]:
    """What a row says of its file besides the genre, by the names of the fields of `File`; empty where it says nothing.

    >>> found = metadata({"path": "a.wav", "genre": "blues", "artist": "Ann"})
    >>> found["artist"], found["song"]
    ('Ann', '')
    """
    return {name: row.get(name, "") for name in METADATA}


def _row_entry(row: Mapping[str, str], root: str, manifest: str) -> Entry:
    path = row["path"]
    uri = file_url(path, root)
    below = uri.removeprefix(storage.join(root, ""))
    outside = not path or below == uri or ".." in PurePosixPath(path).parts
    file = File(
        path if outside else below,
        uri,
        row["genre"],
        **metadata(row),
        fold=own_fold(row, manifest),
    )
    if outside:
        file = file.rejected(OUTSIDE_ROOT, f"path {path!r} is not below {root}; corpus.root says where songs may lie")
    elif not file.genre:
        file = file.rejected(NO_GENRE, "the manifest's genre is empty")
    # A remote file's version would cost a request; its audio is compared with what was read, when it is written.
    return Entry(file, uri, storage.version(uri) if storage.is_local(uri) and not outside else "")


def own_fold(row: Mapping[str, str], manifest: str) -> str:
    """The fold or the split that a row gives its file; empty where it gives none.

    >>> own_fold({"path": "a.wav", "split": "dev"}, "m.csv"), own_fold({"path": "a.wav", "fold": "3"}, "m.csv")
    ('validation', 'fold-03')
    """
    if split := row.get("split", ""):
        if split.lower() not in SPLIT_ALIASES:
            raise UsageError(
                f"manifest {manifest}: split {split!r} of {row['path']}; expected one of {', '.join(SPLIT_ALIASES)}"
            )
        return SPLIT_ALIASES[split.lower()]
    if fold := row.get("fold", ""):
        number = re.fullmatch(r"(?:fold[-_ ]?)?(\d+)(?:\.0*)?", fold.lower())
        if number is None:
            raise UsageError(f"manifest {manifest}: fold {fold!r} of {row['path']}; expected a whole number")
        return fold_name(int(number[1]))
    return ""


def _judge_repeats(entries: Sequence[Entry]) -> list[Entry]:
    """Rejects the rows that name a path again, and all rows of a path when they disagree."""
    by_path: dict[str, list[Entry]] = {}
    for entry in entries:
        by_path.setdefault(entry.file.path, []).append(entry)
    judged = []
    for path, rows in by_path.items():
        agree = len({row.file for row in rows}) == 1
        for index, row in enumerate(rows):
            if len(rows) == 1 or row.file.reason or (agree and index == 0):
                judged.append(row)
            elif agree:
                error = f"the manifest names {path} {len(rows)} times; the first row counts"
                judged.append(replace(row, file=row.file.rejected(REPEATED, error)))
            else:
                genres = ", ".join(sorted({r.file.genre for r in rows}))
                error = f"{len(rows)} rows for {path} disagree (genres: {genres}); keep one"
                judged.append(replace(row, file=row.file.rejected(CONTRADICTED, error)))
    return judged
