"""Reading a file of a corpus: its audio, decoded and judged, and what its tags say."""

import threading
from dataclasses import replace
from pathlib import Path

from pipelines.audio import decode, guarded, quality
from pipelines.audio.decode import Recording
from pipelines.audio.schema import AudioConfig
from pipelines.audio.streams import TRUNCATED
from pipelines.common.child import Child
from pipelines.common.errors import FileError
from pipelines.corpus import tags
from pipelines.corpus.names import artists
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


class Loader:
    """Decodes files in a process of its own, so that none takes this one along, and reads the years of their tags.

    Examples
    --------
    >>> import tempfile, numpy, soundfile
    >>> with tempfile.NamedTemporaryFile(suffix=".wav") as file:
    ...     soundfile.write(file.name, numpy.full(44_100, 0.5), 44_100)
    ...     recording, year = Loader().load(file.name, AudioConfig(sample_rate_hz=22_050))
    >>> recording.samples.shape, year
    ((22050,), None)
    """

    def __init__(self) -> None:
        self._child = Child(_load)
        self._lock = threading.Lock()  # the process answers one caller at a time

    def start(self) -> None:
        """Starts the process, without waiting for it."""
        self._child.start()

    def load(self, url: str, config: AudioConfig) -> tuple[Recording, int | None]:
        """A recording, not judged yet, as `decode.load` gives it, in memory as a whole; and the year.

        Raises
        ------
        FileError
            The file cannot be read or decoded; `CRASHED` if it twice ends the process.
        ChildKilled
            The process was killed from outside, twice.
        OSError, MemoryError
            The machine or the store failed.
        """
        with decode.local_copy(url) as path, self._lock:
            return guarded.twice(path, lambda: self._child.call((path, config), guarded.limits(config)))


def _load(arguments: tuple[Path, AudioConfig]) -> tuple[Recording, int | None]:
    path, config = arguments
    recording = decode.load_local(path, config)
    return replace(recording, samples=recording.samples[:]), tags.read_year(path)
