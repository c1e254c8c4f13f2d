"""Whether a decoded recording is good enough to learn from, or to predict."""

import math

import numpy as np

from pipelines.audio.decode import Recording
from pipelines.audio.schema import AudioConfig
from pipelines.audio.streams import TOO_SHORT, TRUNCATED
from pipelines.common.arrays import spooled
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

NOT_FINITE = Reason("not_finite", "the samples hold NaN or infinity, or a feature does, or more than float16 can")
SILENT = Reason("silent", "digital silence")
CHANNELS_CANCEL = Reason(
    "channels_cancel", "the channels cancel each other, so that hardly anything is left of their mix"
)
NOT_FULL_SCALE = Reason("not_full_scale", "floating-point samples that have another scale than -1 to 1")

VERSION = 4
"""To be raised with every change of how files are decoded, or which are rejected: datasets then read them again."""

SILENCE_PEAK = 1e-4
"""Peak-to-peak range below which a recording is silence: -80 dB of full scale."""

LARGEST_PEAK = 32.0
"""Beyond which samples have another scale: 30 dB above full scale. No music is mastered so, and integers reach more."""

CANCELLED_DB = 20.0
"""How far a mix is below what channels that have nothing in common would give, where they cancel each other.

Of 89 pieces of stereo music from games none was below that by more than 2 dB: mixes 5 dB below their channels at most.
"""


def check(recording: Recording, config: AudioConfig) -> None:
    """Refuses a recording that is too short or silent, holds NaN or infinity, or is no music for the way it is stored.

    Parameters
    ----------
    recording : Recording
    config : AudioConfig
        With which it was decoded; its `min_duration_s` is the least that is accepted.

    Raises
    ------
    FileError
        The reason is `TOO_SHORT`, `TRUNCATED` (too short since the file ends early), `NOT_FINITE`, `CHANNELS_CANCEL`,
        `SILENT` or `NOT_FULL_SCALE`.

    Examples
    --------
    >>> silence = Recording(np.zeros(22_050, np.float32), 44_100, 2, content_hash="5f0c", truncated=False)
    >>> check(silence, AudioConfig(sample_rate_hz=22_050))
    Traceback (most recent call last):
    ...
    pipelines.common.errors.FileError: silent: peak to peak 0.0e+00, expected at least 0.0001
    """
    duration_s = len(recording.samples) / config.sample_rate_hz
    if duration_s < config.min_duration_s:
        found = f"{duration_s:.2f} s of audio, expected at least {config.min_duration_s:g} s"
        raise FileError(TRUNCATED if recording.truncated else TOO_SHORT, found)
    lowest, highest = spooled.min_max(recording.samples)
    if not np.isfinite(highest - lowest):
        raise FileError(NOT_FINITE, "samples hold NaN or infinity, expected finite numbers")
    _refuse_cancelled(recording)
    if highest - lowest < SILENCE_PEAK:
        raise FileError(SILENT, f"peak to peak {highest - lowest:.1e}, expected at least {SILENCE_PEAK:g}")
    peak = max(-lowest, highest)
    if peak > LARGEST_PEAK:
        found = f"the samples reach {peak:,.0f}, expected about 1 and at most {LARGEST_PEAK:g}"
        raise FileError(NOT_FULL_SCALE, f"{found}; divide them by their full scale, as 32,768 of 16 bits")


def _refuse_cancelled(recording: Recording) -> None:
    below_db = recording.channels_db - recording.mix_db
    if below_db > CANCELLED_DB + 10 * math.log10(max(recording.channels, 1)):
        left = f"mix {below_db:.0f} dB below the channels" if math.isfinite(below_db) else "nothing is left in the mix"
        found = f"{left}, which are at {recording.channels_db:.0f} dB of full scale"
        raise FileError(CHANNELS_CANCEL, f"the channels cancel each other ({found}); invert one, or keep one alone")
