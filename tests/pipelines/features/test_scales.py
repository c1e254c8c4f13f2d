import librosa
import numpy as np
import pytest

from pipelines.features import scales


@pytest.mark.parametrize(("lowest_hz", "highest_hz"), [(0.0, 11_025.0), (30.0, 900.0), (1_500.0, 8_000.0), (0.0, 1e3)])
def test_mel_frequencies_are_librosas_to_the_bit(lowest_hz, highest_hz):
    wanted = librosa.mel_frequencies(130, fmin=lowest_hz, fmax=highest_hz)
    assert scales.mel_frequencies(130, lowest_hz, highest_hz).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_octaves_are_librosas_to_the_bit(dtype):
    frequencies_hz = np.random.default_rng(0).uniform(20, 5_000, 1_000).astype(dtype)
    wanted = librosa.hz_to_octs(frequencies_hz, tuning=0.3, bins_per_octave=12)
    assert scales.octaves(frequencies_hz, 0.3, 12).tobytes() == wanted.tobytes()
