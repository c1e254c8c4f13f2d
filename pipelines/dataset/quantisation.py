"""How a feature's values are stored: as float16, or as uint8 with a scale of their own."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays import spooled
from pipelines.common.arrays.spooled import FrameArray
from pipelines.config import StorageType


def is_scaled(dtype: StorageType) -> bool:
    """Whether a feature of this type is stored with a scale."""
    return dtype == "uint8"


def item_bytes(dtype: StorageType) -> int:
    """How many bytes a value takes.

    >>> item_bytes("float16"), item_bytes("uint8")
    (2, 1)
    """
    return np.dtype(dtype).itemsize


def scale_of(values: FrameArray, dtype: StorageType) -> tuple[float, float]:
    """The scale by which a feature is stored.

    Returns
    -------
    step, lowest : float
        Of float16 1 and 0.

    Examples
    --------
    >>> scale_of(np.array([[-80.0, 0.0], [-29.0, 47.5]], np.float32), "uint8")
    (0.5, -80.0)
    """
    if not is_scaled(dtype):
        return 1.0, 0.0
    lowest, highest = spooled.min_max(values)
    # As float32, so that what is recorded is what is used.
    return float(np.float32((highest - lowest) / 255)) or 1.0, float(np.float32(lowest))


def quantise(values: NDArray[np.float32], dtype: StorageType, scale: Sequence[float]) -> NDArray[Any]:
    """Values of a feature as they are stored; of uint8, `stored * step + lowest` restores them to within half a step.

    Parameters
    ----------
    values : array
    dtype : 'float16' or 'uint8'
    scale : (step, lowest)

    Examples
    --------
    >>> quantise(np.array([-80.0, -79.4, 47.5], np.float32), "uint8", (0.5, -80.0))
    array([  0,   1, 255], dtype=uint8)
    """
    if not is_scaled(dtype):
        from pipelines.common.arrays.float16 import to_float16  # compiles, which readers need not wait for

        return to_float16(values).astype("<f2", copy=False)
    step, lowest = scale
    steps: NDArray[np.float32] = np.rint((values - lowest) / step)
    return np.clip(steps, 0, 255).astype(np.uint8)


def dequantise(stored: NDArray[Any], scale: Sequence[float]) -> NDArray[np.float32]:
    """The values of a stored feature.

    >>> dequantise(np.array([0, 1, 255], np.uint8), (0.5, -80.0))
    array([-80. , -79.5,  47.5], dtype=float32)
    """
    values: NDArray[np.float32] = stored.astype(np.float32)
    return values if stored.dtype == np.float16 else values * np.float32(scale[0]) + np.float32(scale[1])
