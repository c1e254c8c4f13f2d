"""Acoustic fingerprints: Chromaprint's algorithm 2, its default.

Sources: L. Lalinsky, "How does Chromaprint work?", 2011, https://oxygene.sk/2011/01/how-does-chromaprint-work/; of the
constants, https://github.com/acoustid/chromaprint, `src/fingerprinter_configuration.cpp`. A value describes, by 16
filters of two bits each, how the energy of the twelve pitch classes changes over 2.7 s of music.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.common.arrays import aligned, spooled
from pipelines.common.arrays.jit import compiled
from pipelines.common.arrays.spooled import FrameArray, min_max, stretch
from pipelines.features.fft import FrameSpectra
from pipelines.features.kernels import FRAMES

_RATE_HZ, _FRAME, _HOP = 11_025, 4_096, 1_365
_LOWEST_HZ, _HIGHEST_HZ, _A_HZ = 28, 3_520, 27.5
_SMOOTHING = (0.25, 0.75, 1.0, 0.75, 0.25)  # of pitch classes, over frames
_LEAST_ENERGY = 0.01  # of a frame, of samples scaled to a peak of 1
_WIDTH = 16  # frames, of the widest filter

_SPAN_HOPS = len(_SMOOTHING) - 1 + _WIDTH - 1

VERSION = 2
"""To be raised with every change of the fingerprint of a recording: datasets then read their files again."""

VALUE_S = _HOP / _RATE_HZ
"""Seconds from one value of a fingerprint to the next."""

SPAN_S = (_FRAME + _SPAN_HOPS * _HOP) / _RATE_HZ
"""Seconds of music that one value describes."""

LEAST_S = SPAN_S + 15 * VALUE_S
"""Seconds of music that suffice to be compared: shorter stretches agree by chance too often."""

# A filter covers some pitch classes during some frames. It divides them into parts, frames (rows) by pitch classes
# (columns), and measures how much more energy is in those of + than in those of -.
_WHOLE, _HIGHER, _LATER = ("+",), ("-+",), ("-", "+")
_CROSSED, _MIDDLE_CLASSES, _MIDDLE_FRAMES = ("-+", "+-"), ("-+-",), ("-", "+", "-")
# Each filter's parts, first pitch class, pitch classes and frames, and the limits between its four steps.
_FILTERS = (
    (_WHOLE, 4, 3, 15, (1.98215, 2.35817, 2.63523)),
    (_MIDDLE_CLASSES, 4, 6, 15, (-1.03809, -0.651211, -0.282167)),
    (_HIGHER, 0, 4, 16, (-0.298702, 0.119262, 0.558497)),
    (_CROSSED, 8, 2, 12, (-0.105439, 0.0153946, 0.135898)),
    (_CROSSED, 4, 4, 8, (-0.142891, 0.0258736, 0.200632)),
    (_MIDDLE_CLASSES, 0, 3, 5, (-0.826319, -0.590612, -0.368214)),
    (_HIGHER, 2, 2, 9, (-0.557409, -0.233035, 0.0534525)),
    (_LATER, 7, 3, 4, (-0.0646826, 0.00620476, 0.0784847)),
    (_LATER, 6, 2, 16, (-0.192387, -0.029699, 0.215855)),
    (_LATER, 1, 3, 2, (-0.0397818, -0.00568076, 0.0292026)),
    (_MIDDLE_FRAMES, 10, 1, 15, (-0.53823, -0.369934, -0.190235)),
    (_CROSSED, 6, 2, 10, (-0.124877, 0.0296483, 0.139239)),
    (_LATER, 1, 1, 14, (-0.101475, 0.0225617, 0.231971)),
    (_CROSSED, 5, 6, 4, (-0.0799915, -0.00729616, 0.063262)),
    (_HIGHER, 9, 2, 12, (-0.272556, 0.019424, 0.302559)),
    (_CROSSED, 4, 2, 14, (-0.164292, -0.0321188, 0.0846339)),
)

_LIMITS = np.array([limits for *_, limits in _FILTERS]).T[..., np.newaxis]  # shape (limits, filters, 1)
_GRAY_CODE = np.array([0, 1, 3, 2], np.uint32)  # neighbouring steps differ in one bit
_SHIFTS = 2 * np.arange(len(_FILTERS), dtype=np.uint32)[::-1, np.newaxis]  # the first filter's bits are the highest

_BINS = np.arange(round(_LOWEST_HZ * _FRAME / _RATE_HZ), round(_HIGHEST_HZ * _FRAME / _RATE_HZ))
_CLASS_OF_BIN = np.floor(12 * np.log2(_BINS * _RATE_HZ / _FRAME / _A_HZ)).astype(int) % 12

_WINDOW = np.hamming(_FRAME)
# A half-band filter's weights of the samples at distances 1, 3, ... 15. 78 dB lie between what is at 3.5 kHz and what
# would fall there when every other sample is left out, which was at 7.5 kHz.
_HALF_BAND = np.sinc(np.arange(1, 16, 2) / 2) * np.kaiser(31, 7.9)[16::2]
_HALF_BAND = (_HALF_BAND / (4 * _HALF_BAND.sum())).astype(np.float32)
_BLOCK = 1 << 16  # samples that are worked on together: what is made of them stays in a core's cache

Values = NDArray[np.uint32]


def of_samples(samples: FrameArray, sample_rate_hz: int) -> bytes:
    """A recording's fingerprint.

    Parameters
    ----------
    samples : array or SpooledArray, shape (samples,)
        Mono. Their level does not matter.
    sample_rate_hz : int

    Returns
    -------
    bytes
        Values of 32 bits, little-endian, one every `VALUE_S`; none where there is less than `LEAST_S` of music.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=10 * 22_050).astype(np.float32)
    >>> len(of_samples(noise, 22_050)) // 4  # in 10 s
    59
    """
    if len(samples) < LEAST_S * sample_rate_hz:
        return b""
    return _values(_image(_energies(samples, sample_rate_hz))).astype("<u4").tobytes()


def values(fingerprint: bytes) -> Values:
    """The values of a fingerprint, shape (values,).

    >>> values(bytes([1, 0, 0, 0, 0, 1, 0, 0]))
    array([  1, 256], dtype=uint32)
    """
    return np.frombuffer(fingerprint, "<u4")


def _energies(samples: FrameArray, sample_rate_hz: int) -> NDArray[np.float64]:
    """Each frame's energy in each pitch class, shape (frames, 12), of samples scaled to a peak of 1."""
    scale = np.float32(1 / max(*map(abs, min_max(samples)), 1e-9))
    resampled = _resampled(samples, sample_rate_hz)
    frames = (len(resampled) - _FRAME) // _HOP + 1
    spectra = FrameSpectra(_WINDOW, _HOP, np.dtype(np.float32))
    power = aligned.empty((1 + _FRAME // 2, FRAMES), np.float32)
    energies = np.zeros((-(-frames // FRAMES), 12, FRAMES))
    for block, of_block in enumerate(energies):
        spectra.write(stretch(resampled, block * FRAMES * _HOP, spectra.samples) * scale, power)
        _add_up(power, _BINS[0], _CLASS_OF_BIN, of_block)
    return energies.transpose(0, 2, 1).reshape(-1, 12)[:frames]


def _resampled(samples: FrameArray, sample_rate_hz: int) -> FrameArray:
    """The samples at the rate of fingerprints."""
    while sample_rate_hz % (2 * _RATE_HZ) == 0:  # as by default: in a third of soxr's time
        samples, sample_rate_hz = spooled.concatenate(_halved(samples)), sample_rate_hz // 2
    if sample_rate_hz == _RATE_HZ:
        return samples
    return spooled.concatenate(_by_soxr(samples, sample_rate_hz))


def _halved(samples: FrameArray) -> Iterator[NDArray[np.float32]]:
    """Every other sample of those whose upper half of frequencies was taken away, in blocks."""
    around = 2 * len(_HALF_BAND)
    for begin in range(0, len(samples), _BLOCK):
        halved = np.empty((min(_BLOCK, len(samples) - begin) + 1) // 2, np.float32)
        seen = stretch(samples, begin - around, 2 * (len(halved) + around)).reshape(-1, 2).T
        _filter_half_band(seen[0, around // 2 :].copy(), seen[1].copy(), halved)
        yield halved


@compiled
def _filter_half_band(even: Any, odd: Any, out: Any) -> None:
    """Writes half of each even sample and the weighted sum of the odd ones around it."""
    for n in range(len(out)):
        total = even[n] * np.float32(0.5)
        for k in range(len(_HALF_BAND)):
            total += (odd[n + len(_HALF_BAND) - 1 - k] + odd[n + len(_HALF_BAND) + k]) * _HALF_BAND[k]
        out[n] = total


def _by_soxr(samples: FrameArray, sample_rate_hz: int) -> Iterator[NDArray[np.float32]]:
    import soxr

    resampler = soxr.ResampleStream(sample_rate_hz, _RATE_HZ, 1, dtype="float32", quality="HQ")
    for begin in range(0, len(samples), _BLOCK):
        block = np.ascontiguousarray(samples[begin : begin + _BLOCK])
        yield resampler.resample_chunk(block, last=begin + _BLOCK >= len(samples))


@compiled
def _add_up(power: Any, lowest: int, class_of_bin: Any, out: Any) -> None:
    """Adds the energy of each bin from the lowest to its pitch class."""
    for n in range(len(class_of_bin)):
        energies, sums = power[lowest + n], out[class_of_bin[n]]
        for frame in range(FRAMES):
            sums[frame] += energies[frame]


def _image(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    """The energies smoothed over frames, each frame scaled to unit length, or to 0 where it has hardly any energy."""
    frames = len(energies) - len(_SMOOTHING) + 1
    image = sum(weight * energies[first : first + frames] for first, weight in enumerate(_SMOOTHING))
    norm = np.linalg.norm(image, axis=1, keepdims=True)
    return np.where(norm < _LEAST_ENERGY, 0, image / np.maximum(norm, _LEAST_ENERGY))


def _values(image: NDArray[np.float64]) -> Values:
    """Two bits of each filter, at each frame at which all of them fit."""
    count = len(image) - _WIDTH + 1
    sums = np.pad(image.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0))).T.copy()
    energies = np.zeros((2, len(_FILTERS), count))  # in the parts of +, and in those of -
    for number, (parts, first, classes, frames, _) in enumerate(_FILTERS):
        for (begin, end), row in zip(_divided(frames, len(parts)), parts, strict=True):
            for (low, high), sign in zip(_divided(classes, len(row)), row, strict=True):
                until = sums[first + high] - sums[first + low]
                energies["+-".index(sign), number] += until[end : end + count] - until[begin : begin + count]
    contrasts = np.subtract(*np.log1p(energies))
    steps = sum(contrasts >= limits for limits in _LIMITS)
    return np.asarray(np.bitwise_or.reduce(_GRAY_CODE[steps] << _SHIFTS, axis=0))


def _divided(length: int, parts: int) -> Iterator[tuple[int, int]]:
    """Where each of some equal parts begins and ends; the remainder belongs to the last."""
    return itertools.pairwise([*range(0, length // parts * parts, length // parts), length])
