"""Whether a decoded recording is good enough to learn from, or to predict."""

import numpy as np

from pipelines.audio.decode import Recording
from pipelines.audio.schema import AudioConfig
from pipelines.audio.streams import TRUNCATED
from pipelines.common.arrays import spooled
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason

NOT_FINITE = Reason("not_finite", "the samples hold NaN or infinity, or a feature does, or more than float16 can")
SILENT = Reason("silent", "digital silence")
TOO_SHORT = Reason("too_short", "shorter than audio.min_duration_s")

VERSION = 1
"""To be raised with every change of how files are decoded, or which are rejected: datasets then read them again."""

SILENCE_PEAK = 1e-4
"""Peak-to-peak range below which a recording is silence: -80 dB of full scale."""


def check(recording: Recording, config: AudioConfig) -> None:
    """Refuses a recording that is too short, silent, or holds NaN or infinity.

    Parameters
    ----------
    recording : Recording
    config : AudioConfig
        With which it was decoded; its `min_duration_s` is the least that is accepted.

    Raises
    ------
    FileError
        The reason is `TOO_SHORT`, `TRUNCATED` (too short since the file ends early), `NOT_FINITE` or `SILENT`.

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
    if highest - lowest < SILENCE_PEAK:
        raise FileError(SILENT, f"peak to peak {highest - lowest:.1e}, expected at least {SILENCE_PEAK:g}")
