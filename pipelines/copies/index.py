"""An inverted index of fingerprints: which recordings have similar values, and where.

The index of a large corpus does not fit in memory, so it is divided by its keys into partitions. Whoever works on one
reads all fingerprints and keeps the keys of that partition: fingerprints are a sixteenth of the size of their postings,
which so are neither stored nor shuffled.

Recordings are numbered, and their fingerprints lie in blocks. All is arrays; the Beam pipeline around it is
`pipelines.copies.search`.
"""

import functools
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common import storage
from pipelines.common.arrays.jit import compiled
from pipelines.copies import fingerprint
from pipelines.copies.fingerprint import Values

POSTING = np.dtype([("key", "<u4"), ("recording", "<u4"), ("position", "<u4"), ("value", "<u4")])
"""A recording that has a key, the position where it first has it, and the value there."""

HIT = np.dtype([("first", "<u4"), ("second", "<u4"), ("first_position", "<u4"), ("second_position", "<u4")])
"""Two recordings that have a key in common, and the position in each."""

_LEAST_RECORDINGS_PER_BLOCK, _MOST_BLOCKS = 1_000, 100
_POSTINGS_PER_PARTITION = 16_000_000  # some 800 MB of memory while they are compared
_NEIGHBOURS = 5
_MOST_OTHER_BITS = 5
_NEARBY = range(-16, 17, 2)

# A key is half of the bits of a value and of the one after the next: half of the bits, as a copy seldom has all 32
# right; of two values, as those of neighbours are too much alike, and sixteen bits alone are too common.
_MASKS = tuple(np.uint32(mask) for mask in (0x0000FFFF, 0xFFFF0000, 0x00FFFF00, 0xFF0000FF))
_APART = 2

Postings = NDArray[np.void]
Hits = NDArray[np.void]
"""Structured arrays, of the types `POSTING` and `HIT`."""


@dataclass(frozen=True)
class Partitioning:
    """How an index is divided, so that each part of it fits in memory however large the corpus.

    Attributes
    ----------
    recordings_per_block : int
        Grows with the corpus, so that there are never more blocks than can be compared each with each.
    partitions : int
        Into how many parts the postings are divided; those of a key are all in one. No key is left out.
    """

    recordings_per_block: int
    partitions: int

    @classmethod
    def of(cls, recordings: int, values: int) -> "Partitioning":
        """The partitioning for so many recordings, whose fingerprints have so many values in all.

        >>> Partitioning.of(10_000, 10_000 * 250)  # of half a minute each
        Partitioning(recordings_per_block=1000, partitions=1)
        >>> Partitioning.of(1_000_000, 1_000_000 * 250)
        Partitioning(recordings_per_block=10000, partitions=63)
        """
        partitions = math.ceil(values * len(_MASKS) / _POSTINGS_PER_PARTITION) or 1
        return cls(max(_LEAST_RECORDINGS_PER_BLOCK, math.ceil(recordings / _MOST_BLOCKS)), partitions)


