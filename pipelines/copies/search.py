"""Near copies: recordings whose fingerprints share a stretch, found through an inverted index in Beam.

Two recordings are compared only where some of their values agree, so that the cost grows with the number of recordings
and not with the number of pairs. Only their numbers travel through Beam; their fingerprints lie in files, in blocks.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import apache_beam as beam
import numpy as np
import xxhash

from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.output.progress import Progress
from pipelines.copies.alignment import TEMPOS, Alignment, align, promising
from pipelines.copies.fingerprint import SPAN_S, VALUE_S
from pipelines.copies.index import (
    HIT,
    POSTING,
    FingerprintBlock,
    Hits,
    Partitioning,
    find_hits,
    nearby_error_rates,
    postings_of,
)
from pipelines.dataset.ledger import Copy

_HITS, _FOUND = "hits-", "found-"  # the files that finished steps leave
_NEARBY_ERROR_RATE = 0.27  # around some hit of each of 3,354 copies in real music it was 0.238 at most


@dataclass(frozen=True, order=True)
class _Stretch:
    """Where in a partition's file the hits of a block lie: they are not shuffled, as there may be very many."""

    partition: int
    begin: int
    end: int


def find_copies(fingerprints: Mapping[str, bytes], folder: str, new_pipeline: NewPipeline) -> list[Copy]:
    """Finds pairs of recordings that share a stretch of audio.

    Of many copies of one recording, each is paired with the next few: enough to link them all.

    Parameters
    ----------
    fingerprints : dict
        By the recordings' names, which are their content hashes in a build.
    folder : str
        Where workers find the fingerprints and leave what they find, in a folder of its own for each set of
        fingerprints; it is removed afterwards.
    new_pipeline : callable
        Gives an empty pipeline.

    Returns
    -------
    list of Copy
        Sorted by first and second, each pair once.
    """
    names = sorted(fingerprints)
    own_folder = storage.join(folder, _digest(fingerprints, names))
    partitioning = Partitioning.of(len(names), sum(map(len, fingerprints.values())) // 4)
    starts = range(0, len(names), partitioning.recordings_per_block)
    for number, start in enumerate(starts):
        own = [fingerprints[name] for name in names[start : start + partitioning.recordings_per_block]]
        FingerprintBlock.of(own).save(_block_url(own_folder, number))
    steps = partitioning.partitions + len(starts)

    def compared() -> int:
        return len(names) * sum(name.startswith((_HITS, _FOUND)) for name in storage.names(own_folder)) // steps

    with Progress("Compare fingerprints", len(names), compared), new_pipeline(0) as pipeline:
        _ = (
            pipeline
            | "List partitions" >> beam.Create(range(partitioning.partitions), reshuffle=False)
            | "Spread partitions" >> beam.Reshuffle()
            | "Find hits" >> beam.FlatMap(_write_hits, own_folder, len(starts), partitioning)  # (block, stretch)
            | "Gather blocks" >> beam.GroupByKey()
            | "Align pairs" >> beam.Map(_write_found, own_folder, partitioning.recordings_per_block)
        )
    files = [storage.read_bytes(_found_url(own_folder, block)) for block in range(len(starts))]
    storage.remove(folder)
    found = [row for file in files for row in json.loads(file)]
    copies = [_copy(names[first], names[second], Alignment(**alignment)) for first, second, alignment in found]
    return sorted(copies, key=lambda copy: (copy.first, copy.second))


def _digest(fingerprints: Mapping[str, bytes], names: Sequence[str]) -> str:
    content = xxhash.xxh3_128()
    for name in names:
        content.update(f"{name} {len(fingerprints[name])} ".encode())
        content.update(fingerprints[name])
    return content.hexdigest()


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


def _write_hits(partition: int, folder: str, blocks: int, partitioning: Partitioning) -> Iterator[tuple[int, _Stretch]]:
    """Writes the hits of a partition to a file; gives where those of each block of first recordings lie in it."""
    postings = [
        postings_of(
            FingerprintBlock.load(_block_url(folder, number)),
            number * partitioning.recordings_per_block,
            partition,
            partitioning.partitions,
        )
        for number in range(blocks)
    ]
    hits = find_hits(np.concatenate([np.empty(0, POSTING), *postings]))
    hits = hits[np.argsort(hits["first"], kind="stable")]
    storage.write_bytes(_hits_url(folder, partition), hits.tobytes())
    firsts_of_blocks = np.arange(blocks + 1) * partitioning.recordings_per_block
    ends = np.searchsorted(hits["first"], firsts_of_blocks)
    for block in range(blocks):
        yield block, _Stretch(partition, int(ends[block]), int(ends[block + 1]))


def _write_found(block: tuple[int, Iterable[_Stretch]], folder: str, recordings_per_block: int) -> None:
    """Of a block: writes the pairs of recordings that are copies, and whose first is in the block, to a file."""
    number, stretches = block
    hits = np.concatenate([_read_hits(folder, stretch) for stretch in sorted(stretches)])
    firsts = FingerprintBlock.load(_block_url(folder, number))
    found = []
    for other, there in _by_block(hits, "second", recordings_per_block):
        there["first"] -= number * recordings_per_block
        there["second"] -= other * recordings_per_block
        for first, second, alignment in _aligned(firsts, FingerprintBlock.load(_block_url(folder, other)), there):
            numbers = first + number * recordings_per_block, second + other * recordings_per_block
            found.append((*numbers, asdict(alignment)))
    storage.write_bytes(_found_url(folder, number), json.dumps(found).encode())


def _read_hits(folder: str, stretch: _Stretch) -> Hits:
    if stretch.begin == stretch.end:
        return np.empty(0, HIT)
    begin, end = stretch.begin * HIT.itemsize, stretch.end * HIT.itemsize
    return np.frombuffer(storage.read_bytes(_hits_url(folder, stretch.partition), begin, end), HIT)


def _by_block(hits: Hits, side: str, recordings_per_block: int) -> Iterator[tuple[int, Hits]]:
    """The hits whose first, or second, recordings are in each block."""
    numbers = hits[side] // recordings_per_block
    for number in np.unique(numbers):
        yield int(number), hits[numbers == number]


def _aligned(firsts: FingerprintBlock, seconds: FingerprintBlock, hits: Hits) -> Iterator[tuple[int, int, Alignment]]:
    """The pairs of recordings that are copies; they are numbered within their blocks."""
    pairs = hits["first"].astype(np.uint64) << np.uint64(32) | hits["second"]
    near = nearby_error_rates(firsts, seconds, hits) <= _NEARBY_ERROR_RATE
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
        alignment = align(firsts.recording(first), seconds.recording(second), ours[own], theirs[own], tried)
        if alignment is not None:
            yield first, second, alignment


def _block_url(folder: str, number: int) -> str:
    return storage.join(folder, f"block-{number:06d}.npz")


def _hits_url(folder: str, partition: int) -> str:
    return storage.join(folder, f"{_HITS}{partition:06d}.bin")


def _found_url(folder: str, block: int) -> str:
    return storage.join(folder, f"{_FOUND}{block:06d}.json")
