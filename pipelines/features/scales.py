"""Scales of frequency, equal to librosa's to the bit: importing it takes a tenth of a second in each process."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Slaney's mel scale: linear up to 1 kHz, logarithmic above.
_HZ_OF_MEL = 200 / 3
_LINEAR_UP_TO_HZ = 1000.0
_LINEAR_UP_TO_MEL = _LINEAR_UP_TO_HZ / _HZ_OF_MEL
_LOG_OF_MEL = np.log(6.4) / 27


def bin_frequencies(sample_rate_hz: int, n_fft: int) -> NDArray[Any]:
    """The centre frequencies of an STFT's bins, Hz, as `librosa.fft_frequencies`.

    >>> bin_frequencies(8_000, 4)
    array([   0., 2000., 4000.])
    """
    return np.fft.rfftfreq(n_fft, 1.0 / sample_rate_hz)


def mel_frequencies(count: int, lowest_hz: float, highest_hz: float) -> NDArray[Any]:
    """Frequencies at equal distances in mel, Hz, as `librosa.mel_frequencies`.

    >>> mel_frequencies(4, 0.0, 8_000.0).round()
    array([   0., 1006., 2836., 8000.])
    """
    mels = np.linspace(_mel(lowest_hz), _mel(highest_hz), count)
    above = _LINEAR_UP_TO_HZ * np.exp(_LOG_OF_MEL * (mels - _LINEAR_UP_TO_MEL))
    return np.where(mels < _LINEAR_UP_TO_MEL, _HZ_OF_MEL * mels, above)


def _mel(frequency_hz: float) -> Any:
    if frequency_hz < _LINEAR_UP_TO_HZ:
        return frequency_hz / _HZ_OF_MEL
    return _LINEAR_UP_TO_MEL + np.log(frequency_hz / _LINEAR_UP_TO_HZ) / _LOG_OF_MEL


def octaves(frequencies_hz: NDArray[Any], tuning: float = 0.0, bins_per_octave: int = 12) -> NDArray[Any]:
    """How many octaves frequencies are above A0, 27.5 Hz where the tuning is 0, as `librosa.hz_to_octs`.

    >>> octaves(np.array([55.0, 440.0]))
    array([1., 4.])
    """
    a440_hz = 440.0 * 2.0 ** (tuning / bins_per_octave)
    return np.asarray(np.log2(frequencies_hz / (a440_hz / 16)))
