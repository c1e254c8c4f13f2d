"""A small dataset of synthetic songs and a bundle trained on it, made once for all tests of the model."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from model.config import Config
from model.training.train import train
from pipelines.build.build import build
from pipelines.corpus.synthetic import synth

STYLES = ("ambient", "metal", "techno")


def new_pipeline(songs):
    return beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Folders of three styles, eight songs of 6 s each."""
    folder = tmp_path_factory.mktemp("synthetic")
    synth.write_corpus(folder, songs_per_style=8, duration_s=6.0)
    for style in folder.iterdir():
        if style.name not in STYLES:
            for song in style.iterdir():
                song.unlink()
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
    return build(config, str(tmp_path_factory.mktemp("built") / "dataset"), new_pipeline).dataset


@pytest.fixture(scope="session")
def bundle(config, dataset, tmp_path_factory):
    return train(config, dataset, str(tmp_path_factory.mktemp("trained") / "bundle"))
