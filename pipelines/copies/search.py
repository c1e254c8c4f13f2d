"""Near copies: recordings whose fingerprints share a stretch, found through an inverted index in Beam.

Two recordings are compared only where some of their values agree, so that the cost grows with the number of recordings
and not with the number of pairs. Only their numbers travel through Beam; their fingerprints lie in files, in blocks.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from apache_beam.pvalue import PCollection

from pipelines.common import parquet, storage
from pipelines.common.beam import jobs
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.beam.workers import AfterAll
from pipelines.common.output.progress import Progress
from pipelines.copies import layout
from pipelines.copies.fingerprint import SPAN_S, VALUE_S
from pipelines.copies.index import (
    ANY_KEY,
    HIT,
    FingerprintBlock,
    Hits,
    KeyFilter,
    Postings,
    filter_of,
    find_hits,
    near_new,
    postings_of,
)
from pipelines.copies.layout import LAYOUT_NAME, Layout, Roster, block_url
from pipelines.copies.matching import FOUND, find_stretches
from pipelines.dataset.ledger import Copy
from pipelines.dataset.readings import Fingerprint

SEARCH_VERSION = 4
"""What another version of the search has found is not taken over: everything is compared anew."""

RECALL = (
    "Each recording of at least 4.6 s is compared with every other by its Chromaprint fingerprint, through an index "
    "from which no key is dropped. Measured: of 2,400 copies of real music that were re-encoded, resampled, made "
    "louder or softer, clipped, equalised, mixed with noise 20 dB below, padded with silence, or cut to 10 s, 2,400 "
    "were found; with the tempo changed by 2, 5 and 10 %, 200, 191 and 175 of 200; with the speed changed by 1, 2 and "
    "5 %, 132, 56 and 1 of 200; with the pitch changed by a semitone, 1 of 200. Of 10,000 crops of 10 s with 8 % of "
    "their bits wrong, among 1,000,000 made-up fingerprints of 30 s, 99.8 %; of 2,000 among 200,000 of four minutes, "
    "99.4 %."
)
"""What is compared, and what share of copies is found: see `docs/copies.md`."""

COPIES_NAME = "copies.parquet"

AtWork = Callable[[str], AbstractContextManager[None]]
"""What surrounds the work of a step, given the folder that it is about."""

_REQUEST = "request.json"
_HITS, _STRETCHES = "hits-", "found-"  # the files that finished steps leave


@dataclass(frozen=True)
class Comparison:
    """What is to be compared: the file `request.json` of a folder.

    Attributes
    ----------
    known, new : tuple of str
        URLs of tables (Parquet) with the columns content_hash (string) and fingerprint (binary). Known recordings have
        been compared with each other; what is among both is known. A recording may be in several rows.
    wanted : str, optional
        URL of a table with a column content_hash: only these recordings take part. Otherwise all do.
    """

    known: tuple[str, ...]
    new: tuple[str, ...]
    wanted: str | None = None

    def save(self, folder: str) -> None:
        """Asks for it."""
        storage.write_bytes(storage.join(folder, _REQUEST), json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls, folder: str) -> "Comparison":
        """What is asked for in a folder."""
        asked = json.loads(storage.read_bytes(storage.join(folder, _REQUEST)))
        return cls(tuple(asked["known"]), tuple(asked["new"]), asked["wanted"])


def _alone(_: str) -> AbstractContextManager[None]:
    return nullcontext()


class FindCopies(beam.PTransform[PCollection[str], PCollection[str]]):
    """Finds pairs of recordings, at least one of them new, that share a stretch of audio.

    Of many copies of one recording, each is paired with the next few by content hash: enough to link them all. A pair
    is found, and told, alike whether all are new or only one of the two.

    Takes URLs of folders, in which a `Comparison` is saved: PCollection[str]. Gives the same, once what was found is in
    the folder's file `copies.parquet`, which has rows of `Copy`, sorted: each pair once, but for those whose first
    stretch may be an ident.

    Besides that it leaves what workers tell each other, which `share_done` counts; removing the folder is the caller's.
    Every file has a name of its own and bytes that depend on the comparison alone, so it does not matter how often, or
    how late, a step is run. A file that is missing is an error.

    Parameters
    ----------
    at_work : callable
        Gives what surrounds each step, such as a lease that is renewed meanwhile; by default nothing.
    on_one_worker : callable
        Takes a step that holds something of all recordings, and gives it as it is to be run; by default itself.
    """

    def __init__(self, at_work: AtWork = _alone, on_one_worker: Callable[[Any], Any] = lambda step: step):
        super().__init__()
        self.at_work, self.on_one_worker = at_work, on_one_worker

    def expand(self, input_or_inputs: PCollection[str]) -> PCollection[str]:
        laid_out = input_or_inputs | "Lay out fingerprints" >> self.on_one_worker(beam.Map(_lay_out, self.at_work))
        aligned = (
            laid_out
            | "List partitions" >> beam.FlatMap(_partitions)
            | "Spread partitions" >> beam.Reshuffle()
            | "Find hits" >> beam.FlatMapTuple(_write_hits, self.at_work)
            | "Gather blocks" >> beam.GroupByKey()
            | "Align pairs" >> beam.MapTuple(_write_found, self.at_work)
        )
        compared = (laid_out, aligned) | "Await all" >> AfterAll()
        merged: PCollection[str] = compared | "Merge pairs" >> self.on_one_worker(beam.Map(_merge, self.at_work))
        return merged


def share_done(folder: str) -> float:
    """Which share of a comparison is done, by the files in its folder: from 0 to 1."""
    names = storage.names(folder)
    if COPIES_NAME in names:
        return 1.0
    if LAYOUT_NAME not in names:
        return 0.0
    whole = Layout.load(folder)
    steps = whole.partitions + whole.blocks + 1
    return sum(name.startswith((_HITS, _STRETCHES)) for name in names) / steps


def find_copies(fingerprints: Mapping[str, bytes], folder: str, new_pipeline: NewPipeline) -> list[Copy]:
    """Finds pairs of recordings that share a stretch of audio, all of them new.

    Parameters
    ----------
    fingerprints : dict
        By the recordings' names, which are their content hashes in a build.
    folder : str
        Where workers find the fingerprints and leave what they find, in a folder of its own for each set of
        fingerprints; that one is removed afterwards.
    new_pipeline : callable
        Gives an empty pipeline.

    Returns
    -------
    list of Copy
        As `FindCopies` gives them.
    """
    names = sorted(fingerprints)
    own_folder = storage.join(folder, _digest(fingerprints, names))
    table = storage.join(own_folder, "fingerprints.parquet")
    parquet.write(table, Fingerprint, (Fingerprint(name, fingerprints[name]) for name in names))
    return compare(Comparison((), (table,)), own_folder, len(names), new_pipeline)


def compare(asked: Comparison, folder: str, recordings: int, new_pipeline: NewPipeline) -> list[Copy]:
    """Finds what is asked for, as `FindCopies` gives it.

    Parameters
    ----------
    asked : Comparison
    folder : str
        Where workers leave what they find; it is removed afterwards. What an earlier attempt has left there is written
        again.
    recordings : int
        About how many take part, for the progress that is shown.
    new_pipeline : callable
        Gives an empty pipeline.
    """
    asked.save(folder)

    def compared() -> int:
        return int(recordings * share_done(folder))

    with Progress("Compare fingerprints", recordings, compared), jobs.running(new_pipeline(0), "compare") as pipeline:
        _ = pipeline | beam.Create([folder], reshuffle=False) | FindCopies()
    copies = parquet.read(storage.join(folder, COPIES_NAME), Copy)
    storage.remove(folder)
    return copies


def _digest(fingerprints: Mapping[str, bytes], names: Sequence[str]) -> str:
    content = xxhash.xxh3_128()
    for name in names:
        content.update(f"{name} {len(fingerprints[name])} ".encode())
        content.update(fingerprints[name])
    return content.hexdigest()


def _lay_out(folder: str, at_work: AtWork = _alone) -> str:
    asked = Comparison.load(folder)
    with at_work(folder):
        layout.lay_out(folder, asked.known, asked.new, asked.wanted)
    return folder


def _partitions(folder: str) -> Iterator[tuple[str, int]]:
    return ((folder, partition) for partition in range(Layout.load(folder).partitions))


@dataclass(frozen=True, order=True)
class _Span:
    """Where in a partition's file the hits of a block lie: they are not shuffled, as there may be very many."""

    partition: int
    begin: int
    end: int


