import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soxr

from pipelines.common.arrays import spooled
from pipelines.copies import fingerprint
from pipelines.corpus.synthetic import synth
from tests.audio_files import tone


def error_rate(one, other):
    return np.bitwise_count(one ^ other).mean() / 32


def values_of(samples, rate_hz=22_050):
    return fingerprint.values(fingerprint.of_samples(samples, rate_hz))


def values_by_ffmpeg(samples, rate_hz):
    """What Chromaprint itself makes of samples."""
    pcm = np.round(samples * (32_767 / np.abs(samples).max())).astype("<i2").tobytes()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "s16le", "-ar", str(rate_hz), "-ac", "1"]
    command += ["-i", "pipe:0", "-f", "chromaprint", "-fp_format", "raw", "pipe:1"]
    return np.frombuffer(subprocess.run(command, input=pcm, capture_output=True, check=True).stdout, "<u4")


def assert_as_chromaprint(samples, rate_hz):
    mine, expected = values_of(samples, rate_hz), values_by_ffmpeg(samples, rate_hz)
    # Chromaprint's own resampler withholds the last milliseconds.
    assert len(expected) <= len(mine) <= len(expected) + 2
    assert error_rate(mine[: len(expected)], expected) < 0.005


@pytest.mark.parametrize("style", synth.STYLES[:5])
def test_synthetic_music_has_the_values_of_chromaprint(style):
    assert_as_chromaprint(synth.song(style, 0, duration_s=16.0), 22_050)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 16_000, 44_100, 48_000])
def test_any_rate_has_the_values_of_chromaprint(music, rate_hz):
    assert_as_chromaprint(soxr.resample(music, 22_050, rate_hz), rate_hz)


@pytest.mark.parametrize("samples", [40_000, 65_536, 65_537, 131_080, 131_087])
def test_every_other_sample_is_that_of_a_filter_over_all(samples):
    noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    reached = 2 * len(fingerprint._HALF_BAND) - 1
    weights = np.zeros(2 * reached + 1)
    weights[reached] = 0.5
    weights[reached + 1 :: 2] = weights[reached - 1 :: -2] = fingerprint._HALF_BAND
    wanted = np.convolve(noise, weights)[reached:][:samples:2]
    np.testing.assert_allclose(fingerprint._resampled(noise, 22_050), wanted, atol=1e-5)


def test_what_falls_into_the_pitches_is_filtered_out():
    wave = np.sin(2 * np.pi * 7_600 * np.arange(22_050) / 22_050).astype(np.float32)
    assert np.abs(fingerprint._resampled(wave, 22_050)[100:-100]).max() < 2e-4


def test_music_with_a_pause_has_the_values_of_chromaprint(music):
    paused = music.copy()
    paused[50_000:130_000] = 0
    assert_as_chromaprint(paused, 22_050)


def test_values_come_at_their_rate(music):
    count = 1 + int((len(music) / 22_050 - fingerprint.SPAN_S) / fingerprint.VALUE_S)
    assert len(values_of(music)) == count


@pytest.mark.parametrize("level", [0.01, 0.3, 3.0, 1e30])
def test_the_level_does_not_matter(music, level):
    assert fingerprint.of_samples(music * np.float32(level), 22_050) == fingerprint.of_samples(music, 22_050)


def test_a_song_in_a_file_has_the_same_fingerprint(music):
    on_disk = spooled.SpooledArray((0,), music.dtype)
    on_disk[0:] = music
    assert fingerprint.of_samples(on_disk, 22_050) == fingerprint.of_samples(music, 22_050)


def test_the_rate_hardly_matters(music):
    whole, half = (values_of(music[::step], 22_050 // step) for step in (1, 2))
    assert error_rate(whole, half[: len(whole)]) < 0.1


def test_other_music_differs(music):
    assert error_rate(values_of(music)[:40], values_of(tone(8.0, 22_050)[:, 0])[:40]) > 0.3


def test_too_little_music_has_no_values(music):
    enough = round(fingerprint.LEAST_S * 22_050)
    assert fingerprint.of_samples(music[: enough - 1], 22_050) == b""
    assert fingerprint.of_samples(np.zeros(0, np.float32), 22_050) == b""
    assert len(values_of(music[: enough + 2_000])) == 16


def test_silence_has_a_fingerprint():
    assert len(set(values_of(np.zeros(50_000, np.float32), 8_000).tolist())) == 1
