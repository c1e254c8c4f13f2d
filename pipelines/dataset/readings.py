"""Readings: what reading each file told, so that no file need be read again while it stays what it is."""

import dataclasses
from dataclasses import dataclass

from pipelines.common.reasons import Reason
from pipelines.dataset.ledger import File


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading a file told: its audio's facts, or the reason and error by which it is rejected.

    A file that can be decoded and is rejected has a content hash, so that an audit can compare it.

    Attributes
    ----------
    uri : str
        Which file: as in the table `songs`.
    version : str
        Which state of it: size, then time of change or checksum, as far as a listing tells, joined by hyphens.
    bytes_hash : str
        XXH3 (128 bits) of the file's bytes; a file that is renamed or copied is known by it. Empty of a file that could
        not be read.
    artist : str
        The artist by the file's tags; empty where they say none.
    duration_s, sample_rate_hz, channels, unread_s, tags_unread, content_hash, reason, error
        As in the table `songs`.
    is_rejected : bool
        Whether the file cannot be used.
    """

    uri: str = ""
    version: str = ""
    bytes_hash: str = ""
    duration_s: float = 0.0
    sample_rate_hz: int = 0
    channels: int = 0
    unread_s: float = 0.0
    tags_unread: bool = False
    content_hash: str = ""
    artist: str = ""
    reason: str = ""
    error: str = ""
    is_rejected: bool = False

    def rejected(self, reason: Reason, error: str) -> "Reading":
        """The same reading, as that of a file that cannot be used."""
        return dataclasses.replace(self, reason=reason.name, error=error, is_rejected=True)


@dataclass(frozen=True, slots=True)
class StagedReading(Reading):
    """A reading whose record is made and lies in a staged pack until it is in a shard.

    Attributes
    ----------
    fingerprint : bytes
    pack : str
        The pack's URL; empty where there is no record.
    offset, length : int
        Where in it the record lies, in bytes.
    genre : str
        The record's.
    """

    fingerprint: bytes = b""
    pack: str = ""
    offset: int = 0
    length: int = 0
    genre: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """A recording, by its content hash."""

    content_hash: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A recording's fingerprint.

    Attributes
    ----------
    content_hash : str
        The recording's.
    fingerprint : bytes
        Chromaprint's values, one after another: uint32, little-endian. Empty of a recording that is too short for one.
    """

    content_hash: str
    fingerprint: bytes


def with_reading(file: File, reading: Reading, with_tags: bool) -> File:
    """A file with what reading it told; one that is rejected has the reason alone.

    Parameters
    ----------
    file : File
    reading : Reading
    with_tags : bool
        Whether the tags say the artist where nothing else does.
    """
    if reading.is_rejected:
        return file.rejected_by_name(reading.reason, reading.error)
    return dataclasses.replace(
        file,
        duration_s=reading.duration_s,
        sample_rate_hz=reading.sample_rate_hz,
        channels=reading.channels,
        unread_s=reading.unread_s,
        tags_unread=reading.tags_unread,
        content_hash=reading.content_hash,
        artist=file.artist or (reading.artist if with_tags else ""),
        reason=reading.reason,
        error=reading.error,
    )
