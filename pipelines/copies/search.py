"""Near copies: recordings whose fingerprints share a stretch, found through an inverted index in Beam.

Two recordings are compared only where some of their values agree, so that the cost grows with the number of recordings
and not with the number of pairs. Only their numbers travel through Beam; their fingerprints lie in files, in blocks.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

import apache_beam as beam
import numpy as np

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

_INDEXED, _MATCHED, _FOUND = "indexed-", "matched-", "found-"  # the files that finished steps leave
_NEARBY_ERROR_RATE = 0.27  # around some hit of each of 3,354 copies in real music it was 0.238 at most


def find_copies(fingerprints: Mapping[str, bytes], folder: str, new_pipeline: NewPipeline) -> list[Copy]:
    """Finds pairs of recordings that share a stretch of audio.

    Of many copies of one recording, each is paired with the next few: enough to link them all.

    Parameters
    ----------
    fingerprints : dict
        By the recordings' names, which are their content hashes in a build.
    folder : str
        Where workers find the fingerprints and leave what they find; it is removed before and after.
    new_pipeline : callable
        Gives an empty pipeline.

    Returns
    -------
    list of Copy
        Sorted by first and second, each pair once.
    """
    names = sorted(fingerprints)
    storage.remove(folder)
    partitioning = Partitioning.of(len(names), sum(map(len, fingerprints.values())) // 4)
    starts = range(0, len(names), partitioning.recordings_per_block)
    for number, start in enumerate(starts):
        own = [fingerprints[name] for name in names[start : start + partitioning.recordings_per_block]]
        FingerprintBlock.of(own).save(_block_url(folder, number))
    steps = 2 * len(starts) + partitioning.partitions

    def compared() -> int:
        return len(names) * _finished_steps(folder) // steps

    with Progress("Compare fingerprints", len(names), compared), new_pipeline(0) as pipeline:
        (
            pipeline
            | "List blocks" >> beam.Create(range(len(starts)), reshuffle=False)
            | "Spread blocks" >> beam.Reshuffle()
            | "Index values" >> beam.FlatMap(_postings, folder, partitioning)  # (partition, postings)
            | "Gather partitions" >> beam.GroupByKey()
            | "Find hits" >> beam.FlatMap(_hits, folder, partitioning.recordings_per_block)  # (first's block, hits)
            | "Gather blocks" >> beam.GroupByKey()
            | "Align pairs" >> beam.Map(_write_found, folder, partitioning.recordings_per_block)
        )
    urls = [storage.join(folder, name) for name in storage.names(folder) if name.startswith(_FOUND)]
    found = [row for url in urls for row in json.loads(storage.read_bytes(url))]
    storage.remove(folder)
    copies = [_copy(names[first], names[second], Alignment(**alignment)) for first, second, alignment in found]
    return sorted(copies, key=lambda copy: (copy.first, copy.second))


def _finished_steps(folder: str) -> int:
    return sum(name.startswith((_INDEXED, _MATCHED, _FOUND)) for name in storage.names(folder))


def _finish(folder: str, step: str, number: int, content: bytes = b"") -> None:
    storage.write_bytes(storage.join(folder, f"{step}{number:06d}.json"), content)


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


def _postings(number: int, folder: str, partitioning: Partitioning) -> Iterator[tuple[int, bytes]]:
    """Of a block's number: its postings, packed, for each partition."""
    block = FingerprintBlock.load(_block_url(folder, number))
    for partition, postings in enumerate(postings_of(block, number * partitioning.recordings_per_block, partitioning)):
        if len(postings):
            yield partition, postings.tobytes()
    _finish(folder, _INDEXED, number)


def _hits(
    partition: tuple[int, Iterable[bytes]], folder: str, recordings_per_block: int
) -> Iterator[tuple[int, bytes]]:
    """Of a partition's postings: its hits, packed, for each block of their first recordings."""
    number, parts = partition
    hits = find_hits(np.concatenate([np.frombuffer(part, POSTING) for part in parts]))
    for block, own in _by_block(hits, "first", recordings_per_block):
        yield block, own.tobytes()
    _finish(folder, _MATCHED, number)


def _write_found(block: tuple[int, Iterable[bytes]], folder: str, recordings_per_block: int) -> None:
    """Of a block's hits: writes the pairs of recordings that are copies to a file."""
    number, parts = block
    hits = np.concatenate([np.frombuffer(part, HIT) for part in parts])
    firsts = FingerprintBlock.load(_block_url(folder, number))
    found = []
    for other, there in _by_block(hits, "second", recordings_per_block):
        there["first"] -= number * recordings_per_block
        there["second"] -= other * recordings_per_block
        for first, second, alignment in _aligned(firsts, FingerprintBlock.load(_block_url(folder, other)), there):
            numbers = first + number * recordings_per_block, second + other * recordings_per_block
            found.append((*numbers, asdict(alignment)))
    _finish(folder, _FOUND, number, json.dumps(found).encode())


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
