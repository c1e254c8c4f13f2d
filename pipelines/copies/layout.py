"""The layout of what is compared: which recordings take part, and files for workers that each read a part of them."""

import contextlib
import functools
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.common import parquet, storage
from pipelines.common.errors import SpectroshardError
from pipelines.copies.index import KEYS_PER_VALUE, FingerprintBlock, Recordings

LAYOUT_NAME = "layout.json"

POSTINGS_PER_PARTITION = 16_000_000
"""So many are compared at once: some 800 MB of memory."""

_LEAST_RECORDINGS_PER_BLOCK, _MOST_BLOCKS = 1_000, 100
_KEPT_PER_NEW = 6  # postings, itself included: of music-like values three, and never more than eleven
_ROWS = 1_000  # of a table in memory
_ROSTER = "roster.parquet"
_HASH, _FINGERPRINT, _IS_NEW = "content_hash", "fingerprint", "is_new"


@dataclass(frozen=True)
class Layout:
    """How the work is divided, so that each part of it fits in memory however many recordings there are.

    Attributes
    ----------
    known, new : int
        How many recordings take part.
    recordings_per_block : int
        Grows with their number, so that there are never more blocks than can be compared each with each. The known ones
        are in blocks of their own, before those of the new ones: so the blocks of a few new ones are few.
    partitions : int
        Into how many parts the postings are divided; those of a key are all in one. No key is left out.
    """

    known: int
    new: int
    recordings_per_block: int
    partitions: int

    @classmethod
    def of(cls, known: int, new: int, values: int, new_values: int) -> "Layout":
        """The layout for so many recordings, whose fingerprints have so many values, those of the new ones included.

        >>> Layout.of(0, 1_000_000, 250_000_000, 250_000_000)  # of half a minute each
        Layout(known=0, new=1000000, recordings_per_block=10000, partitions=63)
        >>> Layout.of(1_000_000, 1_000, 250_250_000, 250_000)
        Layout(known=1000000, new=1000, recordings_per_block=10010, partitions=1)
        """
        postings = KEYS_PER_VALUE * min(values, _KEPT_PER_NEW * new_values)
        partitions = max(1, math.ceil(postings / POSTINGS_PER_PARTITION)) if new else 0
        return cls(known, new, max(_LEAST_RECORDINGS_PER_BLOCK, math.ceil((known + new) / _MOST_BLOCKS)), partitions)

    @property
    def known_blocks(self) -> int:
        """How many blocks, of the lowest numbers, have known recordings."""
        return math.ceil(self.known / self.recordings_per_block)

    @property
    def blocks(self) -> int:
        """How many blocks there are; none where nothing is new."""
        return self.known_blocks + math.ceil(self.new / self.recordings_per_block) if self.new else 0

    def save(self, folder: str) -> None:
        """Writes it to a file."""
        storage.write_bytes(storage.join(folder, LAYOUT_NAME), json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls, folder: str) -> "Layout":
        """The layout of a folder."""
        return cls(**json.loads(storage.read_bytes(storage.join(folder, LAYOUT_NAME))))


@dataclass(frozen=True)
class Roster:
    """The recordings that take part.

    In postings, hits and copies a recording is called by its *rank* among them by content hash, so that the same are
    neighbours whether they are known or new. Its *place*, by which it lies in a block, is counted from 0 at the first
    known one, and from the first new block at the first new one.

    Attributes
    ----------
    layout : Layout
    is_new : array of bool, shape (recordings,)
        By rank.
    """

    layout: Layout
    is_new: NDArray[np.bool_]

    @classmethod
    def load(cls, folder: str) -> "Roster":
        """The roster of a folder."""
        return cls(Layout.load(folder), _read(storage.join(folder, _ROSTER), _IS_NEW).to_numpy())

    def ranks(self, block: int) -> Recordings:
        """The ranks of a block's recordings, in their order."""
        size, known_blocks = self.layout.recordings_per_block, self.layout.known_blocks
        ranks, start = (self._known, block) if block < known_blocks else (self._new, block - known_blocks)
        return ranks[start * size : (start + 1) * size].astype(np.uint32)

    def places(self) -> NDArray[np.int64]:
        """Where each recording lies, by rank: its block's number times the recordings of a block, and then some."""
        first_new = self.layout.known_blocks * self.layout.recordings_per_block
        return np.where(self.is_new, first_new + self.is_new.cumsum(), (~self.is_new).cumsum()) - 1

    @functools.cached_property
    def _known(self) -> NDArray[np.int64]:
        return np.flatnonzero(~self.is_new)

    @functools.cached_property
    def _new(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.is_new)


def content_hashes(folder: str) -> pa.ChunkedArray:
    """The content hashes of the recordings that take part, by rank."""
    return _read(storage.join(folder, _ROSTER), _HASH)


def block_url(folder: str, number: int) -> str:
    """Where a block of fingerprints lies."""
    return storage.join(folder, f"block-{number:06d}.npz")


