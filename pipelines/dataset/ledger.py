"""The ledger, a dataset's table `songs`: one row for every file that the build was shown, whatever became of it."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import xxhash

from pipelines.common.columns import IS_STORED
from pipelines.common.reasons import Reason

WRITTEN, DUPLICATE, REJECTED = "written", "duplicate", "rejected"

_IS_METADATA = "is metadata"
"""Marks the fields of `File` that a corpus may give of a file and that may be evidence."""


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A row of the ledger.

    Attributes
    ----------
    path : str
        The path below the corpus's root.
    uri : str
        Where it lies, relative to the corpus's root: `blues/a.wav`, or `zip://blues/a.wav::` where the root is an
        archive. A file that lies elsewhere has its whole URL.
    genre : str
        The genre that the corpus gives the file; empty where it gives none.
    song : str
        The song's name, where the corpus says it; several files may be of one song. Otherwise empty.
    artist : str
        The artist, where the corpus, an index of artists or the tags say it. Otherwise empty.
    group : str
        Files of one group are in one fold.
    fold : str
        The fold's name. Until folds are assigned: the corpus's own, or empty.
    shard : str
        The shard that holds its record, by its path in the dataset; empty unless the file is written. Until the shard
        is, what the plan calls it.
    offset : int
        Where in the shard its record begins, in bytes: at the length that TFRecord writes before the content.
    length : int
        How many bytes the record has, TFRecord's framing included: 16 more than its content.
    record : str
        The record's id: XXH3 (128 bits) of content hash, a zero byte, and genre. Files with the same samples and genre
        share one record, which the written one of them has.
    status : 'written', 'duplicate' or 'rejected'
        What became of it: `written`, `duplicate` or `rejected`.
    reason : str
        Of a rejected file, why; of a written one empty, or `truncated` where the file ends early.
    error : str
        What was found and what was expected.
    duration_s : float
        How much of it is used, in seconds.
    sample_rate_hz : int
        The file's sample rate in hertz, before resampling.
    channels : int
        How many channels the file has, before they are mixed to mono.
    unread_s : float
        How many seconds of the file were not read: what lies beyond `audio.max_duration_s`, and what is damaged, as far
        as the file tells how long it is.
    tags_unread : bool
        Whether nothing here can read the tags of a file of its kind, so that they may name an artist.
    content_hash : str
        XXH3 (128 bits) of the file's sample rate and its decoded samples, mixed to mono and not resampled.
    copy_of : str
        The path of the best file of the recording, where this is another.
    fingerprint : bytes
        As `pipelines.copies.fingerprint.of_samples` returns it, of files that an audit has read; a dataset has it in a
        table of its own.
    """

    path: str
    uri: str
    genre: str = ""
    song: str = dataclasses.field(default="", metadata={_IS_METADATA: True})
    artist: str = dataclasses.field(default="", metadata={_IS_METADATA: True})
    group: str = ""
    fold: str = ""
    shard: str = ""
    offset: int = 0
    length: int = 0
    record: str = ""
    status: str = WRITTEN
    reason: str = ""
    error: str = ""
    duration_s: float = 0.0
    sample_rate_hz: int = 0
    channels: int = 0
    unread_s: float = 0.0
    tags_unread: bool = False
    content_hash: str = ""
    copy_of: str = ""
    fingerprint: bytes = dataclasses.field(default=b"", metadata={IS_STORED: False})

    @property
    def song_or_path(self) -> str:
        """What identifies the song: its name where the corpus says it, else the file's path."""
        return self.song or self.path

    def rejected(self, reason: Reason, error: str) -> "File":
        """The same file, rejected."""
        return self.rejected_by_name(reason.name, error)

    def rejected_by_name(self, reason: str, error: str) -> "File":
        """The same file, rejected for a reason that is known by its name, as a worker's result has it."""
        return dataclasses.replace(
            self, status=REJECTED, reason=reason, error=error, fold="", shard="", offset=0, length=0
        )


METADATA = tuple(field.name for field in dataclasses.fields(File) if field.metadata.get(_IS_METADATA))
"""The fields in which the corpus may say what a file shares with others; a manifest's columns have their names."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file that the build is shown.

    Attributes
    ----------
    file : File
        What the corpus says of it. Its fold is the corpus's own, or empty.
    location : str
        Where workers read it: its URI, or the copy of a member of a tar archive.
    version : str
        What changes when the file does, as far as a listing shows.
    """

    file: File
    location: str
    version: str = ""


def record_id(content_hash: str, genre: str) -> str:
    """The id of a record: of one recording with one genre, whatever its files are called.

    >>> record_id("5f0c", "blues")
    '0bb3f189c89b470ad0c913897ff99102'
    """
    return xxhash.xxh3_128_hexdigest(f"{content_hash}\0{genre}".encode())


def written(files: Sequence[File]) -> list[File]:
    """The files whose records are in shards, or are to be.

    >>> [file.path for file in written([File("a", "/a"), File("b", "/b", status=DUPLICATE)])]
    ['a']
    """
    return [file for file in files if file.status == WRITTEN]


def count_rejects(files: Iterable[File]) -> dict[str, int]:
    """How many files were rejected for each reason, the most frequent first.

    >>> silent = Reason("silent", "digital silence")
    >>> count_rejects([File("a", "/a"), File("b", "/b").rejected(silent, "peak to peak 0")])
    {'silent': 1}
    """
    counts = Counter(file.reason for file in files if file.status == REJECTED)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True)
class Copy:
    """Two recordings that share a stretch of audio; those that share several may be in several rows.

    Attributes
    ----------
    first : str
        The content hash of one, the lesser.
    second : str
        The content hash of the other.
    first_s, second_s : float
        When the stretch begins in it, in seconds.
    duration_s : float
        How many seconds of the second it has.
    tempo : float
        How many seconds of the first correspond to one of the second: other than 1 where one was sped up.
    error_rate : float
        The share of fingerprint bits that differ in the stretch.
    may_be_ident : bool
        Whether it lies as a station's ident does that many songs have: at the same place in both, and less than half of
        either.
    """

    first: str
    second: str
    first_s: float
    second_s: float
    duration_s: float
    tempo: float
    error_rate: float
    may_be_ident: bool = False

    @property
    def offset_s(self) -> float:
        """When the second begins, in seconds of the first."""
        return self.first_s - self.tempo * self.second_s
