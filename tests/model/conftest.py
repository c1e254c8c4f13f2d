"""A small dataset of synthetic songs and a bundle trained on it, made once for all tests of the model."""

import apache_beam as beam
import pytest
import soundfile
from apache_beam.options.pipeline_options import PipelineOptions

from model.config import Config
from model.training.train import train
from pipelines.corpus.synthetic import synth
from tests.pipelines.dataset import made

STYLES = ("ambient", "metal", "techno")
RATE_HZ = 22_050


def new_pipeline(songs):
    return beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Folders of three styles, eight songs of 6 s each."""
    folder = tmp_path_factory.mktemp("synthetic")
    for style in STYLES:
        (folder / style).mkdir()
        for number in range(8):
            samples = synth.song(style, number, duration_s=6.0, sample_rate_hz=RATE_HZ, seed=0)
            soundfile.write(folder / style / f"{style}.{number:05d}.wav", samples, RATE_HZ, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def config(corpus):
    """A training of seconds."""
    return Config.model_validate(
        {
            "corpus": {"input": str(corpus)},
            "features": {"log_mel": {"n_mels": 32}, "chroma": {"hop_length": 1024}, "spectral_centroid": {}},
            "folds": {"count": 4},
            "training": {"window_s": 2.0, "epochs": 4, "batch_size": 16, "windows_per_epoch": 1},
        }
    )


@pytest.fixture(scope="session")
def dataset(config, tmp_path_factory):
    return made.of_music(tmp_path_factory.mktemp("built") / "dataset", config)


@pytest.fixture(scope="session")
def bundle(config, dataset, tmp_path_factory):
    return train(config, dataset, str(tmp_path_factory.mktemp("trained") / "bundle"))
