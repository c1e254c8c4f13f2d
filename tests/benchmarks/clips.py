"""The recordings that are measured with, and as many more made of them as a benchmark wants."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from pipelines.audio import decode
from pipelines.audio.schema import AudioConfig
from pipelines.common.errors import FileError, UsageError
from pipelines.config import CorpusConfig
from pipelines.corpus import listing
from pipelines.corpus.synthetic import synth

RATE_HZ = AudioConfig().sample_rate_hz

_LEAST_S = 5.0
_MOST_SEMITONES = 12
_GENRES = 5


@dataclass(frozen=True)
class Clips:
    """Recordings, and a folder for what is made of them.

    Attributes
    ----------
    paths : tuple of str
        Each can be decoded.
    folder : str
    source : str
        What they are, in words.
    """

    paths: tuple[str, ...]
    folder: str
    source: str

    def some(self, count: int) -> tuple[str, ...]:
        """So many of the recordings, evenly spread; all, where there are fewer."""
        places = np.linspace(0, len(self.paths), min(count, len(self.paths)), endpoint=False).astype(int)
        return tuple(self.paths[place] for place in places)

    def samples(self, count: int) -> list[NDArray[np.float32]]:
        """Of so many recordings, decoded as a build does."""
        return [decode.load(path, AudioConfig()).samples for path in self.some(count)]

    def many(self, count: int) -> Path:
        """A folder of so many different recordings in five genre folders: mono WAV files of 22,050 Hz, 16 bits.

        The first are the recordings themselves. The next are the same played backwards, then a semitone higher and
        faster, that backwards, a semitone lower, and so on up to an octave, each as long as the recording (from its
        beginning again, where it ends too early). None is a near copy of another for the build.

        Raises
        ------
        UsageError
            There are too few recordings to make so many.
        """
        folder = Path(self.folder, f"clips-{count}")
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            for number, samples in enumerate(self._variants(count)):
                path = unfinished / f"genre{number % _GENRES}" / f"clip{number:05d}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
            unfinished.rename(folder)
        return folder

    def _variants(self, count: int) -> Iterator[NDArray[np.float32]]:
        most = len(self.paths) * 2 * (2 * _MOST_SEMITONES + 1)
        if count > most:
            raise UsageError(f"{count} clips cannot be made of {len(self.paths)}, at most {most}; give more")
        paths = self.some(count)
        for number in range(count):
            variant, place = divmod(number, len(paths))
            step, is_reversed = divmod(variant, 2)
            semitones = (step + 1) // 2 * (1 if step % 2 else -1)
            samples = decode.load(paths[place], AudioConfig()).samples
            yield at_pitch(samples[::-1] if is_reversed else samples, semitones)


def at_pitch(samples: NDArray[np.float32], semitones: int) -> NDArray[np.float32]:
    """A recording at another speed, and so at another pitch; as long as before."""
    if not semitones:
        return samples
    places = np.arange(0, len(samples) - 1, 2 ** (semitones / 12))
    return np.resize(np.interp(places, np.arange(len(samples)), samples), samples.shape).astype(np.float32)


def given(source: str, folder: str) -> Clips:
    """The recordings of a folder, glob, manifest or archive, as a build takes it, that last 5 s and more.

    Raises
    ------
    UsageError
        There are none.
    """
    entries = listing.list_files(CorpusConfig(input=source))
    with ThreadPoolExecutor() as pool:
        usable = list(pool.map(_is_usable, [entry.location for entry in entries]))
    paths = tuple(entry.location for entry, use in zip(entries, usable, strict=True) if use)
    if not paths:
        raise UsageError(f"{source}: none of {len(entries)} files can be decoded and lasts {_LEAST_S:g} s")
    return Clips(paths, folder, f"{len(paths)} given clips")


def synthetic(folder: str, songs_per_style: int = 4, duration_s: float = 30.0) -> Clips:
    """Songs of the demo's synthesiser."""
    made = Path(folder, f"synthetic-{songs_per_style}-{duration_s:g}")
    count = synth.write_corpus(made, songs_per_style=songs_per_style, duration_s=duration_s)
    paths = tuple(sorted(map(str, made.rglob("*.wav"))))
    return Clips(paths, folder, f"{count} synthetic songs of {duration_s:g} s")


def _is_usable(location: str) -> bool:
    try:
        return len(decode.load(location, AudioConfig()).samples) >= _LEAST_S * RATE_HZ
    except FileError:
        return False


def concatenated(samples: Sequence[NDArray[Any]], duration_s: float, path: Path) -> Path:
    """Writes recordings one after another, again and again, as a WAV file of so many seconds."""
    soundfile.write(path, np.resize(np.concatenate(samples), round(duration_s * RATE_HZ)), RATE_HZ, subtype="PCM_16")
    return path
