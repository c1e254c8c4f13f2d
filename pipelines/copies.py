"""Near copies: songs whose fingerprints share a stretch, found through an inverted index in Beam.

Two songs are compared only where they agree in some values, so the cost grows with the number of songs and not with
the number of pairs. Songs travel through Beam as numbers; their fingerprints lie in files, a block of songs each.
"""

import functools
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import apache_beam as beam
import numpy as np
from numpy.typing import NDArray

from pipelines import fingerprint, storage
from pipelines.alignment import TEMPOS, Alignment, align, promising
from pipelines.fingerprint import SPAN_S, VALUE_S, Values
from pipelines.progress import Progress

_LEAST_SONGS_PER_BLOCK, _MOST_BLOCKS = 1_000, 100
_POSTINGS_PER_SHELF = 2_000_000
_MOST_POSTINGS = 200_000_000
_NEIGHBOURS = 5

# A key is half of the bits of a value and of the one after the next: half of the bits, as a copy seldom has all 32
# right; of two values, as those of neighbours are too much alike, and sixteen bits alone are too common.
_MASKS = tuple(np.uint32(mask) for mask in (0x0000FFFF, 0xFFFF0000, 0x00FFFF00, 0xFF0000FF))
_APART = 2

_POSTING = np.dtype([("key", "<u4"), ("song", "<u4"), ("position", "<u4")])
_HIT = np.dtype([("first", "<u4"), ("second", "<u4"), ("first_position", "<u4"), ("second_position", "<u4")])

Rows = NDArray[np.void]


@dataclass(frozen=True)
class Copy:
    """Two songs that share a stretch of one recording.

    Attributes
    ----------
    first, second : str
        Their names; the first is the lesser.
    first_s, second_s : float
        When the stretch begins in each.
    duration_s : float
        How long it is, in the second.
    tempo : float
        How many seconds of the first one of the second stands for: other than 1 where one was sped up.
    error_rate : float
        The share of fingerprint bits that differ in it.
    """

    first: str
    second: str
    first_s: float
    second_s: float
    duration_s: float
    tempo: float
    error_rate: float

    @property
    def offset_s(self) -> float:
        """When, in the first, the second begins."""
        return self.first_s - self.tempo * self.second_s


