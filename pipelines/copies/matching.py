"""The pairs of recordings that share a stretch, of the hits between recordings."""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pipelines.copies.alignment import TEMPOS, Alignment, promising, stretches
from pipelines.copies.index import FingerprintBlock, Hits, Recordings, nearby_error_rates
from pipelines.copies.layout import Roster, block_url

FOUND = np.dtype(
    {
        "names": ("first", "second", "first_value", "second_value", "values", "tempo", "error_rate", "may_be_ident"),
        "formats": ("<u4", "<u4", "<u4", "<u4", "<u4", "<f8", "<f8", "?"),
    }
)
"""Two recordings that share a stretch, by rank; where it begins in each, and its length, in values; and whether it lies
as idents do."""

Found = NDArray[np.void]
"""A structured array of the type `FOUND`."""

_NEARBY_ERROR_RATE = 0.27  # around some hit of each of 3,354 copies in real music it was 0.238 at most


def find_stretches(folder: str, roster: Roster, number: int, hits: Hits) -> Iterator[Found]:
    """The pairs of recordings that are copies; those of a block with each other block in turn.

    Parameters
    ----------
    folder : str
        Where the blocks are.
    roster : Roster
    number : int
        The block's.
    hits : array of HIT
        Each of a recording of this block with one of the same or a later block.
    """
    if not len(hits):
        return
    size, places = roster.layout.recordings_per_block, roster.places()
    sides = {side: np.divmod(places[hits[side]], size) for side in ("first", "second")}
    others = np.maximum(sides["first"][0], sides["second"][0])
    own = FingerprintBlock.load(block_url(folder, number))
    for other in map(int, np.unique(others)):
        here = others == other
        block, ranks = own, roster.ranks(number)
        if other != number:
            block = own.followed_by(FingerprintBlock.load(block_url(folder, other)))
            ranks = np.concatenate([ranks, roster.ranks(other)])
        there = hits[here]
        for side, (blocks, indices) in sides.items():
            there[side] = indices[here] + np.where(blocks[here] == number, 0, len(own.ends))
        yield _called(_aligned(block, there), ranks)


def _aligned(block: FingerprintBlock, hits: Hits) -> Iterator[tuple[int, int, Alignment, bool]]:
    """The pairs of recordings that are copies, and whether this may be an ident; they are numbered within the block."""
    pairs = hits["first"].astype(np.uint64) << np.uint64(32) | hits["second"]
    near = nearby_error_rates(block, hits) <= _NEARBY_ERROR_RATE
    likely = np.isin(pairs, pairs[near])
    order = np.argsort(pairs[likely], kind="stable")
    hits, pairs = hits[likely][order], pairs[likely][order]
    begins, number_of_hit = np.unique(pairs, return_index=True, return_inverse=True)[1:]
    ours, theirs = (hits[f"{side}_position"].astype(np.int64) for side in ("first", "second"))
    tempos = promising(number_of_hit, ours, theirs)
    for number in np.flatnonzero(tempos.any(axis=1)):
        first, second = (int(hits[side][begins[number]]) for side in ("first", "second"))
        own = slice(begins[number], begins[number + 1] if number + 1 < len(begins) else None)
        tried = [tempo for tempo, is_promising in zip(TEMPOS, tempos[number], strict=True) if is_promising]
        values = block.recording(first), block.recording(second)
        for stretch, may_be_ident in stretches(*values, ours[own], theirs[own], tried):
            yield first, second, stretch, may_be_ident


def _called(found: Iterable[tuple[int, int, Alignment, bool]], ranks: Recordings) -> Found:
    """What was found, of recordings that are called by their ranks."""
    rows = [
        (ranks[first], ranks[second], one.first, one.second, one.length, one.tempo, one.error_rate, is_ident)
        for first, second, one, is_ident in found
    ]
    return np.array(rows, FOUND)
