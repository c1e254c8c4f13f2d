import numpy as np
import pytest

from pipelines.audio.time_stretch import at_tempo

RATE_HZ = 22_050


def clicks(period_s, duration_s=8.0):
    """A decaying tone of 440 Hz, struck once a period."""
    times_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    return (np.sin(2 * np.pi * 440 * times_s) * np.exp(-8 * (times_s % period_s))).astype(np.float32)


def period_s(samples):
    """The period of the loudness, up to 0.7 s, by autocorrelation."""
    loudness = np.abs(samples[: len(samples) // 100 * 100]).reshape(-1, 100).mean(axis=1)
    loudness -= loudness.mean()
    likeness = np.correlate(loudness, loudness, "full")[len(loudness) :]
    first, last = round(0.2 * RATE_HZ / 100), round(0.7 * RATE_HZ / 100)
    return (first + 1 + likeness[first:last].argmax()) * 100 / RATE_HZ


def pitch_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples))
    return spectrum.argmax() * RATE_HZ / len(samples)


@pytest.mark.parametrize("tempo", [0.8, 0.9, 1.1, 1.25])
def test_the_tempo_changes_and_the_pitch_stays(tempo):
    played = at_tempo(clicks(0.5), RATE_HZ, tempo)
    assert played.dtype == np.float32
    assert len(played) == pytest.approx(8 * RATE_HZ / tempo, rel=0.02)
    assert period_s(played) == pytest.approx(0.5 / tempo, rel=0.02)
    assert pitch_hz(played) == pytest.approx(440, rel=0.01)


def test_tempo_1_changes_nothing():
    samples = clicks(0.5)
    assert at_tempo(samples, RATE_HZ, 1) is samples


def test_a_tempo_out_of_range_is_refused():
    with pytest.raises(RuntimeError, match="cannot change the tempo"):
        at_tempo(clicks(0.5), RATE_HZ, 0.01)
