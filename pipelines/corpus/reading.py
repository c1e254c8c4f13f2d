"""Reading a file of a corpus: its audio, decoded and judged, and what its tags say."""

from dataclasses import replace
from pathlib import Path

from pipelines.audio import decode, quality
from pipelines.audio.decode import Recording
from pipelines.audio.schema import AudioConfig
from pipelines.audio.streams import TRUNCATED
from pipelines.common.errors import FileError
from pipelines.corpus import artists
from pipelines.dataset.readings import Reading


def read_audio(path: Path, config: AudioConfig) -> tuple[Reading, Recording | None]:
    """Decodes and judges a local file: what that told, and its audio, which there is none of where it is rejected.

    One that is rejected after it was decoded has a content hash, as it can be compared by its samples.
    """
    reading = Reading()
    try:
        recording = decode.load_local(path, config)
        if len(recording.samples):
            reading = replace(reading, content_hash=recording.content_hash)
        quality.check(recording, config)
        artist = artists.find_tag(path)
    except FileError as error:
        return reading.rejected(error.reason, error.detail), None
    told = replace(
        reading,
        duration_s=len(recording.samples) / config.sample_rate_hz,
        sample_rate_hz=recording.sample_rate_hz,
        channels=recording.channels,
        unread_s=round(recording.unread_s, 3),
        tags_unread=artist is None,
        artist=artist or "",
        reason=TRUNCATED.name if recording.truncated else "",
        error="the file ends early; what is there is used" if recording.truncated else "",
    )
    return told, recording
