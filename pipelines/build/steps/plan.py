"""The plan: what becomes of every file, and which records each new shard is to hold."""

import contextlib
import functools
import gc
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from pipelines.build import refusals
from pipelines.build.runs import staging
from pipelines.build.runs.run import COPIES, HISTORY, RECORDS, REJECTED_NAME, SONGS, Outcome, Run
from pipelines.common import parquet, storage
from pipelines.common.errors import SpectroshardError
from pipelines.copies.search import COPIES_NAME, SEARCH_VERSION
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import REJECTED, Copy, File, written
from pipelines.dataset.readings import Reading, StagedReading, with_reading
from pipelines.split import history
from pipelines.split.assign import assign
from pipelines.split.shards import allot


@dataclass(frozen=True, slots=True)
class RecordToWrite:
    """A record of a new shard, and where its bytes are.

    Attributes
    ----------
    shard : str
        What the plan calls the shard.
    fold, genre, content_hash : str
    url : str
        The file that holds the record, of this genre or another; empty where none does.
    offset, length : int
        Where in it.
    uri : str
        The song's file below the corpus's root, from which the record is made where no file holds it.
    """

    shard: str
    fold: str
    genre: str
    content_hash: str
    url: str
    offset: int
    length: int
    uri: str


def make_plan(url: str) -> str:
    """Plans a run: writes its tables, or the outcome where the plan is refused.

    Parameters
    ----------
    url : str
        The run's.

    Returns
    -------
    str
        The same.
    """
    with _without_collector():
        _make(Run(url))
    return url


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keeps Python's cyclic collector from going through millions of rows, none of which is in a cycle, time and again.

    It made a song cost 1.5 times as much in a corpus of a million as in one of 10,000; without it, 1.2 times.
    """
    is_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_enabled:
            gc.enable()


def _make(run: Run) -> None:
    request, parent = run.request, run.parent
    ledger = parent.ledger() if parent else []
    try:
        files, earlier, copies = _assigned(run, parent, ledger)
    except SpectroshardError as error:
        run.end(Outcome(status="refused", version=request.version - 1, message=str(error), exit_code=error.exit_code))
        return
    parquet.write(run.plan(SONGS), File, files)
    now = request.config.folds
    forgotten = history.forgotten(earlier, files, parent.config.folds if parent else now, now)
    parquet.write(run.plan(HISTORY), File, forgotten)
    parquet.write(run.plan(COPIES), Copy, copies)
    shards = _records_to_write(run, parent, ledger, files)
    storage.write_bytes(run.plan(RECORDS), parquet.encode_groups(RecordToWrite, shards))


def digest_of(run: Run) -> str:
    """A digest of which records are to be in which shard, and of how they are made."""
    url = run.plan(SONGS)
    return _digest(url, storage.version(url), run.request.reading)


@functools.lru_cache(maxsize=16)
def _digest(url: str, _version: str, reading: str) -> str:
    # Every shard's name of its result asks for it.
    return hashlib.sha256(reading.encode() + storage.read_bytes(url)).hexdigest()


def planned_shards(run: Run) -> list[str]:
    """What the plan calls the shards that are to be written, sorted."""
    rows = parquet.table(storage.read_bytes(run.plan(RECORDS)), ["shard"])
    return sorted(set(rows.column("shard").to_pylist()))


def _assigned(run: Run, parent: Dataset | None, ledger: Sequence[File]) -> tuple[list[File], list[File], list[Copy]]:
    """The files with their groups, folds and shards; what earlier versions had in a fold; and all copies."""
    config = run.request.config
    files = sorted(_told(run), key=lambda file: (file.path, file.genre))
    earlier = [file for file in [*ledger, *parent.history()] if file.fold] if parent else []
    copies = _copies(run, parent)
    refusals.refuse_lost(files, earlier)
    files = assign(files, earlier, copies, config, parent.config.folds if parent else None)
    ledger_url = run.path(REJECTED_NAME)
    try:
        refusals.refuse_rejects(files, config, ledger_url)
        refusals.refuse_lone_genres(files, copies, config, ledger_url, is_first=parent is None)
        refusals.refuse_unbalanced(files, copies, config, ledger_url)
    except SpectroshardError:
        parquet.write(ledger_url, File, files)
        raise
    return _allotted(run, parent, ledger, files), earlier, copies


def _told(run: Run) -> Iterator[File]:
    """The listed files with what reading them told; both tables are sorted by URI."""
    readings = parquet.iterate(run.readings, Reading)
    reading = next(readings, None)
    for listed in parquet.iterate(run.listing, File):
        while reading is not None and reading.uri < listed.uri:
            reading = next(readings, None)
        if reading is not None and reading.uri == listed.uri and listed.status != REJECTED:
            yield with_reading(listed, reading, run.request.config.corpus.artist_tags)
        else:
            yield listed


def _copies(run: Run, parent: Dataset | None) -> list[Copy]:
    """The copies that earlier versions knew, where their search was the same, and those that are new.

    What is gone stays among them: it may come back, and is compared with nothing again that was there in between.
    """
    found = set(parquet.read(storage.join(run.search, COPIES_NAME), Copy))
    if parent and parent.search.version == SEARCH_VERSION:
        found.update(parent.copies())
    return sorted(found, key=attrgetter("first", "second", "first_s", "second_s"))


def _allotted(run: Run, parent: Dataset | None, ledger: Sequence[File], files: Sequence[File]) -> list[File]:
    """Files with their shards: those of the parent that stay, and new ones."""
    request = run.request
    kept = parent if parent and parent.url == request.output and parent.reading == request.reading else None
    before = written(ledger) if kept else []
    sizes = {shard.name: shard.bytes for shard in kept.shards} if kept else {}
    return allot(files, before, sizes, request.config)


def _records_to_write(
    run: Run, parent: Dataset | None, ledger: Sequence[File], files: Sequence[File]
) -> Iterator[list[RecordToWrite]]:
    """The records of each new shard, and of each that is broken, in their order."""
    broken, members = set(run.request.broken), defaultdict(list)
    for file in written(files):
        if not file.length or file.shard in broken:
            members[file.shard].append(file)
    sources = _sources(run, parent, ledger, (file.content_hash for some in members.values() for file in some))
    for shard in sorted(members):
        in_order = sorted(members[shard], key=lambda file: file.record)
        yield [_record(file, sources[file.content_hash]) for file in in_order]


Source = tuple[str, str, int, int]
"""The genre of a record that is there already, its file's URL, and where in it it lies."""


