"""The plan: every song read once, then compared, grouped, dealt to folds and given a shard."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from apache_beam.metrics.metric import Metrics

from pipelines.audio import decode
from pipelines.common import storage
from pipelines.common.beam import jobs
from pipelines.common.beam.jobs import Json
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SongError, of_unforeseen
from pipelines.config import AudioConfig, BuildConfig
from pipelines.copies import fingerprint
from pipelines.copies.best_copy import with_copies
from pipelines.copies.search import Copy, find_copies
from pipelines.corpus import artists
from pipelines.corpus.song_names import with_pieces_named
from pipelines.dataset.ledger import REJECTED, Entry, Song
from pipelines.split import history
from pipelines.split.folds import deal, judge
from pipelines.split.groups import with_groups
from pipelines.split.shards import with_shards


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


@dataclass(frozen=True)
class Plan:
    """What a build is to do.

    Attributes
    ----------
    songs : list of Song
        Its ledger, but for what writing may still reject.
    copies : list of Copy
        The near copies among its songs and those of earlier builds, by content hash.
    earlier : list of Song
        What earlier builds had in a fold.
    """

    songs: list[Song]
    copies: list[Copy]
    earlier: list[Song]


def plan(
    entries: Sequence[Entry],
    earlier: list[Song],
    config: BuildConfig,
    folder: str,
    new_pipeline: NewPipeline,
) -> Plan:
    """Reads a corpus, and plans its build.

    Parameters
    ----------
    entries : sequence of Entry
        The corpus.
    earlier : sequence of Song
        What earlier builds had in a fold.
    config : BuildConfig
    folder : str
        Where the build keeps its orders and receipts.
    new_pipeline : callable
        Gives an empty pipeline.
    """
    songs = read(entries, config, folder, new_pipeline)
    copies = compare([*songs, *earlier], storage.join(folder, "copies"), new_pipeline)
    return Plan(assign(songs, earlier, copies, config), copies, earlier)


def compare(songs: Sequence[Song], folder: str, new_pipeline: NewPipeline) -> list[Copy]:
    """The near copies among songs by their fingerprints, by content hash; `folder` is removed first and last."""
    fingerprints = {song.content_hash: song.fingerprint for song in songs if song.fingerprint}
    return find_copies(fingerprints, folder, new_pipeline)


def assign(songs: Sequence[Song], earlier: Sequence[Song], copies: Sequence[Copy], config: BuildConfig) -> list[Song]:
    """Songs that were read, with their groups, folds, shards, and of what they are copies.

    Parameters
    ----------
    songs : sequence of Song
    earlier : sequence of Song
        What earlier builds had in a fold.
    copies : sequence of Copy
        By content hash, of both.
    config : BuildConfig
    """
    everything = [*with_pieces_named(songs), *history.without_old_names(earlier, songs)]
    grouped = with_groups(everything, config.folds.group_by, copies)
    now, before = grouped[: len(songs)], grouped[len(songs) :]
    judged, fold_of = judge(now, config.folds, before, history.earlier_folds(now, before, copies))
    # Before the deal, in which only what will be written weighs.
    best = with_copies(judged, copies, config.folds.copies == "drop")
    return with_shards(deal(best, fold_of, config.folds), config)


def read(entries: Sequence[Entry], config: BuildConfig, folder: str, new_pipeline: NewPipeline) -> list[Song]:
    """Songs with what reading them tells: their audio's facts, hash and fingerprint, or why they cannot be used."""
    receipts = jobs.run(new_pipeline, ReadSongs(folder), read_orders(entries, config))
    readings = [Reading(**reading) for receipt in receipts for reading in receipt["readings"]]
    return [_with_reading(entry.song, reading) for entry, reading in zip(entries, readings, strict=True)]


def read_orders(entries: Sequence[Entry], config: BuildConfig) -> list[Json]:
    """Orders to read some songs each."""
    songs = [
        {
            "location": entry.location,
            "version": entry.version,
            "reason": entry.song.reason,
            "error": entry.song.error,
            "artist_tag": config.corpus.artist_tags and not entry.song.artist,
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
        values = fingerprint.of_samples(recording.samples, config.sample_rate_hz)
        artist = _artist_tag(song["location"]) if song["artist_tag"] else ""
    except SongError as error:
        return Reading(reason=error.reason, error=error.detail, is_rejected=True)
    except Exception as error:
        unforeseen = of_unforeseen(error)
        return Reading(reason=unforeseen.reason, error=unforeseen.detail, is_rejected=True)
    return Reading(
        len(recording.samples) / config.sample_rate_hz,
        recording.sample_rate_hz,
        recording.channels,
        recording.content_hash,
        base64.b64encode(values).decode(),
        artist,
        "truncated" if recording.truncated else "",
        "the file ends early; what is there is used" if recording.truncated else "",
    )


def _artist_tag(location: str) -> str:
    with storage.local_copy(location) as path:
        return artists.read_tag(path)


def _with_reading(song: Song, reading: Reading) -> Song:
    if reading.is_rejected:
        return song if song.status == REJECTED else song.rejected(reading.reason, reading.error)
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
