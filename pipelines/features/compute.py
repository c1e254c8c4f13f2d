"""Samples to the features that a configuration names, by the backend that it names."""

from types import ModuleType

import numpy as np

from pipelines.common.arrays import spooled
from pipelines.common.arrays.spooled import Rows
from pipelines.features.schema import Array, Features


def compute(samples: Rows, sample_rate_hz: int, features: Features) -> dict[str, Array]:
    """Computes a song's features, in memory.

    Parameters
    ----------
    samples : array or Spilled, shape (samples,)
        Mono audio.
    sample_rate_hz : int
    features : Features

    Returns
    -------
    dict
        Each feature by name: float32, shape (frames, bins), frames = 1 + samples // hop_length.
    """
    rows = compute_rows(samples, sample_rate_hz, features)
    return {name: np.ascontiguousarray(values[:]) for name, values in rows.items()}


def compute_rows(samples: Rows, sample_rate_hz: int, features: Features) -> dict[str, Rows]:
    """Computes a song's features as `compute`; those that are large lie in files, if the backend is `fast`."""
    dtype = np.dtype(np.float32 if features.precision == "single" else np.float64)
    arrays = _backend(features.backend).compute(samples, sample_rate_hz, features.chosen, dtype)
    return {name: spooled.single(values) for name, values in arrays.items()}


def _backend(name: str) -> ModuleType:
    if name == "fast":
        from pipelines.features import blockwise

        return blockwise
    from pipelines.features import librosa_backend

    return librosa_backend
