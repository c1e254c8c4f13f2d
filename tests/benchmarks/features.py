"""How fast features are computed, against librosa and scipy, and how near they are to theirs.

`python -m tests.benchmarks.features CLIP...` measures the competitors side by side, in turn, one core each, prints a
table, and ends with 1 where a ratio is too small or a difference too great.
"""

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import librosa
import numpy as np
import scipy.linalg  # noqa: F401 - only libraries that are loaded can be limited
import soundfile
import threadpoolctl
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.features import Features, Stft, compute
from pipelines.kernels import FRAMES
from pipelines.separation import Separation
from pipelines.spectra import Block, Spectra
from tests.benchmarks.tables import table

Array = NDArray[Any]
Arrays = Mapping[str, Array]

NINE = (
    "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma",
    "spectral_centroid", "spectral_rolloff", "onset_strength", "tempogram",
)  # fmt: skip

_ALLOWED = {"mfcc": 1e-2, "chroma": 1e-5, "tempogram": 1e-5, "onset_strength": 1e-2, "spectral_rolloff": 0.005}
_WINDOW = 31


@dataclass(frozen=True)
class Contest:
    """Two ways to compute the same of a clip.

    Attributes
    ----------
    name : str
    prepare : callable
        Makes of samples and their rate what both are given.
    reference, fast : callable
        Give arrays by name.
    ratio : float
        How many times faster `fast` has to be.
    allowed : dict
        The greatest difference of each array; of `spectral_rolloff`, the greatest share of frames that differ.
    arranged : callable
        Gives what `fast` found in the shape of what `reference` gave; that takes no part in the measurement.
    """

    name: str
    prepare: Callable[[Array, int], tuple[Any, ...]]
    reference: Callable[..., Arrays]
    fast: Callable[..., Arrays]
    ratio: float
    allowed: Mapping[str, float]
    arranged: Callable[[Arrays, Arrays], Arrays] = lambda found, wanted: found


@dataclass
class Result:
    """What a contest showed: medians in ms, and the greatest differences of each array over all clips."""

    name: str
    reference_ms: float
    fast_ms: float
    ratio_required: float
    differences: dict[str, float]
    allowed: dict[str, float]

    @property
    def ratio(self) -> float:
        return self.reference_ms / self.fast_ms

    @property
    def passes(self) -> bool:
        near = all(self.differences[name] <= most for name, most in self.allowed.items())
        return near and self.ratio >= self.ratio_required

    def cells(self) -> list[str]:
        """The row of a table; of the differences it shows the one that comes nearest to what is allowed."""
        name = max(self.allowed, key=lambda name: (self.differences[name] / (self.allowed[name] or 1), name))
        times = [f"{self.reference_ms:.1f}", f"{self.fast_ms:.2f}", f"{self.ratio:.1f}x", f"{self.ratio_required:g}x"]
        return [self.name, *times, f"{self.differences[name]:.1e} ({name})", f"{self.allowed[name]:g}"]


def naive_log_mel(samples: Array, rate_hz: int) -> Arrays:
    """As people write it."""
    return {"log_mel": librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate_hz)).T}


def naive_nine(y: Array, sr: int) -> Arrays:
    """As people write it: each feature of the samples."""
    parts = librosa.decompose.hpss(np.abs(librosa.stft(y)))
    harmonic, percussive = (librosa.feature.melspectrogram(S=part**2, sr=sr) for part in parts)
    features = {
        "log_mel": librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=sr)),
        "harmonic_mel": librosa.power_to_db(harmonic),
        "percussive_mel": librosa.power_to_db(percussive),
        "mfcc": librosa.feature.mfcc(y=y, sr=sr),
        "chroma": librosa.feature.chroma_stft(y=y, sr=sr),
        "spectral_centroid": librosa.feature.spectral_centroid(y=y, sr=sr),
        "spectral_rolloff": librosa.feature.spectral_rolloff(y=y, sr=sr),
        "onset_strength": librosa.onset.onset_strength(y=y, sr=sr)[np.newaxis],
        "tempogram": librosa.feature.tempogram(y=y, sr=sr),
    }
    return {name: array.T for name, array in features.items()}


