"""The compiled inner loops of the backend `fast`.

All of them see a block of `FRAMES` frames as an array of shape (bins, FRAMES), so that neighbouring frames share vector
registers. Arrays are C-contiguous, and all of one type, float32 or float64.
"""

import math
from typing import Any

import numpy as np

from pipelines.common.arrays.jit import compiled
from pipelines.common.arrays.vectors import LANES, load, maximum, store, store_transposed

FRAMES = 64
"""How many frames a block has."""

_BITS_OF_LOWEST_FRACTION = 0x3F3504F3  # of sqrt(1/2), float32
_DB_OF_TWO, _TWICE_DB_OF_E = 10 * math.log10(2), 20 * math.log10(math.e)


@compiled
def cut(samples: Any, hop_length: int, window: Any, out: Any) -> None:
    """Writes windowed frames of samples, shape (frames, n_fft). Each value rounds once, as the window is float64."""
    for frame in range(len(out)):
        begin = frame * hop_length
        source, windowed = samples[begin : begin + len(window)], out[frame]
        for n in range(len(window)):
            windowed[n] = source[n] * window[n]


@compiled
def transpose(rows: Any, out: Any) -> None:
    """Writes the transposed array, as much of it as both arrays hold."""
    height, width = min(len(out), rows.shape[1]), min(out.shape[1], len(rows))
    whole_height, whole_width = height // LANES * LANES, width // LANES * LANES
    for row in range(0, whole_height, LANES):
        for column in range(0, whole_width, LANES):
            store_transposed(rows, column, row, out)
    for row in range(height):
        for column in range(whole_width if row < whole_height else 0, width):
            out[row, column] = rows[column, row]


@compiled
def power(spectrum: Any, out: Any) -> None:
    """Writes the squared magnitudes of a spectrum of shape (frames, bins), transposed to (bins, frames)."""
    squares = np.empty(spectrum.shape, out.dtype)
    for frame in range(len(spectrum)):
        for b in range(len(out)):
            value = spectrum[frame, b]
            squares[frame, b] = value.real * value.real + value.imag * value.imag
    transpose(squares, out)


@compiled
def weigh(power: Any, first: Any, last: Any, weights: Any, out: Any) -> None:
    """Applies a sparse filter bank: the weighted sums of power over each filter's range of bins, (frames, filters)."""
    sums = np.zeros((len(first), FRAMES), power.dtype)
    for band in range(len(first)):
        begin, end, total = first[band], last[band], sums[band]
        fours = end - (end - begin) % 4
        for b in range(begin, fours, 4):
            w, one, two, three, four = weights[band, b : b + 4], power[b], power[b + 1], power[b + 2], power[b + 3]
            for f in range(0, FRAMES, LANES):
                first_two = load(one, f) * w[0] + load(two, f) * w[1]
                last_two = load(three, f) * w[2] + load(four, f) * w[3]
                store(total, f, load(total, f) + (first_two + last_two))
        for b in range(fours, end):
            for f in range(0, FRAMES, LANES):
                store(total, f, load(total, f) + load(power[b], f) * weights[band, b])
    transpose(sums, out)


@compiled
def decibels(values: Any, bits: Any, exponents: Any) -> None:
    """Replaces normal float32 by 10 times their logarithm to base 10, computed in float64 and rounded once.

    A value is a power of two times a fraction f from sqrt(1/2) to sqrt(2), and the logarithm of f a series of odd
    powers of (f - 1) / (f + 1), of which the first that is left out is below 2**-33 of the first.

    Parameters
    ----------
    values : array of float32, shape (values,)
    bits : array of int32, shape (values,)
        The same memory.
    exponents : array of int32
        Room for those of as many values as are worked on at once.
    """
    for first in range(0, len(values), len(exponents)):
        these, their_bits = values[first : first + len(exponents)], bits[first : first + len(exponents)]
        for n in range(len(their_bits)):
            above = their_bits[n] - _BITS_OF_LOWEST_FRACTION
            exponents[n] = above >> 23
            their_bits[n] = (above & 0x007FFFFF) + _BITS_OF_LOWEST_FRACTION
        for n in range(len(these)):
            fraction = np.float64(these[n])
            x = (fraction - 1) / (fraction + 1)
            y = x * x
            series = 1 + y * (1 / 3 + y * (1 / 5 + y * (1 / 7 + y * (1 / 9 + y / 11))))
            these[n] = _DB_OF_TWO * exponents[n] + _TWICE_DB_OF_E * x * series


