"""Time stretching by the ffmpeg that `imageio-ffmpeg` brings: another tempo at the same pitch."""

import subprocess

import numpy as np
from numpy.typing import NDArray


def at_tempo(samples: NDArray[np.float32], sample_rate_hz: int, tempo: float) -> NDArray[np.float32]:
    """Makes a recording faster or slower and keeps its pitch, by ffmpeg's filter `atempo`.

    Parameters
    ----------
    samples : array, shape (samples,)
        Mono audio.
    sample_rate_hz : int
    tempo : float
        The factor of speed, from 0.5 to 2: at 2 the result has half as many samples. 1 changes nothing.

    Returns
    -------
    array, shape (samples / tempo,)
        About as many samples.

    Raises
    ------
    RuntimeError
        ffmpeg fails, as for a tempo out of its range.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(44_100) / 22_050).astype(np.float32)
    >>> round(len(at_tempo(tone, 22_050, tempo=2.0)) / len(tone), 1)
    0.5
    """
    import imageio_ffmpeg

    if tempo == 1:
        return samples
    raw = ["-f", "f32le", "-ar", str(sample_rate_hz), "-ac", "1"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *raw, "-i", "pipe:0"]
    command += ["-af", f"atempo={tempo}", *raw, "pipe:1"]
    process = subprocess.run(command, input=samples.astype("<f4").tobytes(), capture_output=True, check=False)
    if process.returncode:
        raise RuntimeError(f"ffmpeg cannot change the tempo ({process.stderr.decode(errors='replace').strip()})")
    return np.frombuffer(process.stdout, "<f4").astype(np.float32)
