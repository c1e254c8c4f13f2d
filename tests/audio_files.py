"""Good and bad audio files for the tests, each made by one function."""

import struct
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile

RATE_HZ = 44_100


def tone(duration_s=3.0, rate_hz=RATE_HZ, channels=1, frequency_hz=440.0):
    """A decaying tone with a little noise, shape (frames, channels)."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    noise = np.random.default_rng(0).standard_normal((len(time_s), channels)) * 0.01
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)[:, None] + noise).astype(np.float32)


def write(path: Path, samples=None, rate_hz=RATE_HZ, subtype="PCM_16", fmt=None):
    """Writes samples (default: a tone) and returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone() if samples is None else samples, rate_hz, subtype=subtype, format=fmt)
    return path


def ffmpeg(source: Path, target: Path, *options: str):
    """Converts a file and returns the target."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-i", source, *options, target]
    subprocess.run(command, check=True)
    return target


def cut(path: Path, share=None, size=None):
    """Keeps a file's first share, or its first bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: size if share is None else int(len(content) * share)])
    return path


def patch_wav(path: Path, *, channels=None, rate_hz=None, data_bytes=None):
    """Lies in a WAV file's header."""
    content = bytearray(path.read_bytes())
    if channels is not None:
        content[22:24] = struct.pack("<H", channels)
    if rate_hz is not None:
        content[24:28] = struct.pack("<I", rate_hz)
    if data_bytes is not None:
        content[40:44] = struct.pack("<I", data_bytes)
    path.write_bytes(content)
    return path


BAD = {
    "empty": lambda path: path.write_bytes(b""),
    "not_audio": lambda path: path.write_text("this is a text\n" * 100),
    "truncated": lambda path: cut(write(path), size=30),
    "no_channels": lambda path: patch_wav(write(path), channels=0),
    "absurd_header": lambda path: patch_wav(write(path), rate_hz=4_000_000_000),
    "not_finite": lambda path: write(path, np.where(np.arange(9e4) == 500, np.nan, 0.1), subtype="FLOAT"),
    "silent": lambda path: write(path, np.zeros(3 * RATE_HZ)),
    "too_short": lambda path: write(path, tone(0.3)),
    "channels_cancel": lambda path: write(path, tone() * [1, -1]),
    "not_full_scale": lambda path: write(path, tone() * 20_000, subtype="FLOAT"),
}
"""A WAV file for each reason by which a file alone can be rejected."""

NEARLY_BAD = {
    "truncated": lambda path: cut(write(path), size=44 + 2 * RATE_HZ),
    "not_finite": lambda path: write(path, tone() * 1e-3, subtype="FLOAT"),
    "silent": lambda path: write(path, 1.02e-4 * (np.arange(2 * RATE_HZ) > RATE_HZ), subtype="FLOAT"),
    "too_short": lambda path: write(path, tone(1.0)),
    "channels_cancel": lambda path: write(path, tone() * [1, -0.8]),
    "not_full_scale": lambda path: write(path, tone() * 30, subtype="FLOAT"),
}
"""A WAV file for each reason of `pipelines.audio.quality`, just good enough not to be rejected for it."""


def write_songs(folder: Path, genres=("blues", "jazz", "metal"), songs=6, duration_s=1.5):
    """A folder of genre folders of tones, each song of another pitch; returns the folder."""
    for number, genre in enumerate(genres):
        for song in range(songs):
            samples = tone(duration_s, 8_000, frequency_hz=200 * (number + 1) + 10 * song)
            write(folder / genre / f"{genre}.{song:05d}.wav", samples, 8_000)
    return folder


def write_bad_corpus(folder: Path):
    """Every bad input at once beside good songs: gives the manifest, and for each of its rows song_id and reason."""
    write_songs(folder)
    rows = [(f"{g}/{g}.{n:05d}.wav", g, "", "", "") for g in ("blues", "jazz", "metal") for n in range(6)]
    for reason, make in BAD.items():
        make(folder / f"{reason}.wav")
        rows.append((f"{reason}.wav", "blues", "", "", reason))
    cut(write(folder / "cut.wav"), 0.6)
    write(folder / "loud.wav", tone() * 1e30, subtype="FLOAT")
    (folder / "folder.wav").mkdir()
    for number, name in enumerate(("lone", "train", "test", "no_genre", "twice", "both")):
        write(folder / f"{name}.wav", tone(frequency_hz=700 + 10 * number))
    rows += [
        ("cut.wav", "blues", "", "", "truncated"),
        ("loud.wav", "blues", "", "", "not_full_scale"),
        ("folder.wav", "blues", "", "", "unreadable"),
        ("gone.wav", "blues", "", "", "unreadable"),
        ("../up.wav", "blues", "", "", "outside_root"),
        ("", "blues", "", "", "outside_root"),
        ("no_genre.wav", "", "", "", "no_genre"),
        ("lone.wav", "polka", "", "", "lone_genre"),
        ("train.wav", "jazz", "one song", "train", "crosses_folds"),
        ("test.wav", "jazz", "one song", "test", ""),
        ("twice.wav", "jazz", "", "", ""),
        ("twice.wav", "jazz", "", "", "repeated"),
        ("both.wav", "jazz", "", "", "contradicted"),
        ("both.wav", "metal", "", "", "contradicted"),
    ]
    lines = ["path,genre,song,split", *(",".join(row[:4]) for row in rows)]
    (folder / "m.csv").write_text("\n".join(lines))
    return folder / "m.csv", [(path, reason) for path, *_, reason in rows]
