"""Transforms side by side against `numpy.fft` in double precision."""

import numpy as np
import pytest

from pipelines.features.fft import FrameSpectra, RealTransform, is_length
from pipelines.features.kernels import FRAMES

LENGTHS = [8, 16, 32, 64, 512, 1_024, 2_048, 4_096]
DTYPES = [np.float32, np.float64]


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def most(length, dtype):
    """How far a transform may lie from the true one, as a share of its greatest magnitude: a rounding for each step."""
    return np.finfo(dtype).eps * np.log2(length)


def transformed(values, window, dtype):
    """The power and the real parts of the transform of values of shape (length, FRAMES), by ours."""
    length = len(values)
    transform = RealTransform(np.arange(length) * FRAMES, window, np.dtype(dtype))
    power, real = np.empty((2, 1 + length // 2, FRAMES), dtype)
    transform.power(values, power)
    transform.real(values, real)
    return power, real


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", LENGTHS)
def test_transforms_are_those_of_numpy(length, dtype):
    values, window = noise(length, FRAMES).astype(dtype), np.hanning(length)
    power, real = transformed(values, window, dtype)
    wanted = np.fft.rfft(values.astype(np.float64) * window[:, np.newaxis], axis=0)
    greatest = np.abs(wanted).max(axis=0)
    assert (np.abs(np.sqrt(power) - np.abs(wanted)) / greatest).max() < most(length, dtype)
    assert (np.abs(real - wanted.real) / greatest).max() < most(length, dtype)


@pytest.mark.parametrize("length", [16, 512])
def test_a_tone_is_in_its_bin_alone(length):
    values = np.cos(2 * np.pi * 3 * np.arange(length) / length)[:, np.newaxis].repeat(FRAMES, axis=1)
    power, real = transformed(values, np.ones(length), np.float64)
    wanted = np.zeros(1 + length // 2)
    wanted[3] = length / 2
    np.testing.assert_allclose(power[:, 0], wanted**2, atol=1e-9)
    np.testing.assert_allclose(real[:, -1], wanted, atol=1e-9)


def test_a_frame_knows_nothing_of_its_neighbours():
    values = noise(256, FRAMES).astype(np.float32)
    quiet = values[:, 7:8].repeat(FRAMES, axis=1)
    loud = values * np.float32(1e6)
    loud[:, 7] = values[:, 7]
    ones = np.ones(256)
    for among_loud, among_quiet in zip(
        transformed(loud, ones, np.float32), transformed(quiet, ones, np.float32), strict=True
    ):
        assert among_loud[:, 7].tobytes() == among_quiet[:, 7].tobytes() == among_quiet[:, 50].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("n_fft", "hop_length"), [(64, 16), (64, 1), (64, 64), (64, 100), (128, 37), (704, 353), (17, 5)]
)
def test_spectra_of_windows_at_any_distance(n_fft, hop_length, dtype):
    window = np.hanning(n_fft)
    spectra = FrameSpectra(window, hop_length, np.dtype(dtype))
    samples = noise(spectra.samples).astype(np.float32)
    power = np.empty((1 + n_fft // 2, FRAMES), dtype)
    spectra.write(samples, power)
    frames = np.stack([samples[frame * hop_length :][:n_fft] for frame in range(FRAMES)])
    wanted = np.abs(np.fft.rfft(frames.astype(np.float64) * window)).T
    assert (np.abs(np.sqrt(power) - wanted) / wanted.max(axis=0)).max() < most(n_fft, dtype)


@pytest.mark.parametrize(("length", "is_one"), [(4, False), (8, True), (704, False), (2_048, True)])
def test_other_lengths_are_left_to_scipy(length, is_one):
    assert is_length(length) == is_one