def lay_out(folder: str, known: Sequence[str], new: Sequence[str], wanted: str | None) -> None:
    """Writes to a folder the fingerprints of some tables in blocks, and which recordings they are of.

    Fingerprints are held in memory once. Where no row is new, the known ones are not read.

    Parameters
    ----------
    folder : str
    known, new : sequence of str
        URLs of tables, as `pipelines.copies.search.Comparison` has them.
    wanted : str, optional
        URL of the table of the recordings that take part.
    """
    with contextlib.ExitStack() as stack:
        new_rows = _Rows(new, stack)
        rows = [_Rows(known if len(new_rows.lengths) else (), stack), new_rows]
        lengths = np.concatenate([each.lengths for each in rows])
        hashes = pa.chunked_array([chunk for each in rows for chunk in each.hashes], pa.string())
        hashes, chosen = _taking_part(hashes, lengths, wanted)
        is_new = chosen >= len(rows[0].lengths)
        values = int(lengths[chosen].sum()), int(lengths[chosen[is_new]].sum())
        layout = Layout.of(int((~is_new).sum()), int(is_new.sum()), *values)
        if layout.blocks:
            in_place = np.concatenate([chosen[~is_new], chosen[is_new]])
            fingerprints = (chunk for each in rows for chunk in each.fingerprints())
            _write_blocks(folder, layout, _gathered(fingerprints, in_place, lengths))
    with storage.writing(storage.join(folder, _ROSTER)) as local:
        pq.write_table(pa.table({_HASH: hashes.combine_chunks(), _IS_NEW: is_new}), local, compression="zstd")
    layout.save(folder)


class _Rows:
    """The rows of some tables of fingerprints, of which only a few are in memory.

    Attributes
    ----------
    hashes : list of array
        Of all rows, in chunks.
    lengths : array, shape (rows,)
        How many values each has.
    """

    def __init__(self, urls: Sequence[str], stack: contextlib.ExitStack):
        self._paths = {url: stack.enter_context(storage.local_copy(url)) for url in urls}
        self.hashes, lengths = [], [np.zeros(0, np.int64)]
        for batch in self._batches(_HASH, _FINGERPRINT):
            self.hashes.append(batch.column(_HASH))
            lengths.append(pc.binary_length(batch.column(_FINGERPRINT)).to_numpy().astype(np.int64) // 4)
        self.lengths = np.concatenate(lengths)

    def fingerprints(self) -> Iterator[pa.Array]:
        """The fingerprints of all rows, in chunks."""
        return (batch.column(_FINGERPRINT) for batch in self._batches(_FINGERPRINT))

    def _batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        for url, path in self._paths.items():
            try:
                # Through a small buffer; otherwise a row group, which may be the whole table, would be in memory.
                table = pq.ParquetFile(path, buffer_size=1 << 20)
                yield from table.iter_batches(_ROWS, columns=columns, use_threads=False)
            except pa.ArrowInvalid as error:
                raise SpectroshardError(f"{url}: is damaged ({error})") from error


def _taking_part(
    hashes: pa.ChunkedArray, lengths: NDArray[np.int64], wanted: str | None
) -> tuple[pa.ChunkedArray, NDArray[np.int64]]:
    """The recordings that have a fingerprint and are wanted: content hashes, sorted, and the first row of each."""
    order = pc.sort_indices(hashes)  # equal ones stay in their order
    hashes, rows = hashes.take(order), order.to_numpy().astype(np.int64)
    takes_part = lengths[rows] > 0
    if wanted is not None:
        takes_part &= pc.is_in(hashes, value_set=_read(wanted, _HASH)).to_numpy()
    hashes, rows = hashes.filter(takes_part), rows[takes_part]
    is_first = np.ones(len(rows), np.bool_)
    is_first[1:] = pc.not_equal(hashes[1:], hashes[:-1]).to_numpy()
    return hashes.filter(is_first), rows[is_first]


def _gathered(chunks: Iterable[pa.Array], rows: NDArray[np.int64], lengths: NDArray[np.int64]) -> FingerprintBlock:
    """The fingerprints of some rows, in the order that is given, of all rows in theirs."""
    ends = np.cumsum(lengths[rows])
    values = np.empty(ends[-1], np.uint32)
    begin_of_row = np.full(len(lengths), -1)
    begin_of_row[rows] = ends - lengths[rows]
    first_row = 0
    for chunk in chunks:
        begins = begin_of_row[first_row : first_row + len(chunk)]
        first_row += len(chunk)
        own = FingerprintBlock.of(chunk.filter(begins >= 0).to_pylist())
        at = np.repeat(begins[begins >= 0] - own.begins, own.ends - own.begins)
        values[at + np.arange(len(at))] = own.values
    return FingerprintBlock(values, ends)


def _write_blocks(folder: str, layout: Layout, fingerprints: FingerprintBlock) -> None:
    size = layout.recordings_per_block
    starts = [*range(0, layout.known, size), *range(layout.known, layout.known + layout.new, size)]
    for number, (start, end) in enumerate(itertools.pairwise([*starts, layout.known + layout.new])):
        begin, ends = fingerprints.begins[start], fingerprints.ends[start:end]
        FingerprintBlock(fingerprints.values[begin : ends[-1]], ends - begin).save(block_url(folder, number))


def _read(url: str, column: str) -> pa.ChunkedArray:
    try:
        return parquet.table(storage.read_bytes(url), [column]).column(column)
    except (pa.ArrowInvalid, KeyError) as error:
        raise SpectroshardError(f"{url}: is damaged ({error})") from error