class Medians(Separation):
    """The medians alone, written into `out`, shape (blocks, 2, bins, FRAMES)."""

    def __init__(self, spectra: Spectra, out: Array):
        super().__init__(spectra, _WINDOW)
        self._out = out

    def pass_on(self, block: Block, medians: Array) -> None:
        self._out[block.first // FRAMES] = medians


def magnitudes(samples: Array, rate_hz: int) -> tuple[Array, Array, Spectra, list[Block]]:
    """What both medians are of, shape (bins, frames), room for them, and the same by blocks."""
    spectra = Spectra(samples, rate_hz, Stft(), np.dtype(np.float32))
    blocks = list(spectra.blocks())
    magnitude = np.hstack([block.magnitude for block in blocks])[:, : spectra.frames].copy()
    return magnitude, np.zeros((len(blocks), 2, spectra.bins, FRAMES), np.float32), spectra, blocks


def naive_medians(magnitude: Array, *_: Any) -> Arrays:
    """As `librosa.decompose.hpss` has them."""
    sizes = {"harmonic": (1, _WINDOW), "percussive": (_WINDOW, 1)}
    return {name: ndimage.median_filter(magnitude, size=size, mode="reflect") for name, size in sizes.items()}


def fast_medians(_: Array, out: Array, spectra: Spectra, blocks: Sequence[Block]) -> Arrays:
    """The same as a build has them: block by block, with all the mirroring and turning that they take."""
    medians = Medians(spectra, out)
    for block in blocks:
        medians.read(block)
    return {"harmonic": out[:, 0], "percussive": out[:, 1]}


def whole(found: Arrays, wanted: Arrays) -> Arrays:
    """Medians by blocks as they are over the whole song."""
    return {name: np.hstack(list(blocks))[:, : wanted[name].shape[1]] for name, blocks in found.items()}


def fast(names: Sequence[str], **options: str) -> Callable[..., Arrays]:
    """The project's own features."""
    features = Features.model_validate({**{name: {} for name in names}, **options})
    return lambda samples, rate_hz: compute(samples, rate_hz, features)


def contests() -> list[Contest]:
    """What is measured."""
    nine = {name: _ALLOWED.get(name, 1e-2) for name in NINE if name != "spectral_centroid"}
    same, mel = {"harmonic": 0.0, "percussive": 0.0}, {"log_mel": 1e-3}
    given = lambda *clip: clip  # noqa: E731
    return [
        Contest("log-mel", given, naive_log_mel, fast(["log_mel"]), 2.3, mel),
        Contest("medians of HPSS, 31 frames and 31 bins", magnitudes, naive_medians, fast_medians, 100, same, whole),
        Contest("nine features", given, naive_nine, fast(NINE), 48, nine),
        Contest(
            "log-mel in double precision",
            given,
            naive_log_mel,
            fast(["log_mel"], precision="double"),
            0,
            {"log_mel": 5e-5},
        ),
    ]


def hold(contest: Contest, clips: Sequence[tuple[Array, int]], repeats: int) -> Result:
    """Measures both sides in turn, on every clip; their first turn counts for the differences alone."""
    seconds: dict[str, list[float]] = {"reference": [], "fast": []}
    differences: dict[str, float] = {}
    for samples, rate_hz in clips:
        given = contest.prepare(samples, rate_hz)
        wanted = contest.reference(*given)
        found = contest.arranged(contest.fast(*given), wanted)
        for name in found:
            differences[name] = max(differences.get(name, 0.0), difference(name, found[name], wanted[name]))
        for _ in range(repeats):
            for side, own in seconds.items():
                begin = time.perf_counter()
                getattr(contest, side)(*given)
                own.append(time.perf_counter() - begin)
    times_ms = [1000 * median(seconds[side]) for side in ("reference", "fast")]
    return Result(contest.name, *times_ms, contest.ratio, differences, dict(contest.allowed))


def difference(name: str, found: Array, wanted: Array) -> float:
    """The greatest difference; of rolloffs, the share of frames that differ, infinite where one differs by two bins."""
    distances = np.abs(np.asarray(found, float) - wanted)
    if name != "spectral_rolloff":
        return float(distances.max())
    bin_hz = np.diff(np.unique(wanted)).min(initial=np.inf)
    return float((distances > 0).mean()) if distances.max() < 1.5 * bin_hz else np.inf


def first_use_s(names: Sequence[str]) -> tuple[float, float]:
    """What the first clip of a process takes where nothing is compiled yet, and where all is."""
    code = (
        "import sys, time, librosa, numpy as np; from pipelines.features import *;"
        "librosa.filters.mel(sr=22050, n_fft=2048);"
        "chosen = Features.model_validate({name: {} for name in sys.argv[1:]}); begin = time.perf_counter();"
        "compute(np.ones(661500, np.float32), 22050, chosen); print(time.perf_counter() - begin)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        run = [sys.executable, "-c", code, *names]
        cold, warm = (float(subprocess.check_output(run, env=environment, text=True)) for _ in range(2))
    return cold, warm


def machine() -> dict[str, str]:
    """What it was measured on, and with."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    libraries = {name: version(name) for name in ("librosa", "numba", "numpy", "scipy")}
    return {"processor": next(iter(models), platform.processor()), "cores": str(os.cpu_count()), **libraries}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.features", description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="an audio file")
    parser.add_argument("--repeats", type=int, default=5, help="how often each is measured on each clip (default: 5)")
    parser.add_argument("--output", type=Path, help="a JSON file of the same figures")
    options = parser.parse_args()
    threadpoolctl.threadpool_limits(1, "blas")
    clips = [librosa.to_mono(soundfile.read(path, dtype="float32", always_2d=True)[0].T) for path in options.clips]
    rates_hz = [soundfile.info(path).samplerate for path in options.clips]
    results = [hold(contest, list(zip(clips, rates_hz, strict=True)), options.repeats) for contest in contests()]
    header = ["of a clip", "reference (ms)", "fast (ms)", "ratio", "required", "greatest difference", "allowed"]
    print(table(header, [result.cells() for result in results]))
    first = {kind: first_use_s(names) for kind, names in (("nine features", NINE), ("log-mel", ("log_mel",)))}
    rows = [[kind, *(f"{seconds:.2f}" for seconds in both)] for kind, both in first.items()]
    print("", table(["first clip of a process (s)", "nothing compiled yet", "all compiled"], rows), sep="\n")
    print("", f"{len(clips)} clips, {options.repeats} times each; {machine()}", sep="\n")
    if options.output:
        figures = [{**dataclasses.asdict(result), "ratio": result.ratio} for result in results]
        options.output.write_text(
            json.dumps({"machine": machine(), "results": figures, "first_use_s": first}, indent=1)
        )
    return int(not all(result.passes for result in results))


if __name__ == "__main__":
    sys.exit(main())
