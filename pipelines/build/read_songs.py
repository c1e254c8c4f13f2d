"""Reading songs: each decoded, hashed and fingerprinted by a worker."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apache_beam.metrics.metric import Metrics

from pipelines.audio import decode, quality
from pipelines.audio.schema import AudioConfig
from pipelines.common import storage
from pipelines.common.beam import jobs
from pipelines.common.beam.jobs import Json
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import FileError, of_unforeseen
from pipelines.config import BuildConfig
from pipelines.copies import fingerprint
from pipelines.corpus import artists
from pipelines.dataset.ledger import REJECTED, Entry, File


@dataclass(frozen=True)
class Reading:
    """What reading a file told: its audio's facts, or the reason and error by which it is rejected."""

    duration_s: float = 0.0
    sample_rate_hz: int = 0
    channels: int = 0
    content_hash: str = ""
    fingerprint: str = ""  # in base 64, as a receipt is JSON
    artist: str = ""
    reason: str = ""
    error: str = ""
    is_rejected: bool = False


def read(entries: Sequence[Entry], config: BuildConfig, folder: str, new_pipeline: NewPipeline) -> list[File]:
    """Songs with what reading them tells: their audio's facts, hash and fingerprint, or why they cannot be used."""
    receipts = jobs.run(new_pipeline, ReadSongs(folder), read_orders(entries, config))
    readings = [Reading(**reading) for receipt in receipts for reading in receipt["readings"]]
    return [_with_reading(entry.file, reading) for entry, reading in zip(entries, readings, strict=True)]


def read_orders(entries: Sequence[Entry], config: BuildConfig) -> list[Json]:
    """Orders to read some songs each."""
    songs = [
        {
            "location": entry.location,
            "version": entry.version,
            "reason": entry.file.reason,
            "error": entry.file.error,
            "artist_tag": config.corpus.artist_tags and not entry.file.artist,
        }
        for entry in entries
    ]
    return [{"audio": config.audio.model_dump(mode="json"), "songs": part} for part in jobs.parts(songs)]


class ReadSongs(jobs.Fulfil):
    """Reads the songs of an order; counts songs, seconds and rejects by reason."""

    kind, verb = "read", "Read songs"

    def fulfil(self, order: Json) -> Json:
        config = AudioConfig.model_validate(order["audio"])
        readings = [read_song(song, config) for song in order["songs"]]
        for reading in readings:
            Metrics.counter("spectroshard", "songs").inc()
            Metrics.counter("spectroshard", "seconds").inc(round(reading.duration_s))
            if reading.is_rejected:
                Metrics.counter("spectroshard", f"rejected_{reading.reason}").inc()
        return {
            "readings": [dataclasses.asdict(reading) for reading in readings],
            "rejected": sum(reading.is_rejected for reading in readings),
        }


def read_song(song: Mapping[str, Any], config: AudioConfig) -> Reading:
    """Reads one song of an order; a song that the listing rejected stays so, unread."""
    if song["reason"]:
        return Reading(reason=song["reason"], error=song["error"], is_rejected=True)
    try:
        recording = decode.load(song["location"], config)
        quality.check(recording, config)
        values = fingerprint.of_samples(recording.samples, config.sample_rate_hz)
        artist = _artist_tag(song["location"]) if song["artist_tag"] else ""
    except FileError as error:
        return Reading(reason=error.reason.name, error=error.detail, is_rejected=True)
    except Exception as error:
        unforeseen = of_unforeseen(error)
        return Reading(reason=unforeseen.reason.name, error=unforeseen.detail, is_rejected=True)
    return Reading(
        len(recording.samples) / config.sample_rate_hz,
        recording.sample_rate_hz,
        recording.channels,
        recording.content_hash,
        base64.b64encode(values).decode(),
        artist,
        decode.TRUNCATED.name if recording.truncated else "",
        "the file ends early; what is there is used" if recording.truncated else "",
    )


def _artist_tag(location: str) -> str:
    with storage.local_copy(location) as path:
        return artists.read_tag(path)


def _with_reading(song: File, reading: Reading) -> File:
    if reading.is_rejected:
        return song if song.status == REJECTED else song.rejected_by_name(reading.reason, reading.error)
    return replace(
        song,
        duration_s=reading.duration_s,
        sample_rate_hz=reading.sample_rate_hz,
        channels=reading.channels,
        content_hash=reading.content_hash,
        fingerprint=base64.b64decode(reading.fingerprint),
        artist=song.artist or reading.artist,
        reason=reading.reason,
        error=reading.error,
    )
