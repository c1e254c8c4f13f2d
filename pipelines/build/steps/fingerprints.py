"""The fingerprints that a run adds to those of earlier versions: written in bounded memory, and sorted."""

import bisect
import itertools
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.build.runs import staging
from pipelines.common import parquet, storage
from pipelines.dataset.readings import Fingerprint

COLUMNS = ["content_hash", "fingerprint"]
_RECORDINGS_AT_ONCE = 50_000


def write_once(url: str, contents: Collection[str], staged: Sequence[str], published: Sequence[str]) -> None:
    """Writes the fingerprints of some recordings, each once and sorted by content hash.

    Each table is read once: its rows go to files on this machine's disk that are sorted, and then group by group from
    all of these to the table.

    Parameters
    ----------
    url : str
        The table to write, of the rows of `Fingerprint`.
    contents : collection of str
        The content hashes.
    staged, published : sequence of str
        Tables of staged readings, and of fingerprints, that have them among their rows; the first that has a recording
        counts.
    """
    wanted = set(contents)
    # Which rows are in a group must depend on the recordings alone, for equal bytes.
    first_of_groups = sorted(wanted)[::_RECORDINGS_AT_ONCE]
    tables = itertools.chain((staging.read([url], COLUMNS) for url in staged), map(_read, published))
    with tempfile.TemporaryDirectory() as folder, storage.writing(url) as local:
        runs = [
            _written_in_groups(Path(folder, str(number)), rows, wanted, first_of_groups)
            for number, rows in enumerate(_many_at_once(tables))
        ]
        with pq.ParquetWriter(local, parquet.schema(Fingerprint), compression="zstd") as writer:
            for group in range(max(len(first_of_groups), 1)):
                parts = [_group(run, group) for run in runs]
                writer.write_table(_once(pa.concat_tables([parquet.empty(Fingerprint), *parts])))


def _many_at_once(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The rows of tables, of which there may be very many, in a few."""
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += len(table)
        if rows >= _RECORDINGS_AT_ONCE:
            yield pa.concat_tables(held)
            held, rows = [], 0
    if held:
        yield pa.concat_tables(held)


def _written_in_groups(path: Path, rows: pa.Table, wanted: Set[str], first_of_groups: Sequence[str]) -> Path:
    """Writes the wanted rows, each once and sorted, to a file: a batch for each group, be it empty."""
    rows = rows.filter(pa.array([content in wanted for content in rows["content_hash"].to_pylist()], pa.bool_()))
    rows = _once(rows)
    contents = rows["content_hash"].to_pylist()
    bounds = [0, *(bisect.bisect_left(contents, first) for first in first_of_groups[1:]), len(contents)]
    with pa.ipc.new_file(path, rows.schema) as writer:
        for begin, end in itertools.pairwise(bounds):
            writer.write_batch(pa.record_batch([column.combine_chunks() for column in rows[begin:end]], rows.schema))
    return path


def _group(path: Path, number: int) -> pa.Table:
    with pa.memory_map(str(path)) as file:
        return pa.Table.from_batches([pa.ipc.open_file(file).get_batch(number)])


def content_hashes(urls: Sequence[str]) -> set[str]:
    """The recordings that some tables have."""
    return {content for url in urls for content in _read(url, COLUMNS[:1]).column(0).to_pylist()}


def _read(url: str, columns: list[str] = COLUMNS) -> pa.Table:
    return parquet.table(storage.read_bytes(url), columns)


def _once(rows: pa.Table) -> pa.Table:
    """Rows sorted by content hash, of each the first."""
    numbered = rows.append_column("number", pa.array(range(len(rows)), pa.int64()))
    ordered = numbered.sort_by([("content_hash", "ascending"), ("number", "ascending")])
    contents = ordered["content_hash"].to_pylist()
    is_first = [number == 0 or contents[number - 1] != content for number, content in enumerate(contents)]
    return ordered.filter(pa.array(is_first, pa.bool_())).select(COLUMNS)
