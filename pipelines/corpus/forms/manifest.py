"""Manifests: tables in CSV, TSV or Parquet of `path, genre` and optionally what else is known of a file.

That is its `fold` or `split`, and its metadata: a column for each field in `pipelines.dataset.ledger.METADATA`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.common.reasons import Reason
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT, NamedFiles
from pipelines.corpus.forms.tables import metadata, read_table
from pipelines.corpus.names.spellings import escape_undecodable
from pipelines.corpus.names.splits import SPLIT_ALIASES
from pipelines.dataset.ledger import METADATA, Entry, File
from pipelines.dataset.splits import fold_name

CONTRADICTED = Reason("contradicted", "the manifest has several rows for the path, and they disagree")
NO_GENRE = Reason("no_genre", "nothing says what the genre is")
ODD_GENRE = Reason("odd_genre", "the genre holds a line break or another control character")
REPEATED = Reason("repeated", "another row of the manifest, or member of the archive, has the same path")

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_WAYS_OUT = "corpus.root, corpus.allow_remote and corpus.follow_links say what a manifest may name"


def is_manifest(url: str) -> bool:
    """Whether a URL is a table by its suffix.

    >>> is_manifest("s3://music/index.CSV"), is_manifest("music/")
    (True, False)
    """
    return url.lower().endswith((".csv", ".tsv", ".parquet"))


def entries(url: str, root: str, allow_remote: Sequence[str] = (), *, follow_links: bool = False) -> list[Entry]:
    """The files of a manifest; rows that cannot be right are among them, rejected.

    Parameters
    ----------
    url : str
    root : str
        What the paths are relative to and must lie in. Default: the manifest's folder.
    allow_remote, follow_links
        As in `NamedFiles`.

    Raises
    ------
    UsageError
        It is no table, a column is missing, or a row names a split or fold that there is not.
    """
    table = read_table(url)
    if missing := {"path", "genre"} - set(table.names):
        raise UsageError(
            f"manifest {url}: no column {' or '.join(sorted(missing))}; found {table.found};"
            f" expected path, genre and optionally {', '.join(METADATA)}, fold or split"
        )
    if {"fold", "split"} <= set(table.names):
        raise UsageError(f"manifest {url}: has both a fold and a split column; keep one")
    if not table.rows:
        raise UsageError(f"manifest {url}: has no rows; expected one for each file")
    files = NamedFiles(root_url(url, root), allow_remote, follow_links=follow_links)
    found = [_row_entry(row, files, url) for row in table.rows]
    versions = files.listed(entry.location for entry in found if not entry.file.reason)
    return _judge_repeats([_with_version(entry, versions) for entry in found] if versions else found)


def _with_version(entry: Entry, versions: Mapping[str, str]) -> Entry:
    return replace(entry, version=versions.get(entry.location, entry.version))


def root_url(url: str, root: str) -> str:
    """The URL that a manifest's paths are relative to: the given root, or else the manifest's own folder.

    >>> root_url("s3://music/index.csv", ""), root_url("s3://music/index.csv", "/songs")
    ('s3://music', '/songs')
    """
    return storage.absolute(root or url.rpartition("/")[0] or ".")


def _row_entry(row: Mapping[str, str], files: NamedFiles, manifest: str) -> Entry:
    named = files.find(row["path"])
    path, uri = escape_undecodable(named.path), escape_undecodable(named.uri)
    file = File(path, uri, row["genre"], **metadata(row), fold=own_fold(row, manifest))
    if named.fault:
        file = file.rejected(OUTSIDE_ROOT, f"{named.fault}; {_WAYS_OUT}")
    elif fault := genre_fault(file.genre):
        file = file.rejected(*fault)
    return Entry(file, named.uri, named.version)


def genre_fault(genre: str) -> tuple[Reason, str] | None:
    r"""Why a genre is none, if it is none.

    >>> genre_fault("Folk, World, & Country")
    >>> genre_fault("Folk\nWorld")[1]
    "the genre 'Folk\\nWorld' holds a line break or a control character, expected a name"
    """
    if not genre:
        return NO_GENRE, "nothing says the file's genre"
    if _CONTROL.search(genre):
        return ODD_GENRE, f"the genre {genre!r} holds a line break or a control character, expected a name"
    return None


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
    return [judged for path, rows in by_path.items() for judged in (rows if len(rows) == 1 else _judged(path, rows))]


def _judged(path: str, rows: Sequence[Entry]) -> list[Entry]:
    if len({row.file for row in rows}) == 1:
        return [
            rows[0],
            *(repeated(row, f"the manifest names {path} {len(rows)} times; one counts") for row in rows[1:]),
        ]
    genres = ", ".join(sorted({row.file.genre for row in rows}))
    error = f"{len(rows)} rows for {path} disagree (genres: {genres}); keep one"
    return [row if row.file.reason else replace(row, file=row.file.rejected(CONTRADICTED, error)) for row in rows]


def repeated(entry: Entry, error: str) -> Entry:
    """An entry that names again what another names, unless something else is wrong with it."""
    return entry if entry.file.reason else replace(entry, file=entry.file.rejected(REPEATED, error))
