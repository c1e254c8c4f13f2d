"""Features against librosa and scipy, one core: how fast they are computed, and how near they are to theirs."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import librosa
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pipelines.audio import decode
from pipelines.audio.schema import AudioConfig
from pipelines.features.compute import compute
from pipelines.features.hpss import HpssReader
from pipelines.features.kernels import FRAMES
from pipelines.features.schema import Features, StftDb
from pipelines.features.spectra import BlockStft, FrameBlock
from tests.benchmarks.changes import Change, convert
from tests.benchmarks.clips import RATE_HZ, Clips
from tests.benchmarks.contests import Difference, Row, faster, in_turn, timed

Array = NDArray[Any]
Arrays = Mapping[str, Array]

NINE = (
    "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma",
    "spectral_centroid", "spectral_rolloff", "onset_strength", "tempogram",
)  # fmt: skip

_ALLOWED = {"mfcc": 1e-2, "chroma": 1e-5, "tempogram": 1e-5, "onset_strength": 1e-2, "spectral_rolloff": 0.005}
_WINDOW = 31
_CLIPS = 10
_TURNS = 3  # on each clip
_ENCODED = (
    Change("mp3", "mp3", ("-ar", "44100", "-ac", "2", "-b:a", "192k")),
    Change("ogg", "ogg", ("-ar", "44100", "-ac", "2", "-c:a", "libvorbis", "-q:a", "5")),
)


@dataclass(frozen=True)
class Contest:
    """Two ways to compute the same of a clip.

    Attributes
    ----------
    measured, against : str
    prepare : callable
        Makes of samples and their rate what both are given.
    reference, ours : callable
        Give arrays by name.
    at_least : float or None
        How many times faster `ours` has to be.
    allowed : dict
        The greatest difference of each array; of `spectral_rolloff`, the greatest share of frames that differ.
    arranged : callable
        Gives what `ours` found in the shape of what `reference` gave; that takes no part in the measurement.
    """

    measured: str
    against: str
    prepare: Callable[[Array, int], tuple[Any, ...]]
    reference: Callable[..., Arrays]
    ours: Callable[..., Arrays]
    at_least: float | None
    allowed: Mapping[str, float]
    arranged: Callable[[Arrays, Arrays], Arrays] = lambda found, wanted: found


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


class Medians(HpssReader):
    """The medians alone, written into `out`, shape (blocks, 2, bins, FRAMES)."""

    def __init__(self, stft: BlockStft, out: Array):
        super().__init__(stft, _WINDOW)
        self._out = out

    def pass_on(self, block: FrameBlock, medians: Array) -> None:
        self._out[block.first // FRAMES] = medians


def magnitudes(samples: Array, rate_hz: int) -> tuple[Array, Array, BlockStft, list[FrameBlock]]:
    """What both medians are of, shape (bins, frames), room for them, and the same by blocks."""
    stft = BlockStft(samples, rate_hz, StftDb(), np.dtype(np.float32))
    blocks = list(stft.blocks())
    magnitude = np.hstack([block.magnitude for block in blocks])[:, : stft.frames].copy()
    return magnitude, np.zeros((len(blocks), 2, stft.bins, FRAMES), np.float32), stft, blocks


def naive_medians(magnitude: Array, *_: Any) -> Arrays:
    """As `librosa.decompose.hpss` has them."""
    sizes = {"harmonic": (1, _WINDOW), "percussive": (_WINDOW, 1)}
    return {name: ndimage.median_filter(magnitude, size=size, mode="reflect") for name, size in sizes.items()}


def fast_medians(_: Array, out: Array, stft: BlockStft, blocks: Sequence[FrameBlock]) -> Arrays:
    """The same as a build has them: block by block, with all the mirroring and turning that they take."""
    medians = Medians(stft, out)
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


def _given(*clip: Any) -> tuple[Any, ...]:
    return clip


_NAIVE_LOG_MEL = "`librosa.feature.melspectrogram`, `power_to_db`"
_CONTESTS = {
    "log_mel": Contest("log-mel", _NAIVE_LOG_MEL, _given, naive_log_mel, fast(["log_mel"]), 2.3, {"log_mel": 1e-3}),
    "medians": Contest(
        "HPSS medians, 31 frames and 31 bins",
        "`ndimage.median_filter`",
        magnitudes,
        naive_medians,
        fast_medians,
        100,
        {"harmonic": 0.0, "percussive": 0.0},
        whole,
    ),
    "nine": Contest(
        "nine features",
        "librosa, one call each",
        _given,
        naive_nine,
        fast(NINE),
        48,
        {name: _ALLOWED.get(name, 1e-2) for name in NINE if name != "spectral_centroid"},
    ),
    "double": Contest(
        "log-mel in double precision",
        _NAIVE_LOG_MEL,
        _given,
        naive_log_mel,
        fast(["log_mel"], precision="double"),
        None,
        {"log_mel": 5e-5},
    ),
}


def hold(contest: Contest, clips: Sequence[Array]) -> Row:
    """Measures both sides in turn on every clip, and compares what they give; the medians are over all clips."""
    seconds: dict[str, list[float]] = {"reference": [], "ours": []}
    differences: dict[str, float] = {}
    for samples in clips:
        given = contest.prepare(samples, RATE_HZ)
        wanted = contest.reference(*given)
        found = contest.arranged(contest.ours(*given), wanted)
        for name in contest.allowed:
            differences[name] = max(differences.get(name, 0.0), difference(name, found[name], wanted[name]))
        sides = {side: timed(partial(getattr(contest, side), *given)) for side in seconds}
        for side, elapsed_s in in_turn(sides, _TURNS).items():
            seconds[side].append(elapsed_s)
    return faster(
        f"{contest.measured}, a clip",
        contest.against,
        {side: median(values) for side, values in seconds.items()},
        at_least=contest.at_least,
        differences={name: Difference(differences[name], most) for name, most in contest.allowed.items()},
    )


def difference(name: str, found: Array, wanted: Array) -> float:
    """The greatest difference; of rolloffs, the share of frames that differ, infinite where one differs by two bins."""
    distances = np.abs(np.asarray(found, float) - wanted)
    if name != "spectral_rolloff":
        return float(distances.max())
    bin_hz = np.diff(np.unique(wanted)).min(initial=np.inf)
    return float((distances > 0).mean()) if distances.max() < 1.5 * bin_hz else np.inf


def log_mel(clips: Clips) -> list[Row]:
    """Log-mel, in both precisions."""
    samples = clips.samples(_CLIPS)
    return [hold(_CONTESTS["log_mel"], samples), hold(_CONTESTS["double"], samples)]


def medians(clips: Clips) -> list[Row]:
    """The two median filters of harmonic-percussive separation."""
    return [hold(_CONTESTS["medians"], clips.samples(_CLIPS))]


def nine(clips: Clips) -> list[Row]:
    """The nine features that the seed network wants."""
    return [hold(_CONTESTS["nine"], clips.samples(_CLIPS))]


def compressed(clips: Clips) -> list[Row]:
    """mp3 and ogg files of 44.1 kHz stereo to log-mel."""
    ours, config = fast(["log_mel"]), AudioConfig()
    rows = []
    for change in _ENCODED:
        files = []
        for source in sorted(clips.many(_CLIPS).rglob("*.wav")):
            files.append(convert(source, Path(clips.folder, f"{source.stem}.{change.suffix}"), change))
        sides = {
            "reference": lambda files=files: [naive_log_mel(*librosa.load(file)) for file in files],
            "ours": lambda files=files: [ours(decode.load(str(file), config).samples, RATE_HZ) for file in files],
        }
        seconds = in_turn({name: timed(side, len(files)) for name, side in sides.items()})
        measured = f"{change.name} of 44.1 kHz stereo to log-mel, a clip"
        rows.append(faster(measured, f"`librosa.load`, {_NAIVE_LOG_MEL}", seconds, at_least=1.5))
    return rows


def first_use(_: Clips) -> list[Row]:
    """What the first 30 s of a process take, where nothing is compiled yet."""
    cold_s, warm_s = first_use_s(NINE)
    return [
        Row(
            "nine features, a process's first 30 s, nothing compiled yet",
            "the same with all compiled",
            cold_s,
            warm_s,
            "s",
            cold_s,
            "s",
            at_most=10.0,
        )
    ]


def first_use_s(names: Sequence[str]) -> tuple[float, float]:
    """What the first clip of a process takes where nothing is compiled yet, and where all is."""
    code = (
        "import sys, time, librosa, numpy as np; "
        "from pipelines.features.compute import *; from pipelines.features.schema import *;"
        "librosa.filters.mel(sr=22050, n_fft=2048);"
        "chosen = Features.model_validate({name: {} for name in sys.argv[1:]}); begin = time.perf_counter();"
        "compute(np.ones(661500, np.float32), 22050, chosen); print(time.perf_counter() - begin)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        run = [sys.executable, "-c", code, *names]
        cold_s, warm_s = (float(subprocess.check_output(run, env=environment, text=True)) for _ in range(2))
    return cold_s, warm_s
