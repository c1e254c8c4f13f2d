import numpy as np
import pytest

from model.networks.windows import Windows
from model.training import out_of_distribution


@pytest.fixture(scope="module")
def some() -> list[np.ndarray]:
    return list(out_of_distribution.sounds(24, 1.0, 22_050, 0))


def test_sounds_depend_on_the_seed_alone(some):
    assert all(np.array_equal(a, b) for a, b in zip(some, out_of_distribution.sounds(24, 1.0, 22_050, 0), strict=True))
    assert not np.array_equal(some[0], next(out_of_distribution.sounds(1, 1.0, 22_050, 1)))


def test_sounds_are_audio(some):
    assert {(sound.dtype, sound.shape) for sound in some} == {(np.dtype(np.float32), (22_050,))}
    assert max(np.abs(sound).max() for sound in some) <= 1
    assert all(np.isfinite(sound).all() for sound in some)
    assert [sound.shape for sound in out_of_distribution.sounds(12, 0.31, 2000, 0)] == [(620,)] * 12


def test_speech_has_syllables_and_noise_has_none(some):
    def level_varies(sound):
        levels = np.sqrt((sound[:22_000].reshape(100, 220) ** 2).mean(axis=1))
        return levels.std() / levels.mean()

    steady = [level_varies(sound) for sound in (*some[0::6], *some[3::6])]
    speech = [level_varies(sound) for sound in (*some[1::6], *some[2::6], *some[5::6])]
    assert min(speech) > 0.4 > min(steady)


def test_some_sounds_end_where_a_lower_rate_does(some):
    above = [np.abs(np.fft.rfft(sound))[8100:].max() / max(np.abs(np.fft.rfft(sound)).max(), 1e-9) for sound in some]
    assert any(share < 1e-6 for share in above) and any(share > 1e-4 for share in above)


@pytest.mark.parametrize("window_s", [0.2, 7.0])
@pytest.mark.slow
def test_windows_of_any_length_have_each_sound_once(dataset, window_s):
    windows = Windows.of(dataset, ("log_mel", "chroma"), window_s, tuple(dataset.folds))
    batches = list(out_of_distribution.batches(dataset, windows))
    assert sum(len(batch["log_mel"]) for batch in batches) == 200
    for name, shape in windows.shapes.items():
        given = np.concatenate([batch[name] for batch in batches])
        assert given.shape == (200, *shape) and np.isfinite(given).all()
