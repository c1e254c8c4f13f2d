import numpy as np
import pytest

from pipelines import fingerprint
from tests.audio_files import tone


def error_rate(one, other):
    return np.bitwise_count(one ^ other).mean() / 32


def test_values_come_at_their_rate(music):
    values = fingerprint.values(fingerprint.of_samples(music, 22_050))
    assert len(values) == 1 + int((len(music) / 22_050 - fingerprint.SPAN_S) / fingerprint.VALUE_S)


@pytest.mark.parametrize("level", [0.01, 0.3, 3.0])
def test_the_level_does_not_matter(music, level):
    assert fingerprint.of_samples(music * level, 22_050) == fingerprint.of_samples(music, 22_050)


def test_the_rate_hardly_matters(music):
    whole, half = (fingerprint.values(fingerprint.of_samples(music[::step], 22_050 // step)) for step in (1, 2))
    assert error_rate(whole, half[: len(whole)]) < 0.1


def test_other_music_differs(music):
    other = fingerprint.values(fingerprint.of_samples(tone(8.0, 22_050)[:, 0], 22_050))
    mine = fingerprint.values(fingerprint.of_samples(music, 22_050))
    assert error_rate(mine[:40], other[:40]) > 0.3


def test_too_little_music_has_no_values(music):
    enough = round(fingerprint.LEAST_S * 22_050)
    assert fingerprint.of_samples(music[: enough - 1], 22_050) == b""
    assert fingerprint.of_samples(np.zeros(0, np.float32), 22_050) == b""
    assert len(fingerprint.values(fingerprint.of_samples(music[: enough + 2_000], 22_050))) == 16


def test_silence_has_a_fingerprint():
    values = fingerprint.values(fingerprint.of_samples(np.zeros(50_000, np.float32), 8_000))
    assert len(set(values.tolist())) == 1
