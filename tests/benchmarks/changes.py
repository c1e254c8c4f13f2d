"""Ways to change a recording into a near copy of itself, each really encoded."""

import subprocess
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile


@dataclass(frozen=True)
class Change:
    """A kind of near copy.

    Attributes
    ----------
    name : str
    suffix : str
        Of the copy's file.
    options : sequence of str
        What ffmpeg does.
    crop_s : float
        How much is kept, from anywhere; 0 keeps all.
    silence_s : float
        How much silence stands in front.
    noise_db : float or None
        How far below the music white noise lies.
    tempo : float
        How many seconds of the recording one of the copy stands for.
    """

    name: str
    suffix: str = "wav"
    options: Sequence[str] = ()
    crop_s: float = 0.0
    silence_s: float = 0.0
    noise_db: float | None = None
    tempo: float = 1.0


def _filtered(name: str, filters: str, silence_s: float = 0.0, tempo: float = 1.0) -> Change:
    return Change(name, options=("-af", filters), silence_s=silence_s, tempo=tempo)


def _sped(factor: float) -> str:
    """The filters by which a recording runs faster, and sounds higher."""
    return f"aresample=44100,asetrate={44_100 * factor:.0f},aresample=44100"


def _raised(semitones: int) -> str:
    """The filters by which a recording sounds higher, and runs as fast as before."""
    factor = 2 ** (semitones / 12)
    return f"{_sped(factor)},atempo={1 / factor:.6f}"


EXCERPTS = "two excerpts sharing 10 s"
"""A change of its own: the beginning of a recording, and its end, are copies of one another."""

SHARED_S = 10.0

LISTED = (
    Change("mp3, 64 kbit/s", "mp3", ("-b:a", "64k")),
    Change("mp3, 128 kbit/s", "mp3", ("-b:a", "128k")),
    Change("mp3, 320 kbit/s", "mp3", ("-ar", "44100", "-b:a", "320k")),
    Change("ogg vorbis, quality 2", "ogg", ("-c:a", "libvorbis", "-q:a", "2")),
    Change("opus, 48 kbit/s", "opus", ("-c:a", "libopus", "-b:a", "48k")),
    Change("aac, 64 kbit/s", "m4a", ("-c:a", "aac", "-b:a", "64k")),
    Change("8 kHz", options=("-ar", "8000")),
    Change("16 kHz", options=("-ar", "16000")),
    Change("44.1 kHz", options=("-ar", "44100")),
    Change("48 kHz", options=("-ar", "48000")),
    _filtered("gain -20 dB", "volume=-20dB"),
    _filtered("gain +6 dB, clipped", "volume=6dB"),
    _filtered("gain +12 dB, clipped", "volume=12dB"),
    _filtered("gain +20 dB, clipped", "volume=20dB"),
    _filtered("stereo, one side at half", "aformat=channel_layouts=mono,pan=stereo|c0=c0|c1=0.5*c0"),
    _filtered("silence in front, 3.7 s", "adelay=3700:all=1", silence_s=3.7),
    _filtered("silence behind, 7 s", "apad=pad_dur=7"),
    Change("crop of 10 s", crop_s=10.0),
    Change("crop of 12 s, mp3, 64 kbit/s", "mp3", ("-b:a", "64k"), crop_s=12.0),
    Change(EXCERPTS),
    Change("white noise at -20 dB", noise_db=20.0),
    _filtered("bass +5 dB, treble -4 dB", "bass=g=5,treble=g=-4"),
    _filtered("bass -5 dB, treble +4 dB", "bass=g=-5,treble=g=4"),
    _filtered("octave around 1 kHz, -6 dB", "equalizer=f=1000:t=o:w=1:g=-6"),
)
"""The near copies that must be found."""

HARD = (
    *(_filtered(f"tempo {100 * t - 100:+.0f} %", f"atempo={t}", tempo=t) for t in (0.9, 0.95, 0.98, 1.02, 1.05, 1.1)),
    *(_filtered(f"speed {100 * t - 100:+.0f} %", _sped(t), tempo=t) for t in (0.95, 0.98, 0.99, 1.01, 1.02, 1.05)),
    *(_filtered(f"pitch {semitones:+d} semitone", _raised(semitones)) for semitones in (-1, 1)),
)
"""Those that fingerprints were not made for: time and pitch are no longer the recording's."""


def convert(source: Path, target: Path, change: Change, begin_s: float = 0.0) -> Path:
    """Writes a near copy of what a recording has from a given second on.

    Parameters
    ----------
    source, target : Path
    change : Change
    begin_s : float
    """
    cut = ["-ss", f"{begin_s:.3f}", *(["-t", f"{change.crop_s:.3f}"] if change.crop_s else [])]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *cut, "-i", str(source)]
    subprocess.run([*command, "-map", "0:a:0", "-map_metadata", "-1", *change.options, str(target)], check=True)
    if change.noise_db is not None:
        _add_noise(target, change.noise_db)
    return target


def _add_noise(path: Path, below_db: float) -> None:
    samples, sample_rate_hz = soundfile.read(path)
    noise = np.random.default_rng(zlib.crc32(samples.tobytes())).standard_normal(samples.shape)
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-below_db / 20)
    soundfile.write(path, samples + level * noise, sample_rate_hz)
