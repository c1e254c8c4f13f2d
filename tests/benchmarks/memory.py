"""How much memory the build's command takes at its worst: with few clips, with many, and with a very long song."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.benchmarks.clips import Clips, at_pitch, concatenated
from tests.benchmarks.contests import Row
from tests.benchmarks.features import NINE

_SOME, _MANY, _BESIDE_THE_LONG = 200, 1_000, 20
_LONG_S = 3_600.0
_SEMITONES = 5
_LOOKS_EVERY_S = 0.02


def memory(clips: Clips) -> list[Row]:
    """Builds of nine features, each a process of its own: its peak, and how much more it is than that of 200 clips."""
    some = peak_mb(clips.many(_SOME))
    many = peak_mb(clips.many(_MANY))
    long = peak_mb(with_long_song(clips))
    less = f"{_SOME} clips"
    measured = "peak memory of a build, nine features, one worker"
    return [
        Row(f"{measured}, {_SOME} clips", "", some, None, "MB", some, "MB", at_most=550),
        Row(f"{measured}, {_MANY:,} clips", less, many, some, "MB", many - some, "MB more", at_most=50),
        Row(f"{measured}, a song of 60 minutes", less, long, some, "MB", long - some, "MB more", at_most=50),
    ]


def with_long_song(clips: Clips) -> Path:
    """Some clips, and among them a song of an hour that is made of others, so that it is no copy of any."""
    folder = Path(clips.folder, "with-long-song")
    shutil.copytree(clips.many(_BESIDE_THE_LONG), folder, dirs_exist_ok=True)
    others = [at_pitch(samples, _SEMITONES) for samples in clips.samples(_BESIDE_THE_LONG)]
    concatenated(others, _LONG_S, next(folder.iterdir()) / "long.wav")
    return folder


def peak_mb(corpus: Path) -> float:
    """The largest resident memory of `spectroshard build --workers 1` and all that it starts."""
    values = {"audio": {"max_duration_s": _LONG_S}, "features": {name: {} for name in NINE}}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text(yaml.safe_dump(values))
        command = [sys.executable, "-m", "spectroshard", "build", str(config), "--input", str(corpus)]
        command += ["--output", str(Path(folder, "dataset")), "--workers", "1"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            peak_kb = 0
            while process.poll() is None:
                peak_kb = max(peak_kb, _resident_kb(process.pid, "VmHWM"), _resident_kb(process.pid, "VmRSS", True))
                time.sleep(_LOOKS_EVERY_S)
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return peak_kb / 1_000


def _resident_kb(process_id: int, what: str, with_children: bool = False) -> int:
    """A process's line of memory in /proc, 0 where it is gone; the sum over it and all below it, if wanted."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
        tasks = list(Path(f"/proc/{process_id}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (OSError, ProcessLookupError):
        return 0
    own = sum(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{what}:"))
    return own + sum(_resident_kb(child, what, True) for child in children if with_children)
