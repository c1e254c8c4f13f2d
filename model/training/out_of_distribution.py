"""Out-of-distribution sounds: synthetic noise, tones and speech-like sounds, for a model to reject."""

import functools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from model.networks.windows import Windows
from pipelines.audio.schema import AudioConfig
from pipelines.dataset.dataset import Dataset
from pipelines.features.compute import compute
from pipelines.features.schema import Features

Samples = NDArray[np.float64]
"""Audio, shape (samples,)."""

_SOUNDS, _SOUNDS_AT_ONCE, _LONGEST_S = 200, 50, 5.0
_RATES_HZ = (8_000, 11_025, 16_000, np.inf, np.inf, np.inf)
_PAUSE_SHARE, _VOICED_SHARE = 0.25, 0.75
_FORMANTS_HZ, _FORMANT_WIDTH_HZ = ((300, 850), (850, 2500), (2300, 3300)), 80


def batches(dataset: Dataset, windows: Windows) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Normalised windows, one of each of 200 sounds, with the features of a dataset.

    Yields
    ------
    dict
        By feature, shape (windows, frames, bins).
    """
    config = dataset.config
    wanted = config.features.only(tuple(windows.frames))
    # Both are frozen and so hashable, which pyright does not read from pydantic's `model_config`.
    features = _features(config.audio, wanted, windows.window_s)  # pyright: ignore[reportArgumentType]
    tile = windows.compiled_tile()
    for first in range(0, _SOUNDS, _SOUNDS_AT_ONCE):
        tiled = [tile(windows.normalise(of_sound)) for of_sound in features[first : first + _SOUNDS_AT_ONCE]]
        yield {name: np.stack([of_sound[name][0] for of_sound in tiled]) for name in windows.frames}


@functools.lru_cache(maxsize=1)  # they are the same in each round of a cross-validation
def _features(config: AudioConfig, wanted: Features, window_s: float) -> list[dict[str, NDArray[np.float32]]]:
    rate_hz = config.sample_rate_hz
    duration_s = max(config.min_duration_s, min(window_s, _LONGEST_S))  # a longer window repeats it
    return [compute(sound, rate_hz, wanted) for sound in sounds(_SOUNDS, duration_s, rate_hz, seed=0)]


def sounds(count: int, duration_s: float, sample_rate_hz: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """Noise, speech-like sounds and tones, in turn, at random levels.

    Parameters
    ----------
    count : int
    duration_s : float
    sample_rate_hz : int
    seed : int
        The sounds depend on it alone.

    Yields
    ------
    array, float32, shape (samples,)
        Between -1 and 1.
    """
    length = round(duration_s * sample_rate_hz)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        sound = _GENERATORS[number % len(_GENERATORS)](length, sample_rate_hz, rng)
        peak = 10 ** rng.uniform(-3, 0) / max(np.abs(sound).max(), 1e-9)
        yield np.clip(_digitised(sound * peak, sample_rate_hz, rng), -1, 1).astype(np.float32)


def _noise(length: int, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """Coloured, band-limited noise, steady or with a varying level."""
    low_hz, high_hz = 10 ** rng.uniform(0, 2.5), sample_rate_hz / 2 * 10 ** rng.uniform(-0.8, 0)
    slope_db = rng.uniform(-12, 3)  # per octave: brown noise falls by 6, pink by 3, white by 0

    def gains(frequencies_hz: Samples) -> Samples:
        colour = 10 ** (slope_db / 20 * np.log2(np.maximum(frequencies_hz, 1) / 1000))
        return np.asarray(colour * _band(frequencies_hz, low_hz, high_hz))

    noise = _filtered(rng.standard_normal(length), sample_rate_hz, gains)
    return noise * _envelope(length, sample_rate_hz, rng) if rng.integers(0, 2) else noise


def _envelope(length: int, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """A gain that varies by some 20 dB, from several times a second to once in a few seconds."""
    knots = rng.standard_normal(max(2, round(length / sample_rate_hz * 10 ** rng.uniform(-0.5, 1))))
    return np.asarray(10 ** (np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(knots)), knots) / 2))


def _tones(length: int, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """One to four steady sines at unrelated frequencies."""
    frequencies_hz = 10 ** rng.uniform(1.7, np.log10(sample_rate_hz / 2), (rng.integers(1, 5), 1))
    phases = 2 * np.pi * frequencies_hz * np.arange(length) / sample_rate_hz
    return np.asarray((rng.uniform(0.1, 1, frequencies_hz.shape) * np.sin(phases)).sum(axis=0))


def _speech(length: int, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """Syllables and pauses: voiced ones are a sawtooth of gliding pitch through formants, unvoiced ones a hiss.

    Source of the model: G. Fant, "Acoustic Theory of Speech Production", 1960; of the formants' ranges: G. Peterson and
    H. Barney, "Control Methods Used in a Study of the Vowels", JASA 24, 1952.
    """
    voice_hz = rng.uniform(80, 280)
    speech = 10 ** rng.uniform(-4, -1.5) * rng.standard_normal(length)
    start = 0
    while start < length:
        count = min(round(rng.uniform(0.07, 0.3) * sample_rate_hz), length - start)
        if rng.uniform() > _PAUSE_SHARE:
            is_voiced = rng.uniform() < _VOICED_SHARE
            syllable = _vowel(count, sample_rate_hz, voice_hz, rng) if is_voiced else _hiss(count, sample_rate_hz, rng)
            syllable *= np.hanning(count)
            speech[start : start + count] += rng.uniform(0.3, 1) * syllable / max(syllable.std(), 1e-9)
        start += count
    return speech


def _vowel(length: int, sample_rate_hz: int, voice_hz: float, rng: np.random.Generator) -> Samples:
    pitches_hz = voice_hz * np.linspace(rng.uniform(0.8, 1.25), rng.uniform(0.8, 1.25), length)
    buzz = 2 * (np.cumsum(pitches_hz) / sample_rate_hz % 1) - 1
    formants_hz = np.array([rng.uniform(*ends) for ends in _FORMANTS_HZ])

    def gains(frequencies_hz: Samples) -> Samples:
        distances = (frequencies_hz[:, None] - formants_hz) / _FORMANT_WIDTH_HZ
        return np.asarray((1 / (1 + distances**2)).sum(axis=1))

    return _filtered(buzz, sample_rate_hz, gains)


def _hiss(length: int, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    low_hz = rng.uniform(1500, 5000)
    return _filtered(rng.standard_normal(length), sample_rate_hz, lambda hz: _band(hz, low_hz, np.inf))


def _digitised(samples: Samples, sample_rate_hz: int, rng: np.random.Generator) -> Samples:
    """Quantised to 16 bits, with or without dither; at full bandwidth, or at that of a lower sample rate."""
    dither = rng.uniform(-1, 1, len(samples)) * rng.integers(0, 2)
    rounded = np.round(samples * 32767 + dither) / 32768
    rate_hz = rng.choice(_RATES_HZ)
    return _filtered(rounded, sample_rate_hz, lambda hz: np.asarray(hz < rate_hz / 2, float))


def _filtered(samples: Samples, sample_rate_hz: int, gains: Callable[[Samples], Samples]) -> Samples:
    gains_of_bins = gains(np.fft.rfftfreq(len(samples), 1 / sample_rate_hz).astype(np.float64))
    return np.fft.irfft(np.fft.rfft(samples) * gains_of_bins, len(samples))


def _band(frequencies_hz: Samples, low_hz: float, high_hz: float) -> Samples:
    """Gains of a band-pass filter that falls by 24 dB per octave."""
    frequencies_hz = np.maximum(frequencies_hz, 0.1)
    return np.asarray(np.minimum(1, frequencies_hz / low_hz) ** 4 * np.minimum(1, high_hz / frequencies_hz) ** 4)


_GENERATORS = (_noise, _speech, _speech, _noise, _tones, _speech)
"""Most often speech, as the synthetic kind is the least like the real one."""