def find_copies(
    fingerprints: Mapping[str, bytes], folder: str, new_pipeline: Callable[[], beam.Pipeline]
) -> list[Copy]:
    """Finds every pair of songs that share a stretch of one recording.

    Parameters
    ----------
    fingerprints : dict
        Each song's, by its name.
    folder : str
        Where workers find the fingerprints and leave what they find; it is removed first and last.
    new_pipeline : callable
        Gives an empty pipeline.

    Returns
    -------
    list of Copy
        Sorted by first and second, each pair once.
    """
    names = sorted(fingerprints)
    storage.remove(folder)
    scale = Scale.of(len(names), sum(map(len, fingerprints.values())) // 4)
    count = _write_blocks([fingerprints[name] for name in names], folder, scale.songs_per_block)
    with Progress("Compare fingerprints", len(names), lambda: 0), new_pipeline() as pipeline:
        (
            pipeline
            | "List blocks" >> beam.Create(range(count), reshuffle=False)
            | "Spread blocks" >> beam.Reshuffle()
            | "Index values" >> beam.ParDo(IndexValues(folder, scale))  # (shelf, postings)
            | "Gather shelves" >> beam.GroupByKey()
            | "Meet songs" >> beam.FlatMap(_meetings, scale.songs_per_block)  # (block of the first song, hits)
            | "Gather pairs" >> beam.GroupByKey()
            | "Align pairs" >> beam.ParDo(AlignPairs(folder, scale.songs_per_block))
        )
    found = [row for name in _found_in(folder) for row in json.loads(storage.read_bytes(storage.join(folder, name)))]
    storage.remove(folder)
    copies = [_copy(names[song], names[other], Alignment(**alignment)) for song, other, alignment in found]
    return sorted(copies, key=lambda copy: (copy.first, copy.second))


def _copy(first: str, second: str, alignment: Alignment) -> Copy:
    return Copy(
        first,
        second,
        first_s=round(alignment.first * VALUE_S, 2),
        second_s=round(alignment.second * VALUE_S, 2),
        duration_s=round((alignment.length - 1) * VALUE_S + SPAN_S, 2),
        tempo=alignment.tempo,
        error_rate=round(alignment.error_rate, 4),
    )


@dataclass(frozen=True)
class Scale:
    """How an index is spread.

    Attributes
    ----------
    songs_per_block : int
        So that a very large corpus has no more blocks than can be compared each with each.
    shelves : int
        Postings of a key are on one shelf.
    one_in : int
        A very large corpus keeps a part of all keys, the same in every song, so that its index stays within bounds.
    """

    songs_per_block: int
    shelves: int
    one_in: int

    @classmethod
    def of(cls, songs: int, values: int) -> "Scale":
        """The scale for so many songs, whose fingerprints have so many values in all."""
        postings = values * len(_MASKS)
        one_in = math.ceil(postings / _MOST_POSTINGS) or 1
        shelves = math.ceil(postings / one_in / _POSTINGS_PER_SHELF) or 1
        return cls(max(_LEAST_SONGS_PER_BLOCK, math.ceil(songs / _MOST_BLOCKS)), shelves, one_in)


class IndexValues(beam.DoFn):
    """Of a block's number: for each shelf its postings, packed; a song names each of its keys once."""

    def __init__(self, folder: str, scale: Scale):
        self.folder, self.scale = folder, scale

    def process(self, element: int) -> Iterator[tuple[int, bytes]]:
        for shelf, postings in enumerate(index_values(_read_block(self.folder, element), element, self.scale)):
            if len(postings):
                yield shelf, postings.tobytes()


class AlignPairs(beam.DoFn):
    """Aligns the pairs whose first songs are in a block, and writes those that are copies to a file."""

    def __init__(self, folder: str, songs_per_block: int):
        self.folder, self.songs_per_block = folder, songs_per_block

    def setup(self) -> None:
        self.read_block = functools.lru_cache(maxsize=2)(functools.partial(_read_block, self.folder))

    def process(self, element: tuple[int, Iterable[bytes]]) -> None:
        block, parts = element
        hits = np.concatenate([np.frombuffer(part, _HIT) for part in parts])
        hits = hits[np.lexsort((hits["first"], hits["second"]))]  # by the second, so that each block is read once
        begins = np.flatnonzero(np.concatenate([[True], ~(_same(hits, "first") & _same(hits, "second"))]))
        ours, theirs = (hits[f"{side}_position"].astype(np.int64) for side in ("first", "second"))
        tempos = promising(np.repeat(np.arange(len(begins)), np.diff(begins, append=len(hits))), ours, theirs)
        rows = []
        for pair in np.flatnonzero(tempos.any(axis=1)):
            own = slice(begins[pair], begins[pair + 1] if pair + 1 < len(begins) else None)
            song, other = int(hits["first"][begins[pair]]), int(hits["second"][begins[pair]])
            likely = [tempo for tempo, is_likely in zip(TEMPOS, tempos[pair], strict=True) if is_likely]
            alignment = align(self._values(song), self._values(other), ours[own], theirs[own], likely)
            if alignment is not None:
                rows.append((song, other, asdict(alignment)))
        storage.write_bytes(storage.join(self.folder, _found(block)), json.dumps(rows).encode())

    def _values(self, song: int) -> Values:
        return self.read_block(song // self.songs_per_block)[song % self.songs_per_block]


def _meetings(shelf: tuple[int, Iterable[bytes]], songs_per_block: int) -> Iterator[tuple[int, bytes]]:
    """Of a shelf's postings: the hits of songs that meet on it, packed, for each block of first songs."""
    hits = meet_songs(np.concatenate([np.frombuffer(part, _POSTING) for part in shelf[1]]))
    blocks = hits["first"] // songs_per_block
    for block in np.unique(blocks):
        yield int(block), hits[blocks == block].tobytes()


def index_values(block: Sequence[Values], number: int, scale: Scale) -> list[Rows]:
    """A block's postings, shelf by shelf: of each song and key the first position."""
    lengths = [len(values) for values in block]
    values = np.concatenate(block)
    songs = np.repeat(np.arange(len(block), dtype=np.uint64), lengths)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    within = np.flatnonzero(songs[_APART:] == songs[:-_APART])
    keys = np.concatenate([_keys(values, mask, within) for mask in _MASKS])
    at = np.tile(within, len(_MASKS))
    kept = np.flatnonzero(keys % np.uint64(scale.one_in) == 0)
    keys, at = keys[kept] // np.uint64(scale.one_in), at[kept]
    # A song has a key once, where it first has it; some bits of a key make room for the song.
    song_bits = np.uint64(len(block).bit_length())
    _, fresh = np.unique((keys << song_bits) | songs[at], return_index=True)
    keys, at = keys[fresh], at[fresh]
    shelves = (keys % np.uint64(scale.shelves)).astype(np.uint32)
    order = np.argsort(shelves, kind="stable")
    keys, at = keys[order], at[order]
    postings = np.zeros(len(keys), _POSTING)
    postings["key"] = keys >> np.uint64(32)
    postings["song"] = songs[at] + np.uint64(number * scale.songs_per_block)
    postings["position"] = at - starts[at]
    return np.split(postings, np.searchsorted(shelves[order], np.arange(1, scale.shelves)))


def meet_songs(postings: Rows) -> Rows:
    """The hits of songs that have a key in common.

    A song meets the next few songs that have the key, in the order of their numbers, and not all of them: so no key is
    hot, however common, and a row of copies is still linked one to the next.
    """
    postings = postings[np.argsort((postings["key"].astype(np.uint64) << np.uint64(32)) | postings["song"])]
    hits = []
    for distance in range(1, _NEIGHBOURS + 1):
        first, second = postings[:-distance], postings[distance:]
        meeting = first["key"] == second["key"]
        found = np.zeros(np.count_nonzero(meeting), _HIT)
        for side, rows in (("first", first), ("second", second)):
            found[side], found[f"{side}_position"] = rows["song"][meeting], rows["position"][meeting]
        hits.append(found)
    return np.concatenate(hits)


def _keys(values: Values, mask: np.uint32, at: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes of 64 bits of half of the bits of two values each."""
    half, later = values[at] & mask, values[at + _APART] & mask
    # Other halves are other keys. The multiplications are those of splitmix64 (G. Steele et al., "Fast splittable
    # pseudorandom number generators", 2014), whose last bits are as good as its first.
    mixed = (half.astype(np.uint64) << np.uint64(32)) ^ later ^ (np.uint64(mask) << np.uint64(16))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def _same(rows: Rows, key: str) -> NDArray[np.bool_]:
    """Whether a row has the same key as the one before it, from the second on."""
    same: NDArray[np.bool_] = rows[key][1:] == rows[key][:-1]
    return same


def _write_blocks(fingerprints: Sequence[bytes], folder: str, songs_per_block: int) -> int:
    """Writes the fingerprints in files of so many songs each; returns how many files."""
    starts = range(0, len(fingerprints), songs_per_block)
    for number, start in enumerate(starts):
        block = fingerprints[start : start + songs_per_block]
        sink = io.BytesIO()
        np.savez(sink, values=fingerprint.values(b"".join(block)), ends=np.cumsum([len(some) // 4 for some in block]))
        storage.write_bytes(storage.join(folder, _block(number)), sink.getvalue())
    return len(starts)


def _read_block(folder: str, number: int) -> list[Values]:
    with np.load(io.BytesIO(storage.read_bytes(storage.join(folder, _block(number))))) as block:
        return np.split(block["values"], block["ends"][:-1])


def _found_in(folder: str) -> list[str]:
    return [name for name in storage.names(folder) if name.startswith("found-")]


def _block(number: int) -> str:
    return f"block-{number:06d}.npz"


def _found(block: int) -> str:
    return f"found-{block:06d}.json"