def _write_hits(folder: str, partition: int, at_work: AtWork = _alone) -> Iterator[tuple[tuple[str, int], _Span]]:
    """Writes the hits of a partition to a file; gives where those of each block lie in it.

    The block of a hit is that of the recording whose place comes first: a known one, where one is known.
    """
    roster = Roster.load(folder)
    with at_work(folder):
        hits = find_hits(_postings(folder, roster, partition), roster.is_new)
    places = roster.places()
    blocks = np.minimum(places[hits["first"]], places[hits["second"]]) // roster.layout.recordings_per_block
    order = np.argsort(blocks, kind="stable")
    storage.write_bytes(_hits_url(folder, partition), hits[order].tobytes())
    ends = np.searchsorted(blocks[order], np.arange(roster.layout.blocks + 1))
    for block in range(roster.layout.blocks):
        yield (folder, block), _Span(partition, int(ends[block]), int(ends[block + 1]))


def _postings(folder: str, roster: Roster, partition: int) -> Postings:
    """The postings of a partition: those of new recordings, and known ones that are near them."""

    def of_block(number: int, wanted: KeyFilter) -> Postings:
        block = FingerprintBlock.load(block_url(folder, number))
        return postings_of(block, roster.ranks(number), partition, whole.partitions, wanted)

    whole = roster.layout
    new = np.concatenate([of_block(number, ANY_KEY) for number in range(whole.known_blocks, whole.blocks)])
    if not whole.known_blocks:
        return new
    wanted, parts, most = filter_of(new), [new], layout.POSTINGS_PER_PARTITION
    for number in range(whole.known_blocks):
        parts.append(of_block(number, wanted))
        if sum(map(len, parts)) > most:
            parts = [near_new(np.concatenate(parts), roster.is_new)]
            most = max(most, 2 * len(parts[0]))
    return np.concatenate(parts)