def _sources(
    run: Run, parent: Dataset | None, ledger: Sequence[File], contents: Iterable[str]
) -> dict[str, tuple[Source, ...]]:
    """Where records of some contents are, by content hash: in the parent's shards, and staged."""
    found: dict[str, tuple[Source, ...]] = dict.fromkeys(contents, ())
    if parent and parent.reading == run.request.reading:
        for file in written(ledger):
            if file.content_hash in found and file.shard not in run.request.broken:
                url = storage.join(parent.url, file.shard)
                found[file.content_hash] += ((file.genre, url, file.offset, file.length),)
    names = ["content_hash", "genre", "pack", "offset", "length"]
    tables = (parquet.rows_of(staging.read([url], names), StagedReading) for url in staging.tables(run.staging))
    for row in itertools.chain.from_iterable(tables):
        if row.content_hash in found and row.pack:
            found[row.content_hash] += ((row.genre, row.pack, row.offset, row.length),)
    return found


def _record(file: File, sources: Sequence[Source]) -> RecordToWrite:
    # Of the same genre if there is one: its bytes are copied as they are.
    _, url, offset, length = min(sources, key=lambda source: (source[0] != file.genre, source), default=("", "", 0, 0))
    return RecordToWrite(file.shard, file.fold, file.genre, file.content_hash, url, offset, length, file.uri)
