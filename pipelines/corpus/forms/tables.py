"""Tables that say what is known of files, in CSV, TSV or Parquet: read strictly, as a row torn apart is another row."""

import csv
import io
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipelines.audio import decode
from pipelines.common import parquet, storage
from pipelines.common.errors import UsageError
from pipelines.common.output.words import counted
from pipelines.corpus.forms.text_files import decoded
from pipelines.dataset.ledger import METADATA

COLUMNS = ("path", "genre", "fold", "split", "year", *METADATA)
"""The columns that say something here."""

_ALIASES = {"artist": ("artist_name", "artist_id")}
"""What others call a column, where it has not its own name."""

_NOTHING = {"nan", "<na>"}
"""What pandas writes, as a text, of a cell that is empty."""

_DELIMITERS = ",;\t|"
_MOST_SHOWN = 80


@dataclass(frozen=True)
class Table:
    """A table's rows.

    Attributes
    ----------
    names : tuple of str
        Its columns' names, in lower case.
    rows : list of dict
        By column, of those in `COLUMNS`, what each row says; never blank.
    blank : int
        How many rows say nothing, and were skipped.
    """

    names: tuple[str, ...]
    rows: list[dict[str, str]]
    blank: int = 0

    @property
    def found(self) -> str:
        """The columns' names, for a message."""
        return ", ".join(sorted(self.names)) or "none"


def read_table(url: str) -> Table:
    """Reads a table; how many of its rows say nothing is told on standard error.

    Raises
    ------
    UsageError
        It is no table, two columns have one name, a row has other cells than the header, a quote swallows rows, or
        cells hold lists.
    """
    read = _parquet if url.lower().endswith(".parquet") else _csv
    names, rows = read(url, storage.read_bytes(url))
    told = [row for row in rows if any(row.values())] if set(names) & set(COLUMNS) else rows
    if blank := len(rows) - len(told):
        print(f"{url}: {counted(blank, 'row')} without content, skipped", file=sys.stderr)
    return Table(names, told, blank)


def _names(url: str, header: Sequence[object]) -> tuple[str, ...]:
    names = [str(name).strip().lower() for name in header]
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise UsageError(f"manifest {url}: several columns are called {', '.join(twice)}; keep or rename one of each")
    for name, aliases in _ALIASES.items():
        if name not in names and (alias := next((each for each in aliases if each in names), "")):
            names[names.index(alias)] = name
    return tuple(names)


def _csv(url: str, content: bytes) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    try:
        text = decoded(content)
    except UnicodeDecodeError as error:
        raise UsageError(f"manifest {url}: is no table in UTF-8 CSV or Parquet ({error})") from error
    is_tsv = url.lower().endswith(".tsv")
    lines = _tsv_rows(text) if is_tsv else _csv_rows(url, text)
    names = _names(url, next(lines, (0, []))[1])
    # A TSV's last column may be a list, of one cell for each element, as tags.
    last = len(names) if is_tsv and names and names[-1] not in COLUMNS else None
    # pandas and R leave the name of the column empty that numbers the rows.
    unnamed = [at for at, name in enumerate(names) if not name and at]
    used = [(name, at) for at, name in enumerate(names) if name in COLUMNS]
    rows = []
    for line, all_cells in lines:
        cells = all_cells[:last]
        if len(cells) != len(names) and any(map(str.strip, cells)):
            raise _refused_row(url, line, cells, f"{len(cells)} cells where the header has {len(names)}")
        if len(cells) == len(names) and any(cells[at].strip() for at in unnamed):
            raise _refused_row(url, line, cells, "a cell in a column without a name")
        rows.append({name: _text(cells[at]) for name, at in used} if len(cells) == len(names) else {})
    return tuple(filter(None, names)), rows


