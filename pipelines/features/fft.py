"""Fourier transforms of neighbouring frames, which lie side by side, so that one instruction works on several.

An array of shape (length, FRAMES) is transformed along its first axis by sums and products of rows. The numbers of a
row never meet, so that the width of a processor's registers changes no bit.

The algorithm is the one of J. W. Cooley and J. W. Tukey ("An algorithm for the machine calculation of complex Fourier
series", 1965), by steps of four, decimated in time. Real values are transformed as complex ones of half the length, as
in W. H. Press et al., "Numerical Recipes", section "FFT of Single Real Function".
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays import aligned
from pipelines.common.arrays.jit import compiled
from pipelines.common.arrays.vectors import LANES, load, store
from pipelines.features import kernels
from pipelines.features.kernels import FRAMES

_SHORTEST = 8


class FrameSpectra:
    """The power spectra of `FRAMES` neighbouring windows of samples.

    Parameters
    ----------
    window : array, shape (n_fft,)
    hop_length : int
    dtype : dtype
        float32 or float64, in which everything is computed.

    Attributes
    ----------
    samples : int
        How many samples the windows see together, rounded up to whole hops.

    Examples
    --------
    >>> spectra = FrameSpectra(np.ones(8), 4, np.dtype(np.float32))
    >>> power = np.empty((5, FRAMES), np.float32)
    >>> spectra.write(np.ones(spectra.samples, np.float32), power)
    >>> power[:, 0]
    array([64.,  0.,  0.,  0.,  0.], dtype=float32)
    """

    def __init__(self, window: NDArray[Any], hop_length: int, dtype: np.dtype[Any]):
        self._window, self._hop_length, self._dtype = window, hop_length, dtype
        hops = FRAMES - 1 + -(-len(window) // hop_length)
        self.samples = hops * hop_length
        self._transform: RealTransform | None = None
        if is_length(len(window)):
            # Sample n of frame f is number n % hop_length of hop f + n // hop_length. By their numbers, then by hops,
            # the samples of neighbouring frames are neighbours.
            hop, number = np.divmod(np.arange(len(window)), hop_length)
            self._by_number = np.empty((hop_length, hops), dtype)
            self._transform = RealTransform(number * hops + hop, window, dtype)

    def write(self, samples: NDArray[Any], out: NDArray[Any]) -> None:
        """Writes the power of each bin, shape (1 + n_fft // 2, FRAMES)."""
        if self._transform:
            kernels.transpose(samples.reshape(-1, self._hop_length), self._by_number)
            self._transform.power(self._by_number, out)
        else:
            import scipy.fft  # which takes a process a fifth of a second to start

            windowed = np.empty((FRAMES, len(self._window)), self._dtype)
            kernels.cut(samples, self._hop_length, self._window, windowed)
            kernels.power(scipy.fft.rfft(windowed, axis=1, workers=1), out)


def is_length(length: int) -> bool:
    """Whether `RealTransform` has this length: other ones are left to scipy.

    >>> [length for length in range(100) if is_length(length)]
    [8, 16, 32, 64]
    """
    return length >= _SHORTEST and length & (length - 1) == 0


def length_of(values: int) -> int:
    """The least length of a `RealTransform` that has room for so many values.

    >>> [length_of(values) for values in (1, 8, 9, 767)]
    [8, 8, 16, 1024]
    """
    return max(1 << (values - 1).bit_length(), _SHORTEST)


class RealTransform:
    """The Fourier transform of the real values of each of `FRAMES` frames.

    Parameters
    ----------
    starts : array of int, shape (length,)
        Where the values stand: value n of frame f is number `starts[n] + f`.
    window : array, shape (length,)
        What each value is multiplied by.
    dtype : dtype
        float32 or float64, in which everything is computed.

    Examples
    --------
    >>> transform = RealTransform(np.arange(8) * FRAMES, np.ones(8), np.dtype(np.float32))
    >>> values, power = np.ones((8, FRAMES), np.float32), np.empty((5, FRAMES), np.float32)
    >>> transform.power(values, power)
    >>> power[:, 0]
    array([64.,  0.,  0.,  0.,  0.], dtype=float32)
    """

    def __init__(self, starts: NDArray[Any], window: NDArray[Any], dtype: np.dtype[Any]):
        half = len(window) // 2
        order = _order(half)
        order = np.stack([2 * order, 2 * order + 1], axis=1).ravel()  # a complex number is made of two real ones
        self._starts = starts[order]
        self._window = (window[order] / 2).astype(dtype)  # halved, as the last step adds where it should take the mean
        self._twiddles, done = [], 4  # as many as the first step joins
        while done < half:
            step = 2 if done == 4 and half % 3 == 2 else 4  # a power of four leaves 1
            self._twiddles.append(_twiddles(done, step, dtype))
            done *= step
        self._last = _twiddles(half, 2, dtype)[: half // 2 + 1]
        self._work = aligned.empty((half, 2 * FRAMES), dtype)  # of each row the real parts, then the imaginary ones

    def power(self, values: NDArray[Any], out: NDArray[Any]) -> None:
        """Writes the squared magnitudes, shape (1 + length // 2, FRAMES)."""
        self._transform(values)
        _power(self._work, self._last, out)

    def real(self, values: NDArray[Any], out: NDArray[Any]) -> None:
        """Writes the real parts, shape (1 + length // 2, FRAMES)."""
        self._transform(values)
        _real(self._work, self._last, out)

    def _transform(self, values: NDArray[Any]) -> None:
        _load_fours(values.ravel(), self._starts, self._window, self._work)
        for twiddles in self._twiddles:
            (_fours if twiddles.shape[1] == 6 else _twos)(self._work, twiddles)


@functools.lru_cache(maxsize=16)
def _order(length: int) -> NDArray[Any]:
    """In which order values have to stand, so that the steps leave their transform in its own order.

    >>> _order(8)
    array([0, 2, 4, 6, 1, 3, 5, 7])
    """
    if length == 1:
        return np.zeros(1, int)
    step = 2 if length == 8 else 4
    return np.concatenate([step * _order(length // step) + n for n in range(step)])


@functools.lru_cache(maxsize=64)
def _twiddles(done: int, step: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The factors of a step that joins so many transforms of length `done`: of each row real parts and imaginary ones.

    >>> _twiddles(2, 2, np.dtype(np.float32)).round(3)
    array([[ 1.,  0.],
           [ 0., -1.]], dtype=float32)
    """
    powers = np.exp(-2j * np.pi * np.outer(np.arange(done), np.arange(1, step)) / (step * done))
    return np.asarray(powers.view(float), dtype)


@compiled
def _load_fours(values: Any, starts: Any, window: Any, work: Any) -> None:
    """Writes half a row for each start, multiplied by its weight, and joins each four rows: their twiddles are 1."""
    for first in range(0, len(work), 4):
        s, w = starts[2 * first : 2 * first + 8], window[2 * first : 2 * first + 8]
        for f in range(0, FRAMES, LANES):
            ar, ai = load(values, s[0] + f) * w[0], load(values, s[1] + f) * w[1]
            br, bi = load(values, s[2] + f) * w[2], load(values, s[3] + f) * w[3]
            cr, ci = load(values, s[4] + f) * w[4], load(values, s[5] + f) * w[5]
            dr, di = load(values, s[6] + f) * w[6], load(values, s[7] + f) * w[7]
            _store_joined(work, first, 1, f, ar, ai, br, bi, cr, ci, dr, di)


@compiled
def _fours(work: Any, twiddles: Any) -> None:
    """Joins each four neighbouring transforms, as long as there are twiddles, to one."""
    done = len(twiddles)
    for first in range(0, len(work), 4 * done):
        for n in range(done):
            row = first + n
            a, b, c, d = work[row], work[row + done], work[row + 2 * done], work[row + 3 * done]
            u, v, w = twiddles[n, 0:2], twiddles[n, 2:4], twiddles[n, 4:6]
            for f in range(0, FRAMES, LANES):
                br, bi = _product(load(b, f), load(b, FRAMES + f), u)
                cr, ci = _product(load(c, f), load(c, FRAMES + f), v)
                dr, di = _product(load(d, f), load(d, FRAMES + f), w)
                _store_joined(work, row, done, f, load(a, f), load(a, FRAMES + f), br, bi, cr, ci, dr, di)


@compiled
def _store_joined(
    work: Any, row: int, step: int, f: int, ar: Any, ai: Any, br: Any, bi: Any, cr: Any, ci: Any, dr: Any, di: Any
) -> None:
    """Writes the transform of four complex numbers to a row and those at one, two and three steps from it."""
    a, b, c, d, g = work[row], work[row + step], work[row + 2 * step], work[row + 3 * step], FRAMES + f
    store(a, f, (ar + cr) + (br + dr))
    store(a, g, (ai + ci) + (bi + di))
    store(b, f, (ar - cr) + (bi - di))
    store(b, g, (ai - ci) - (br - dr))
    store(c, f, (ar + cr) - (br + dr))
    store(c, g, (ai + ci) - (bi + di))
    store(d, f, (ar - cr) - (bi - di))
    store(d, g, (ai - ci) + (br - dr))


@compiled
def _twos(work: Any, twiddles: Any) -> None:
    """Joins each two neighbouring transforms, as long as there are twiddles, to one."""
    done = len(twiddles)
    for first in range(0, len(work), 2 * done):
        for n in range(done):
            a, b, w = work[first + n], work[first + n + done], twiddles[n]
            for f in range(0, FRAMES, LANES):
                g = FRAMES + f
                ar, ai = load(a, f), load(a, g)
                br, bi = _product(load(b, f), load(b, g), w)
                store(a, f, ar + br)
                store(a, g, ai + bi)
                store(b, f, ar - br)
                store(b, g, ai - bi)


@compiled
def _product(re: Any, im: Any, factor: Any) -> Any:
    """Complex numbers times a complex factor."""
    return re * factor[0] - im * factor[1], re * factor[1] + im * factor[0]


@compiled
def _power(work: Any, twiddles: Any, out: Any) -> None:
    """Writes the squared magnitudes of the transform of real values, of that of half as many complex numbers."""
    half = len(work)
    for n in range(len(twiddles)):
        a, b, low, high = work[n], work[(half - n) % half], out[n], out[half - n]
        for f in range(0, FRAMES, LANES):
            ar, ai, br, bi = load(a, f), load(a, FRAMES + f), load(b, f), load(b, FRAMES + f)
            even_re, even_im = ar + br, ai - bi
            re, im = _product(ai + bi, br - ar, twiddles[n])
            store(low, f, (even_re + re) * (even_re + re) + (even_im + im) * (even_im + im))
            store(high, f, (even_re - re) * (even_re - re) + (even_im - im) * (even_im - im))


@compiled
def _real(work: Any, twiddles: Any, out: Any) -> None:
    """Writes the real part of the transform of real values, of that of half as many complex numbers."""
    half = len(work)
    for n in range(len(twiddles)):
        a, b, low, high = work[n], work[(half - n) % half], out[n], out[half - n]
        for f in range(0, FRAMES, LANES):
            ar, ai, br, bi = load(a, f), load(a, FRAMES + f), load(b, f), load(b, FRAMES + f)
            re, _ = _product(ai + bi, br - ar, twiddles[n])
            store(low, f, (ar + br) + re)
            store(high, f, (ar + br) - re)
