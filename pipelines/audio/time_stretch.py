"""Music at another tempo and the same pitch, by the ffmpeg that `imageio-ffmpeg` brings."""

import subprocess

import numpy as np
from numpy.typing import NDArray


def at_tempo(samples: NDArray[np.float32], sample_rate_hz: int, tempo: float) -> NDArray[np.float32]:
    """Plays a recording faster or slower, at constant pitch (ffmpeg's filter `atempo`).

    Parameters
    ----------
    samples : array, shape (samples,)
        Mono.
    sample_rate_hz : int
    tempo : float
        How many seconds of the recording one second of the result stands for, from 0.5 to 2; 1 changes nothing.

    Raises
    ------
    RuntimeError
        ffmpeg fails.
    """
    import imageio_ffmpeg

    if tempo == 1:
        return samples
    form = ["-f", "f32le", "-ar", str(sample_rate_hz), "-ac", "1"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *form, "-i", "pipe:0"]
    command += ["-af", f"atempo={tempo}", *form, "pipe:1"]
    done = subprocess.run(command, input=samples.astype("<f4").tobytes(), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ffmpeg cannot change the tempo ({done.stderr.decode(errors='replace').strip()})")
    return np.frombuffer(done.stdout, "<f4").astype(np.float32)
