"""Samples to the features that a configuration names, by the backend that it names."""

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays import spooled
from pipelines.common.arrays.spooled import FrameArray
from pipelines.features.schema import Features

VERSION = 2
"""To be raised with every change that gives a recording other features: datasets then read their files again."""


def compute(samples: FrameArray, sample_rate_hz: int, features: Features) -> dict[str, NDArray[np.float32]]:
    """Computes the features of a recording, in memory.

    Parameters
    ----------
    samples : array or SpooledArray, shape (samples,)
        Mono audio, float32.
    sample_rate_hz : int
    features : Features

    Returns
    -------
    dict
        Each feature by name: float32, shape (frames, bins), with frames = `Feature.frames(samples)`.

    Raises
    ------
    NotImplementedError
        The backend has no recipe for a feature's class.

    Examples
    --------
    >>> from pipelines.features.schema import Chroma, LogMel
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050).astype(np.float32)
    >>> arrays = compute(tone, 22_050, Features(log_mel=LogMel(n_mels=64), chroma=Chroma()))
    >>> {name: values.shape for name, values in arrays.items()}
    {'log_mel': (44, 64), 'chroma': (44, 12)}
    >>> int(arrays["chroma"][20].argmax())  # A
    9
    """
    arrays = compute_spooled(samples, sample_rate_hz, features)
    return {name: np.ascontiguousarray(values[:]) for name, values in arrays.items()}


def compute_spooled(samples: FrameArray, sample_rate_hz: int, features: Features) -> dict[str, FrameArray]:
    """Computes the features as `compute` does; with the backend `fast`, large ones lie on disk."""
    dtype = np.dtype(np.float32 if features.precision == "single" else np.float64)
    arrays = _backend(features.backend).compute(samples, sample_rate_hz, features.chosen, dtype)
    return {name: spooled.to_float32(values) for name, values in arrays.items()}


def _backend(name: str) -> ModuleType:
    if name == "fast":
        from pipelines.features import blockwise

        return blockwise
    from pipelines.features import librosa_backend

    return librosa_backend
