"""What the tests of the library and of the command line share: a dataset and a bundle that take seconds."""

import pytest

import spectroshard
from tests.audio_files import tone, write

CONFIG = {
    "features": {"log_mel": {"n_mels": 32}, "spectral_centroid": {"hop_length": 1024}},
    "folds": {"count": 4},
    "training": {"epochs": 3, "window_s": 1.0, "windows_per_epoch": 200},
}


@pytest.fixture(scope="session")
def music(tmp_path_factory):
    """Two genres of eight tones of 3 s, high and low."""
    folder = tmp_path_factory.mktemp("music")
    for genre, frequency_hz in (("high", 3000), ("low", 200)):
        for number in range(8):
            write(folder / genre / f"{number}.wav", tone(3.0, frequency_hz=frequency_hz * (1 + number / 20)))
    return folder


@pytest.fixture(scope="session")
def ds(music, tmp_path_factory):
    return spectroshard.build(CONFIG, tmp_path_factory.mktemp("library") / "dataset", music=music, workers=1)


@pytest.fixture(scope="session")
def model(ds, tmp_path_factory):
    return spectroshard.train(ds, tmp_path_factory.mktemp("library") / "bundle", CONFIG)
