"""An inverted index of fingerprints: which songs have values that are alike, and where.

Songs are numbered, and lie in blocks. All is arrays; Beam comes in `pipelines.copies.search`.
"""

import functools
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.common import storage
from pipelines.copies import fingerprint
from pipelines.copies.fingerprint import Values

POSTING = np.dtype([("key", "<u4"), ("song", "<u4"), ("position", "<u4"), ("value", "<u4")])
"""A song that has a key, where it first has it, and the value there."""

HIT = np.dtype([("first", "<u4"), ("second", "<u4"), ("first_position", "<u4"), ("second_position", "<u4")])
"""Two songs that have a key in common, and where."""

_LEAST_SONGS_PER_BLOCK, _MOST_BLOCKS = 1_000, 100
_POSTINGS_PER_SHELF = 2_000_000
_MOST_POSTINGS = 150_000_000
_NEIGHBOURS = 5
_MOST_OTHER_BITS = 5
_NEARBY = range(-16, 17, 2)

# A key is half of the bits of a value and of the one after the next: half of the bits, as a copy seldom has all 32
# right; of two values, as those of neighbours are too much alike, and sixteen bits alone are too common.
_MASKS = tuple(np.uint32(mask) for mask in (0x0000FFFF, 0xFFFF0000, 0x00FFFF00, 0xFF0000FF))
_APART = 2

Rows = NDArray[np.void]


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


@dataclass(frozen=True)
class Block:
    """The fingerprints of some songs, one behind the other.

    Attributes
    ----------
    values : array, shape (values,)
    ends : array, shape (songs,)
        Behind the last value of each.
    """

    values: Values
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, fingerprints: Sequence[bytes]) -> "Block":
        """The block of some songs."""
        lengths = [len(one) // 4 for one in fingerprints]
        return cls(fingerprint.values(b"".join(fingerprints)), np.cumsum(lengths, dtype=np.int64))

    @functools.cached_property
    def begins(self) -> NDArray[np.int64]:
        """The first value of each song."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)

    def song(self, number: int) -> Values:
        """The values of a song."""
        return self.values[self.begins[number] : self.ends[number]]

    def save(self, url: str) -> None:
        """Writes the block to a file."""
        sink = io.BytesIO()
        np.savez(sink, values=self.values, ends=self.ends)
        storage.write_bytes(url, sink.getvalue())

    @classmethod
    def load(cls, url: str) -> "Block":
        """Reads a block from a file."""
        with np.load(io.BytesIO(storage.read_bytes(url))) as arrays:
            return cls(arrays["values"], arrays["ends"])


def index_values(block: Block, first_song: int, scale: Scale) -> list[Rows]:
    """A block's postings, shelf by shelf; its songs are numbered from the first on."""
    songs = np.repeat(np.arange(len(block.ends)), block.ends - block.begins)
    within = np.flatnonzero(songs[_APART:] == songs[:-_APART])
    keys = np.concatenate([_keys(block.values, mask, within) for mask in _MASKS])
    at = np.tile(within, len(_MASKS))
    kept = np.flatnonzero(keys % np.uint64(scale.one_in) == 0)
    keys, at = keys[kept] // np.uint64(scale.one_in), at[kept]
    # A song has a key once, where it first has it; some bits of a key make room for the song.
    song_bits = np.uint64(len(block.ends).bit_length())
    _, fresh = np.unique((keys << song_bits) | songs[at].astype(np.uint64), return_index=True)
    keys, at = keys[fresh], at[fresh]
    shelves = (keys % np.uint64(scale.shelves)).astype(np.uint32)
    order = np.argsort(shelves, kind="stable")
    keys, at = keys[order], at[order]
    postings = np.zeros(len(keys), POSTING)
    postings["key"] = keys >> np.uint64(32)
    postings["song"] = songs[at] + first_song
    postings["position"] = at - block.begins[songs[at]]
    postings["value"] = block.values[at]
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
        # Half of the bits are the key's; where too many of the others differ, it is by chance.
        meeting &= np.bitwise_count(first["value"] ^ second["value"]) <= _MOST_OTHER_BITS
        found = np.zeros(np.count_nonzero(meeting), HIT)
        for side, rows in (("first", first), ("second", second)):
            found[side], found[f"{side}_position"] = rows["song"][meeting], rows["position"][meeting]
        hits.append(found)
    return np.concatenate(hits)


def nearby_error_rates(first: Block, second: Block, hits: Rows) -> NDArray[np.float64]:
    """How many of the bits around each hit differ, shape (hits,); songs are numbered within their blocks."""
    sides = []
    for block, side in ((first, "first"), (second, "second")):
        begin, end = block.begins[hits[side]], block.ends[hits[side]]
        sides.append((block.values, begin, end, begin + hits[f"{side}_position"]))
    differing, compared = np.zeros(len(hits)), np.zeros(len(hits))
    for distance in _NEARBY:
        inside = np.logical_and.reduce(
            [(at + distance >= begin) & (at + distance < end) for _, begin, end, at in sides]
        )
        ours, theirs = (values[np.where(inside, at + distance, 0)] for values, _, _, at in sides)
        differing += np.where(inside, np.bitwise_count(ours ^ theirs), 0)
        compared += 32 * inside
    return differing / compared


def _keys(values: Values, mask: np.uint32, at: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hashes of 64 bits of half of the bits of two values each."""
    half, later = values[at] & mask, values[at + _APART] & mask
    # Other halves are other keys. The multiplications are those of splitmix64 (G. Steele et al., "Fast splittable
    # pseudorandom number generators", 2014), whose last bits are as good as its first.
    mixed = (half.astype(np.uint64) << np.uint64(32)) ^ later ^ (np.uint64(mask) << np.uint64(16))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
