"""Near copies: songs whose fingerprints share a stretch, found through an inverted index in Beam.

Two songs are compared only where they agree in some values, so the cost grows with the number of songs and not with
the number of pairs. Songs travel through Beam as numbers; their fingerprints lie in files, a block of songs each.
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
from pipelines.copies.index import HIT, POSTING, Block, Rows, Scale, index_values, meet_songs, nearby_error_rates
from pipelines.dataset.ledger import Copy

_FOUND = "found-"
_NEARBY_ERROR_RATE = 0.27  # around some hit of each of 3,354 copies in real music it was 0.238 at most


def find_copies(fingerprints: Mapping[str, bytes], folder: str, new_pipeline: NewPipeline) -> list[Copy]:
    """Finds pairs of songs that share a stretch of one recording.

    Of a row of many copies, each with the next few: enough to link them all.

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
    starts = range(0, len(names), scale.songs_per_block)
    for number, start in enumerate(starts):
        own = [fingerprints[name] for name in names[start : start + scale.songs_per_block]]
        Block.of(own).save(_block_url(folder, number))
    with Progress("Compare fingerprints", len(names), lambda: 0), new_pipeline(0) as pipeline:
        (
            pipeline
            | "List blocks" >> beam.Create(range(len(starts)), reshuffle=False)
            | "Spread blocks" >> beam.Reshuffle()
            | "Index values" >> beam.FlatMap(_postings, folder, scale)  # (shelf, postings)
            | "Gather shelves" >> beam.GroupByKey()
            | "Meet songs" >> beam.FlatMap(_hits, scale.songs_per_block)  # (block of the first song, hits)
            | "Gather blocks" >> beam.GroupByKey()
            | "Align pairs" >> beam.Map(_write_found, folder, scale.songs_per_block)
        )
    urls = [storage.join(folder, name) for name in storage.names(folder) if name.startswith(_FOUND)]
    found = [row for url in urls for row in json.loads(storage.read_bytes(url))]
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


def _postings(number: int, folder: str, scale: Scale) -> Iterator[tuple[int, bytes]]:
    """Of a block's number: its postings, packed, for each shelf."""
    block = Block.load(_block_url(folder, number))
    for shelf, postings in enumerate(index_values(block, number * scale.songs_per_block, scale)):
        if len(postings):
            yield shelf, postings.tobytes()


def _hits(shelf: tuple[int, Iterable[bytes]], songs_per_block: int) -> Iterator[tuple[int, bytes]]:
    """Of a shelf's postings: the hits of songs that meet on it, packed, for each block of first songs."""
    hits = meet_songs(np.concatenate([np.frombuffer(part, POSTING) for part in shelf[1]]))
    for number, own in _by_block(hits, "first", songs_per_block):
        yield number, own.tobytes()


def _write_found(block: tuple[int, Iterable[bytes]], folder: str, songs_per_block: int) -> None:
    """Of a block's hits: writes the pairs of songs that are copies to a file."""
    number, parts = block
    hits = np.concatenate([np.frombuffer(part, HIT) for part in parts])
    firsts = Block.load(_block_url(folder, number))
    rows = []
    for other, there in _by_block(hits, "second", songs_per_block):
        there["first"] -= number * songs_per_block
        there["second"] -= other * songs_per_block
        for first, second, alignment in _aligned(firsts, Block.load(_block_url(folder, other)), there):
            songs = first + number * songs_per_block, second + other * songs_per_block
            rows.append((*songs, asdict(alignment)))
    storage.write_bytes(storage.join(folder, f"{_FOUND}{number:06d}.json"), json.dumps(rows).encode())


def _by_block(hits: Rows, side: str, songs_per_block: int) -> Iterator[tuple[int, Rows]]:
    """The hits whose first, or second, songs are in each block."""
    numbers = hits[side] // songs_per_block
    for number in np.unique(numbers):
        yield int(number), hits[numbers == number]


def _aligned(firsts: Block, seconds: Block, hits: Rows) -> Iterator[tuple[int, int, Alignment]]:
    """The pairs of songs that are copies; they are numbered within their blocks."""
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
        alignment = align(firsts.song(first), seconds.song(second), ours[own], theirs[own], tried)
        if alignment is not None:
            yield first, second, alignment


def _block_url(folder: str, number: int) -> str:
    return storage.join(folder, f"block-{number:06d}.npz")
