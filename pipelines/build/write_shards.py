"""The shards: each written in one worker, song after song, and renamed into place when it is whole."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from apache_beam.metrics.metric import Metrics
from numpy.typing import NDArray

from pipelines.audio import decode, quality
from pipelines.common import storage
from pipelines.common.arrays import spooled
from pipelines.common.beam import jobs
from pipelines.common.beam.jobs import Json
from pipelines.common.errors import FileError, of_unforeseen
from pipelines.common.reasons import Reason
from pipelines.config import BuildConfig
from pipelines.dataset import records, tfrecord
from pipelines.dataset.dataset import Sums
from pipelines.dataset.ledger import File, written
from pipelines.dataset.records import Record
from pipelines.features import compute
from pipelines.split.shards import in_record_order

CHANGED = Reason("changed", "the file's audio changed between the plan and the shards")


def shard_orders(songs: Sequence[File], location_of: Mapping[str, str], config: BuildConfig) -> list[Json]:
    """An order for each shard, sorted by its name: all that its bytes depend on, and where to read it."""
    members: dict[str, list[File]] = defaultdict(list)
    for song in written(songs):
        members[song.shard].append(song)
    return [
        {
            "shard": shard,
            "fold": members[shard][0].fold,
            "config": {section: getattr(config, section).model_dump(mode="json") for section in _DECIDING},
            "songs": [
                {key: getattr(song, key) for key in ("path", "genre", "group", "content_hash")}
                | {"location": location_of[song.path]}
                for song in in_record_order(members[shard])
            ],
        }
        for shard in sorted(members)
    ]


_LARGEST = float(np.finfo(np.float16).max)
_DECIDING = ("audio", "features", "shards")


class WriteShards(jobs.Fulfil):
    """Writes the shard of an order; counts written songs, their seconds, and late rejects by reason.

    Parameters
    ----------
    folder : str
        Where orders and receipts are.
    output : str
        The dataset's folder.
    """

    kind, verb = "shard", "Write shards"

    def __init__(self, folder: str, output: str):
        super().__init__(folder)
        self.output = output

    def fulfil(self, order: Json) -> Json:
        config = BuildConfig.model_validate(order["config"])
        sums: dict[str, list[Sums]] = {name: [] for name in config.features.chosen}
        rejected: dict[str, tuple[str, str]] = {}
        with storage.writing(storage.join(self.output, order["shard"])) as path:
            with path.open("wb") as file:
                for song in order["songs"]:
                    try:
                        record, duration_s = song_record(song, config)
                    except FileError as error:
                        rejected[song["path"]] = (error.reason.name, error.detail)
                        Metrics.counter("spectroshard", f"rejected_{error.reason.name}").inc()
                        continue
                    _write(file, record, config.shards.dtype, sums)
                    Metrics.counter("spectroshard", "written_songs").inc()
                    Metrics.counter("spectroshard", "written_seconds").inc(round(duration_s))
            facts = _file_facts(path)
        totals = {name: Sums.total(parts).model_dump() for name, parts in sums.items() if parts}
        return {**facts, "songs": len(order["songs"]) - len(rejected), "sums": totals, "rejected": rejected}


def song_record(song: Mapping[str, Any], config: BuildConfig) -> tuple[Record, float]:
    """Reads a song again and computes its features; gives its record and its duration in seconds.

    Raises
    ------
    FileError
        It cannot be read any more, or it is not what it was.
    """
    try:
        recording = decode.load(song["location"], config.audio)
        quality.check(recording, config.audio)
        if recording.content_hash != song["content_hash"]:
            raise FileError(CHANGED, "the file holds other audio than when the build read it first; build again")
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            arrays = compute.compute_spooled(recording.samples, config.audio.sample_rate_hz, config.features)
        for name, values in arrays.items():
            largest = np.abs(spooled.min_max(values)).max()
            if not largest <= _LARGEST:  # nor is NaN
                raise FileError(quality.NOT_FINITE, f"{name} reaches {largest}, expected at most {_LARGEST}")
    except FileError:
        raise
    except Exception as error:
        raise of_unforeseen(error) from error
    duration_s = len(recording.samples) / config.audio.sample_rate_hz
    return Record(song["path"], song["genre"], song["group"], arrays), duration_s


def _write(file: IO[bytes], record: Record, dtype: str, sums: Mapping[str, list[Sums]]) -> None:
    of_song: dict[str, Sums] = {}

    def see(name: str, values: NDArray[np.float32]) -> None:
        # The trainer sees what is stored, so that is what is summed.
        stretch = Sums.of(values)
        of_song[name] = Sums.total([of_song[name], stretch]) if name in of_song else stretch

    tfrecord.write_record(file, *records.serialise(record, dtype, see))
    for name in of_song:
        sums[name].append(of_song[name])


def _file_facts(path: Path) -> Json:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
