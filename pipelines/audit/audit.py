"""The audit: whether a split leaks, of a dataset of ours or of other people's files.

Every file becomes a row of a ledger with its split as its fold; `pipelines.audit.leaks` finds what crosses.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pipelines.audio.schema import AudioConfig
from pipelines.audit.external_splits import Foreign, with_index
from pipelines.audit.leaks import KINDS, find_crossings
from pipelines.audit.result import Audit
from pipelines.build.plan import compare
from pipelines.build.read_songs import read
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import BuildConfig
from pipelines.copies.fingerprint import LEAST_S
from pipelines.corpus.artists import normalised
from pipelines.corpus.song_names import with_song_names
from pipelines.dataset import ledger, records, tfrecord
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import REJECTED, Copy, File

WORK_NAME = "_audit"
"""The folder of an audit that is not finished, in its output."""

READ_WITH = BuildConfig(audio=AudioConfig(min_duration_s=0.01))
"""How other people's files are read: a segment may be short."""


def of_dataset(
    dataset: Dataset, splits: Mapping[str, Sequence[str]] | None = None, copies: Sequence[Copy] | None = None
) -> Audit:
    """Audits a dataset of ours, by its ledger and its shards; audio is not read.

    Parameters
    ----------
    dataset : Dataset
    splits : dict
        The folds of each split, as `Dataset.splits` gives them; folds in none are left out. Default: folds are
        compared with each other, as cross-validation makes each a split of its own.
    copies : sequence of Copy
        By content hash. Default: what its build found.

    Returns
    -------
    Audit
        Artists may not cross where the dataset's `folds.group_by` is artist.

    Raises
    ------
    SpectroshardError
        The ledger is damaged, or of a version that had no fingerprints.
    """
    written = ledger.written(dataset.ledger())
    long = [song for song in written if song.duration_s > LEAST_S + 0.1]
    if long and not any(song.fingerprint for song in long):
        raise SpectroshardError(f"{dataset.url}: its ledger has no fingerprints; build the dataset again")
    split_of = {fold: name for name, folds in (splits or dataset.splits()).items() for fold in folds}
    songs = written if splits is None else [replace(s, fold=split_of.get(s.fold, "")) for s in written]
    by_fold = splits is None and any(fold != split for fold, split in split_of.items())
    return _audit(
        dataset.url,
        songs,
        dataset.copies() if copies is None else copies,
        forbidden=tuple(kind for kind in KINDS if kind != "artist" or dataset.config.folds.group_by == "artist"),
        faults=tuple(shard_faults(dataset, written)),
        split_of=split_of if by_fold else None,
    )


def of_foreign(foreign: Foreign, source: str, folder: str, new_pipeline: NewPipeline) -> Audit:
    """Audits other people's split: reads every file, unless there are only names.

    Parameters
    ----------
    foreign : Foreign
        As `pipelines.audit.external_splits.load` gives it.
    source : str
        What it is called.
    folder : str
        Where the audit keeps its orders and receipts; an audit that was stopped goes on from there.
    new_pipeline : callable
        Gives an empty pipeline; it is asked for two.

    Raises
    ------
    UsageError
        No file of a split could be read.
    """
    songs = [entry.file for entry in foreign.entries]
    copies: list[Copy] = []
    if foreign.has_audio:
        read_songs = read(foreign.entries, READ_WITH, folder, new_pipeline)
        # What cannot be read still has a name.
        songs = [replace(song, fold=entry.file.fold) for song, entry in zip(read_songs, foreign.entries, strict=True)]
        _refuse_unread_splits(songs, source)
        copies = compare(songs, storage.join(folder, "copies"), new_pipeline)
    songs = with_index(with_song_names(songs), foreign.index)
    return _audit(source, songs, copies, forbidden=KINDS, without_split=foreign.without_split)


def _refuse_unread_splits(songs: Sequence[File], source: str) -> None:
    """Refuses a split of which nothing could be read: its verdict would be of names alone."""
    read_splits = {song.fold for song in songs if song.status != REJECTED}
    for song in songs:
        if song.fold not in read_splits:
            raise UsageError(
                f"{source}: no file of {song.fold} could be read ({song.path}: {song.error});"
                " --audio says where listed files lie"
            )


def shard_faults(dataset: Dataset, songs: Sequence[File]) -> list[str]:
    """Where a dataset's shards do not hold the songs that its ledger puts there, in a line each."""
    row_of = {song.path: song for song in songs}
    held: dict[str, str] = {}
    faults = []
    for shard in dataset.shards:
        url = storage.join(dataset.url, shard.name)
        try:
            with storage.local_copy(url) as path, path.open("rb") as file:
                for record in map(records.decode, tfrecord.read_records(file)):
                    row = row_of.get(record.id)
                    found = f"{shard.name} ({shard.fold}) holds {record.id}"
                    if row is None:
                        faults.append(f"{found}, which the ledger has in no shard")
                    elif (row.shard, row.fold) != (shard.name, shard.fold):
                        faults.append(f"{found}, which the ledger has in {row.shard} ({row.fold})")
                    elif row.group != record.group:
                        faults.append(f"{found} with group {record.group!r}, the ledger with {row.group!r}")
                    if record.id in held:
                        faults.append(f"{found}, and so does {held[record.id]}")
                    held[record.id] = shard.name
        except (OSError, SpectroshardError) as error:
            faults.append(f"{shard.name} cannot be read ({error})")
    missing = [song for song in songs if song.path not in held]
    return faults + [f"{song.shard} does not hold {song.path}, which the ledger has there" for song in missing]


def _audit(source: str, songs: Sequence[File], copies: Sequence[Copy], **also: Any) -> Audit:
    compared = {
        "fingerprint": sum(bool(song.fingerprint) for song in songs),
        "hash": sum(bool(song.content_hash) for song in songs),
        "song": sum(bool(song.song) for song in songs),
        "artist": sum(bool(normalised(song.artist)) for song in songs),
    }
    return Audit(
        source,
        dict(sorted(Counter(song.fold for song in songs if song.fold).items())),
        compared,
        tuple(song for song in songs if song.status == REJECTED),
        crossings=find_crossings(songs, copies, also["forbidden"]),
        **also,
    )