@compiled
def centroids(magnitude: Any, frequencies: Any, out: Any) -> None:
    """Each frame's mean frequency, weighted by magnitude; 0 for silence."""
    totals, moments = np.zeros(FRAMES), np.zeros(FRAMES)
    for b in range(len(magnitude)):
        for frame in range(FRAMES):
            totals[frame] += magnitude[b, frame]
            moments[frame] += frequencies[b] * magnitude[b, frame]
    for frame in range(len(out)):
        out[frame, 0] = moments[frame] / totals[frame] if totals[frame] > 0 else 0


@compiled
def rolloffs(magnitude: Any, frequencies: Any, share: Any, out: Any) -> None:
    """Each frame's lowest frequency at or below which that share of its magnitude lies."""
    levels = np.zeros(FRAMES, magnitude.dtype)
    for b in range(len(magnitude)):
        for frame in range(FRAMES):
            levels[frame] += magnitude[b, frame]
    for frame in range(FRAMES):
        levels[frame] *= share
    sums, below = np.zeros(FRAMES, magnitude.dtype), np.zeros(FRAMES, np.int32)
    for b in range(len(magnitude)):
        for frame in range(FRAMES):
            sums[frame] += magnitude[b, frame]
            below[frame] += sums[frame] < levels[frame]
    for frame in range(len(out)):
        out[frame, 0] = frequencies[below[frame]]


@compiled
def peaks(power: Any, first: int, last: int, frames: int, places: Any, heights: Any) -> int:
    """Finds spectral peaks above a tenth of their frame's maximum by parabolic interpolation, as `librosa.piptrack`.

    Looks at the bins from `first` to before `last`, writes each peak's place, in bins, and its height, and returns how
    many peaks there are.
    """
    levels = np.empty(FRAMES, power.dtype)
    for f in range(0, FRAMES, LANES):
        highest = load(power[0], f)
        for b in range(1, len(power)):
            highest = maximum(load(power[b], f), highest)
        store(levels, f, highest)
    for frame in range(FRAMES):
        levels[frame] *= 0.1
    found = np.empty(FRAMES, np.bool_)
    count = 0
    for b in range(first, last):
        for frame in range(FRAMES):
            here = power[b, frame]
            found[frame] = (here > levels[frame]) & (here > power[b - 1, frame]) & (here >= power[b + 1, frame])
        for frame in range(frames):
            if found[frame]:
                here = power[b, frame]
                slope = (power[b + 1, frame] - power[b - 1, frame]) / 2
                curvature = power[b + 1, frame] + power[b - 1, frame] - 2 * here
                shift = -slope / curvature if abs(slope) < abs(curvature) else 0.0
                places[count] = b + shift
                heights[count] = here + slope * shift / 2
                count += 1
    return count


@compiled
def separate(magnitude: Any, harmonic: Any, percussive: Any, tiny: Any) -> None:
    """Replaces the medians over frames and over bins by the power of the harmonic and the percussive part.

    The masks are Wiener filters of the squared medians; where both medians vanish, each part has half the magnitude.
    """
    one = harmonic.dtype.type(1)
    half = one / harmonic.dtype.type(2)
    for b in range(len(harmonic)):
        for frame in range(FRAMES):
            along, across = harmonic[b, frame], percussive[b, frame]
            greater = max(along, across)
            ratio = min(along, across) / max(greater, tiny)
            lesser_share = ratio * ratio / (one + ratio * ratio)
            greater_share = one / (one + ratio * ratio)
            share = greater_share if along >= across else lesser_share
            other = lesser_share if along >= across else greater_share
            if greater < tiny:
                share = other = half
            harmonic[b, frame] = (magnitude[b, frame] * share) ** 2
            percussive[b, frame] = (magnitude[b, frame] * other) ** 2