@dataclass(frozen=True)
class FingerprintBlock:
    """The fingerprints of some recordings, concatenated.

    Attributes
    ----------
    values : array, shape (values,)
    ends : array, shape (recordings,)
        The index after the last value of each.
    """

    values: Values
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, fingerprints: Sequence[bytes]) -> "FingerprintBlock":
        """The block of some recordings."""
        lengths = [len(one) // 4 for one in fingerprints]
        return cls(fingerprint.values(b"".join(fingerprints)), np.cumsum(lengths, dtype=np.int64))

    @functools.cached_property
    def begins(self) -> NDArray[np.int64]:
        """The index of the first value of each recording, shape (recordings,)."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)

    def recording(self, number: int) -> Values:
        """The values of a recording."""
        return self.values[self.begins[number] : self.ends[number]]

    def save(self, url: str) -> None:
        """Writes the block to a file."""
        sink = io.BytesIO()
        np.savez(sink, values=self.values, ends=self.ends)
        storage.write_bytes(url, sink.getvalue())

    @classmethod
    def load(cls, url: str) -> "FingerprintBlock":
        """Reads a block from a file."""
        with np.load(io.BytesIO(storage.read_bytes(url))) as arrays:
            return cls(arrays["values"], arrays["ends"])


def postings_of(block: FingerprintBlock, first_number: int, partition: int, partitions: int) -> Postings:
    """A block's postings in one of the partitions, in the order of its recordings and their positions.

    Parameters
    ----------
    block : FingerprintBlock
    first_number : int
        The number of its first recording; the others follow.
    partition, partitions : int
        Which of how many.
    """
    keys, places = np.empty((2, len(block.values)), np.uint32)
    parts = []
    for mask in _MASKS:
        count = _keys_of_partition(block.values, block.ends, mask, partition, partitions, keys, places)
        at = places[:count].astype(np.int64)
        recordings = np.searchsorted(block.ends, at, side="right")
        postings = np.empty(count, POSTING)
        postings["key"] = keys[:count]
        postings["recording"] = recordings + first_number
        postings["position"] = at - block.begins[recordings]
        postings["value"] = block.values[at]
        parts.append(postings)
    return np.concatenate(parts)


def find_hits(postings: Postings) -> Hits:
    """The hits between recordings that have a key in common.

    A recording is matched with the next few that have the key, in the order of their numbers, and not with all of them:
    so the cost of a key grows no faster than its postings, however common it is, and a chain of copies is still linked
    one to the next.

    Parameters
    ----------
    postings : array of POSTING
        All of some keys; those of a recording in the order of their positions. A recording has a key once, where it
        first has it.
    """
    # A place among the postings is the lower half of what is sorted, which keeps equal keys in their order.
    ordered = np.sort((postings["key"].astype(np.uint64) << np.uint64(32)) | np.arange(len(postings), dtype=np.uint64))
    postings = postings[ordered & np.uint64(0xFFFFFFFF)]
    is_again = postings["key"][1:] == postings["key"][:-1]
    is_again &= postings["recording"][1:] == postings["recording"][:-1]
    postings = postings[np.concatenate([[True], ~is_again])] if len(postings) else postings
    hits = []
    for distance in range(1, _NEIGHBOURS + 1):
        first, second = postings[:-distance], postings[distance:]
        alike = first["key"] == second["key"]
        # Half of the bits are the key's; where too many of the others differ, it is by chance.
        alike &= np.bitwise_count(first["value"] ^ second["value"]) <= _MOST_OTHER_BITS
        found = np.zeros(np.count_nonzero(alike), HIT)
        for side, own in (("first", first), ("second", second)):
            found[side], found[f"{side}_position"] = own["recording"][alike], own["position"][alike]
        hits.append(found)
    return np.concatenate(hits)


def nearby_error_rates(first: FingerprintBlock, second: FingerprintBlock, hits: Hits) -> NDArray[np.float64]:
    """The share of the bits around each hit that differ, shape (hits,); recordings are numbered within their blocks."""
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


@compiled
def _keys_of_partition(
    values: Any, ends: Any, mask: Any, partition: Any, partitions: Any, keys: Any, places: Any
) -> int:
    """Writes the keys that fall into a partition, with their places among the values, and returns how many.

    A key is a hash of 32 bits, of half of the bits of two values each.
    """
    count, begin = 0, 0
    for end in ends:
        for place in range(begin, end - _APART):
            half, later = np.uint64(values[place] & mask), np.uint64(values[place + _APART] & mask)
            # Other halves are other keys. The multiplications are those of splitmix64 (G. Steele et al., "Fast
            # splittable pseudorandom number generators", 2014), whose last bits are as good as its first.
            mixed = (half << np.uint64(32)) ^ later ^ (np.uint64(mask) << np.uint64(16))
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed = mixed ^ (mixed >> np.uint64(31))
            # By multiplication, as a remainder takes many times as long.
            if ((mixed & np.uint64(0xFFFFFFFF)) * np.uint64(partitions)) >> np.uint64(32) == np.uint64(partition):
                keys[count] = mixed >> np.uint64(32)
                places[count] = place
                count += 1
        begin = end
    return count
