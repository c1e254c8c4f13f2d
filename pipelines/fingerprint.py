"""Acoustic fingerprints: Chromaprint, by the ffmpeg that `imageio-ffmpeg` brings.

Source: L. Lalinsky, "How does Chromaprint work?", 2011, https://oxygene.sk/2011/01/how-does-chromaprint-work/. A value
tells, by 16 filters of two bits each, how the energy of the twelve pitch classes changes over 2.7 s of music.
"""

import subprocess

import numpy as np
from numpy.typing import NDArray

_RATE_HZ, _FRAME, _HOP, _SPAN_HOPS = 11_025, 4_096, 1_365, 19  # of Chromaprint's algorithm

VALUE_S = _HOP / _RATE_HZ
"""The seconds from one value of a fingerprint to the next."""

SPAN_S = (_FRAME + _SPAN_HOPS * _HOP) / _RATE_HZ
"""The seconds of music that one value tells of."""

LEAST_S = SPAN_S + 15 * VALUE_S
"""The seconds of music that are enough to be compared: shorter stretches agree by chance too often."""

Values = NDArray[np.uint32]


def of_samples(samples: NDArray[np.float32], sample_rate_hz: int) -> bytes:
    """A recording's fingerprint.

    Parameters
    ----------
    samples : array, shape (samples,)
        Mono. Their level does not matter.
    sample_rate_hz : int

    Returns
    -------
    bytes
        Values of 32 bits, little-endian, one every `VALUE_S`; none where there is less than `LEAST_S` of music.

    Raises
    ------
    RuntimeError
        ffmpeg fails.
    """
    import imageio_ffmpeg

    if len(samples) < LEAST_S * sample_rate_hz:
        return b""
    # At full scale, so that 16 bits are enough for quiet recordings too.
    pcm = np.round(samples * (32_767 / max(float(np.abs(samples).max()), 1e-9))).astype("<i2")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "s16le", "-ar", str(sample_rate_hz), "-ac", "1"]
    command += ["-i", "pipe:0", "-f", "chromaprint", "-fp_format", "raw", "pipe:1"]
    done = subprocess.run(command, input=pcm.tobytes(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ffmpeg cannot fingerprint it ({done.stderr.decode(errors='replace').strip()})")
    return done.stdout


def values(fingerprint: bytes) -> Values:
    """The values of a fingerprint, shape (values,)."""
    return np.frombuffer(fingerprint, "<u4")
