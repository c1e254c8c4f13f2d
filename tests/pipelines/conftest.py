"""What the tests of builds share: one small corpus, one dataset built of it, and what is looked at in a dataset."""

import pickle
from collections import Counter
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.common.child import Child
from pipelines.config import BuildConfig
from pipelines.dataset import tfrecord
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


@pytest.fixture
def in_this_process(monkeypatch):
    """Lets records be made without a process of their own: that takes a second to start, and knows nothing of mocks."""
    make_records_in_this_process(monkeypatch)


def make_records_in_this_process(patch):
    patch.setattr(Child, "call", lambda self, argument, limits: pickle.loads(self._function)(argument))


def no_pipeline(songs):
    """Gives to a build that has nothing to do what it needs."""
    raise AssertionError(f"a pipeline was asked for, of {songs} songs")


class Pipelines:
    """Gives pipelines, and keeps what they counted."""

    def __init__(self):
        self.results = []

    def __call__(self, songs):
        pipeline, results = in_process()(songs), self.results
        run = pipeline.run

        def keeping(*arguments):
            results.append(run(*arguments))
            return results[-1]

        pipeline.run = keeping
        return pipeline

    def counters(self):
        """The project's Beam counters, over all pipelines that ran to their end."""
        total = Counter()
        for result in self.results:
            total.update({c.key.metric.name: c.committed for c in result.metrics().query()["counters"]})
        return total


def config_of(source, **sections):
    """The tests' configuration of a corpus; sections may be changed key by key."""
    values = {**VALUES, "corpus": {"input": str(source)}}
    return BuildConfig.model_validate(values | {name: values.get(name, {}) | keys for name, keys in sections.items()})


def content_of(folder: Path):
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def published(folder):
    """Every file of a dataset with its bytes, but for what tells of its runs."""
    return {name: content for name, content in content_of(Path(folder)).items() if not name.startswith("runs/")}


def records_of(dataset):
    """The bytes of every record in the shards of a version, by its id, as the ledger says where they are."""
    found = {}
    for file in dataset.ledger():
        if file.status == "written":
            with (Path(dataset.url) / file.shard).open("rb") as stream:
                stream.seek(file.offset)
                found[file.record] = tfrecord.content_of(stream.read(file.length))
    assert len(found) == dataset.songs
    return found


@pytest.fixture(scope="session")
def songs_folder(tmp_path_factory):
    """Three genres of six songs."""
    return write_songs(tmp_path_factory.mktemp("songs"))


@pytest.fixture(scope="session")
def built(songs_folder, tmp_path_factory):
    """A build of these songs; its dataset's folder is only to be read."""
    from pipelines.build.build import build

    return build(config_of(songs_folder), str(tmp_path_factory.mktemp("built") / "dataset"), in_process())