def _tsv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    r"""The rows of a TSV, each with the number of its line; a cell is in quotes as a whole or not at all.

    >>> list(_tsv_rows('path\ttitle\n"a.wav"\t7" single\n'))
    [(1, ['path', 'title']), (2, ['a.wav', '7" single'])]
    """
    for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if line:
            yield number, [_unquoted(cell) for cell in line.split("\t")]


def _unquoted(cell: str) -> str:
    is_quoted = len(cell) > 1 and cell[0] == cell[-1] == '"'
    return cell[1:-1].replace('""', '"') if is_quoted else cell


def _csv_rows(url: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV that are no empty lines, each with the number of the line at which it begins."""
    delimiter = _delimiter(re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if reader.line_num > line and any(_holds_rows(cell, delimiter) for cell in cells):
                further = counted(reader.line_num - line, "line")
                raise _refused_row(url, line, cells, f"a quote that ends {further} further down")
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise _refused_row(url, line, text.splitlines()[line - 1 : line], f"a stray quote ({error})") from error


def _delimiter(header: str) -> str:
    """What is between the cells of a table, by its header: Excel writes semicolons where commas are in numbers.

    >>> _delimiter("path,genre"), _delimiter('"path";"genre";"year"')
    (',', ';')
    """

    def names(delimiter: str) -> set[str]:
        return {cell.strip(' "').lower() for cell in header.split(delimiter)}

    return max(_DELIMITERS, key=lambda delimiter: len(names(delimiter) & set(COLUMNS)))


def _holds_rows(cell: str, delimiter: str) -> bool:
    r"""Whether a cell has swallowed rows, or parts of them: it has several lines, and one of them names a file.

    >>> _holds_rows("blues\nb.wav,jazz\nc.wav", ","), _holds_rows("Live, 1969\nand 1970", ",")
    (True, False)
    """
    lines = cell.splitlines()
    return len(lines) > 1 and any(
        delimiter in line
        and any(PurePosixPath(part.strip(' "')).suffix.lower() in decode.SUFFIXES for part in line.split(delimiter))
        for line in lines
    )


def _refused_row(url: str, line: int, cells: Sequence[str], fault: str) -> UsageError:
    found = ",".join(cells)
    shown = found if len(found) <= _MOST_SHOWN else f"{found[:_MOST_SHOWN]}..."
    return UsageError(
        f"manifest {url}: line {line} has {fault}: {shown!r};"
        ' put a cell that holds commas in quotes, as "Folk, World", and write a quote in it twice'
    )


def _parquet(url: str, content: bytes) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    import pyarrow as pa

    try:
        schema = parquet.columns(content)
        names = _names(url, schema.names)
        used = {name: own for name, own in zip(names, schema.names, strict=True) if name in COLUMNS}
        for name, own in used.items():
            if pa.types.is_nested(schema.field(own).type):
                raise UsageError(f"manifest {url}: column {name} holds {schema.field(own).type}; {_one_each(name)}")
        table = parquet.table(content, list(used.values()))
    except pa.ArrowException as error:
        raise UsageError(f"manifest {url}: is no table in UTF-8 CSV or Parquet ({error})") from error
    columns = [map(_cell, table.column(own).to_pylist()) for own in used.values()]
    return names, [dict(zip(used, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _one_each(column: str) -> str:
    if column == "genre":
        return "several labels a file are not learned here: give one, as the first of them, and leave other files out"
    return "expected one text for each file"


def _cell(value: Any) -> str:
    is_missing = value is None or value != value  # NaN
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape").strip()
    return "" if is_missing else _text(str(value))


def _text(cell: str) -> str:
    text = cell.strip()
    return "" if text.lower() in _NOTHING else text


def metadata(row: Mapping[str, str]) -> dict[str, Any]:
    """What a row says of its file besides the genre, by the names of the fields of `File`; empty where it says nothing.

    >>> found = metadata({"path": "a.wav", "genre": "blues", "artist": "Ann"})
    >>> found["artist"], found["song"]
    ('Ann', '')
    """
    return {name: row.get(name, "") for name in METADATA}