def _write_found(key: tuple[str, int], spans: Iterable[_Span], at_work: AtWork = _alone) -> str:
    """Of a block: writes the pairs of recordings that are copies to a file."""
    folder, number = key
    roster = Roster.load(folder)
    with at_work(folder):
        hits = np.concatenate([_read_hits(folder, span) for span in sorted(spans)])
        found = np.concatenate([np.empty(0, FOUND), *find_stretches(folder, roster, number, hits)])
    storage.write_bytes(_found_url(folder, number), found.tobytes())
    return folder


def _read_hits(folder: str, span: _Span) -> Hits:
    if span.begin == span.end:
        return np.empty(0, HIT)
    begin, end = span.begin * HIT.itemsize, span.end * HIT.itemsize
    return np.frombuffer(storage.read_bytes(_hits_url(folder, span.partition), begin, end), HIT, span.end - span.begin)


def _merge(folder: str, at_work: AtWork = _alone) -> str:
    """Writes the table of all pairs."""
    with at_work(folder):
        _write_table(folder)
    return folder


def _write_table(folder: str) -> None:
    urls = [_found_url(folder, block) for block in range(Layout.load(folder).blocks)]
    found = np.concatenate([np.empty(0, FOUND), *(np.frombuffer(storage.read_bytes(url), FOUND) for url in urls)])
    found = found[np.lexsort([found[name] for name in ("second_value", "first_value", "second", "first")])]
    hashes = layout.content_hashes(folder)
    columns = {
        "first": hashes.take(pa.array(found["first"])),
        "second": hashes.take(pa.array(found["second"])),
        "first_s": (found["first_value"] * VALUE_S).round(2),
        "second_s": (found["second_value"] * VALUE_S).round(2),
        "duration_s": ((found["values"] - 1.0) * VALUE_S + SPAN_S).round(2),
        "tempo": found["tempo"],
        "error_rate": found["error_rate"].round(4),
        "may_be_ident": found["may_be_ident"],
    }
    with storage.writing(storage.join(folder, COPIES_NAME)) as local:
        pq.write_table(pa.table(columns, parquet.schema(Copy)), local, compression="zstd")


def _hits_url(folder: str, partition: int) -> str:
    return storage.join(folder, f"{_HITS}{partition:06d}.bin")


def _found_url(folder: str, block: int) -> str:
    return storage.join(folder, f"{_STRETCHES}{block:06d}.bin")
