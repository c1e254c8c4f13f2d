"""What the tests of builds share: one small corpus, and one dataset built of it."""

from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.build.build import build
from pipelines.config import BuildConfig
from tests.audio_files import write_songs

VALUES = {
    "audio": {"sample_rate_hz": 8_000},
    "features": {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 16}, "spectral_centroid": {}},
    "folds": {"count": 4},
    "shards": {"size_mb": 0.005},
}


def in_process(*options):
    """Gives pipelines of Beam's in-process runner."""
    return lambda songs: beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner", *options]))


class Pipelines:
    """Gives pipelines and keeps them; does something before it gives the third, which writes the shards."""

    def __init__(self, before_shards=lambda: None):
        self.before_shards = before_shards
        self.given = []

    def __call__(self, songs):
        if len(self.given) == 2:
            self.before_shards()
        self.given.append(in_process()(songs))
        return self.given[-1]

    def counters(self):
        """The project's Beam counters, over all pipelines that ran to their end."""
        total = Counter()
        for pipeline in self.given:
            total.update({c.key.metric.name: c.committed for c in pipeline.result.metrics().query()["counters"]})
        return total


def config_of(source, **sections):
    """The tests' configuration of a corpus; sections may be changed key by key."""
    values = {**VALUES, "corpus": {"input": str(source)}}
    return BuildConfig.model_validate(values | {name: values.get(name, {}) | keys for name, keys in sections.items()})


def content_of(folder: Path):
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def songs_folder(tmp_path_factory):
    """Three genres of six songs."""
    return write_songs(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="session")
def built(songs_folder, tmp_path_factory):
    """A build of these songs; its dataset's folder is only to be read."""
    return build(config_of(songs_folder), str(tmp_path_factory.mktemp("built") / "dataset"), in_process())
