"""The fingerprints that a run adds to those of earlier versions: written in bounded memory, and sorted."""

import io
import itertools
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.build.runs import staging
from pipelines.common import parquet, storage
from pipelines.dataset.readings import Fingerprint

COLUMNS = ["content_hash", "fingerprint"]
_RECORDINGS_AT_ONCE = 50_000


def write_once(url: str, contents: Collection[str], staged: Sequence[str], published: Sequence[str]) -> None:
    """Writes the fingerprints of some recordings, each once and sorted by content hash.

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
    wanted, sink = sorted(contents), io.BytesIO()
    with pq.ParquetWriter(sink, parquet.schema(Fingerprint), compression="zstd") as writer:
        # Which rows are in a group must depend on the recordings alone, for equal bytes.
        for first in range(0, max(len(wanted), 1), _RECORDINGS_AT_ONCE):
            some = pa.array(wanted[first : first + _RECORDINGS_AT_ONCE], pa.string())
            tables = itertools.chain((staging.read([url], COLUMNS) for url in staged), map(_read, published))
            parts = [table.filter(pc.is_in(table["content_hash"], some)) for table in tables]
            writer.write_table(_once(pa.concat_tables([parquet.empty(Fingerprint), *parts])))
    storage.write_bytes(url, sink.getvalue())


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
