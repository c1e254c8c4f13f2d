"""Windows of a song as arrays, for those who have no TensorFlow: what `model.networks.windows` does with tensors."""

import math

import numpy as np
from numpy.typing import NDArray


def count(frames: int, length: int) -> int:
    """How many windows a song is tiled into: as many as fit, and one more where over a tenth of one would be left.

    Examples
    --------
    >>> [count(frames, 100) for frames in (50, 210, 211)]
    [1, 2, 3]
    """
    return max(math.ceil(np.float32(frames) / np.float32(length) - np.float32(0.1)), 1)


def cut(values: NDArray[np.float32], length: int, share: float) -> NDArray[np.float32]:
    """One window of a feature; a song that is shorter than it is repeated.

    Parameters
    ----------
    values : array, shape (frames, bins)
    length : int
        The window's frames.
    share : float
        Where the window lies in the song, from 0 (first) to 1 (last).

    Returns
    -------
    array, shape (length, bins)

    Examples
    --------
    >>> cut(np.arange(4, dtype=np.float32)[:, None], 2, 1.0).ravel()
    array([2., 3.], dtype=float32)
    """
    first = round(share * max(len(values) - length, 0))
    return np.ascontiguousarray(values[(first + np.arange(length)) % len(values)], np.float32)
