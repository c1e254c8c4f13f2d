"""Builds and trainings on S3: the same as on a disk, and as many requests as `docs/clusters.md` says."""

import csv
import logging
from collections import Counter
from pathlib import Path

import pytest
import yaml

from model.training.checkpoints import Epochs
from pipelines.build.build import build
from pipelines.common import storage
from pipelines.dataset import versions
from spectroshard import cli
from tests.benchmarks.store import requests
from tests.pipelines.conftest import config_of, in_process, make_records_in_this_process, no_pipeline, published
from tests.stores import life
from tests.stores.conftest import objects, upload, without_what_tells_where
from tests.stores.servers import KEY, SECRET

CLUSTERS = Path(__file__).parents[2] / "docs/clusters.md"
SONGS = 18
UP_TO_DATE = 50
"""How many requests a build makes that has nothing to do, beside those that list the corpus."""


@pytest.fixture(scope="module")
def made(proxy, songs_folder):
    """A build of songs in a bucket, and what it asked."""
    upload(songs_folder, "s3://bucket/songs")
    proxy.asked.clear()
    with pytest.MonkeyPatch.context() as patch:
        make_records_in_this_process(patch)
        made = build(config_of("s3://bucket/songs"), "s3://bucket/dataset", in_process())
    return made, list(proxy.asked)


def test_a_build_in_a_bucket_has_the_bytes_of_one_on_a_disk(made, built):
    assert made[0].dataset.digest == built.dataset.digest
    told = without_what_tells_where(objects("s3://bucket/dataset"))
    assert told == without_what_tells_where(published(built.dataset.url))


def test_a_song_is_fetched_once(made):
    asked = Counter((each.key, each.kind) for each in made[1] if each.key.endswith(".wav"))
    assert set(asked.values()) == {1}
    assert Counter(kind for _, kind in asked) == {"HEAD": SONGS, "GET": SONGS}


def test_a_record_is_fetched_once_and_nothing_is_written_twice(made):
    fetched = Counter(each.key for each in made[1] if each.kind == "GET" and each.key.endswith(".records"))
    assert fetched.total() == SONGS
    written = Counter(each.key for each in made[1] if each.kind == "PUT" and "/runs/" not in each.key)
    assert written.pop("bucket/dataset/versions/000001/dataset.json") == 2  # the second is to be refused
    assert set(written.values()) == {1}


def test_a_build_asks_what_the_arithmetic_says(made):
    asked = Counter(each.kind for each in made[1])
    said = requests(SONGS, 1.5, config_of("s3://bucket/songs"))
    for kind, count in (("GET", said.gets), ("HEAD", said.heads), ("PUT", said.puts), ("LIST", said.lists)):
        assert asked[kind] == pytest.approx(count, abs=25), kind


def test_a_build_that_has_nothing_to_do_costs_the_listing(made, proxy):
    proxy.asked.clear()
    assert not build(config_of("s3://bucket/songs"), "s3://bucket/dataset", no_pipeline).is_new
    assert len(proxy.asked) == 1 + UP_TO_DATE
    assert f"and {UP_TO_DATE} requests" in " ".join(CLUSTERS.read_text().split())
    assert not any(each.key.endswith(".wav") or "/shards/0" in each.key for each in proxy.asked)


def test_a_list_of_versions_costs_three_requests(made, proxy):
    proxy.asked.clear()
    assert versions.numbers("s3://bucket/dataset") == [1]
    assert proxy.counts() == {"LIST": 2, "HEAD": 1}  # and whether the next one is there


def test_credentials_are_in_no_log_and_in_no_dataset(proxy, made, caplog):
    with caplog.at_level(logging.INFO):
        proxy.share = 0.3
        for _ in range(20):
            storage.read_bytes("s3://bucket/dataset/dataset.json")
        proxy.share = 0
    assert "trying again" in caplog.text
    for told in (caplog.text, *map(repr, objects("s3://bucket/dataset").values())):
        assert SECRET not in told and KEY not in told


@pytest.mark.slow
def test_a_training_in_a_bucket_goes_on_where_it_was_stopped_and_ends_as_on_a_disk(proxy, on_a_disk, tmp_path):
    def stopped(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        tell(self, epoch, logs)

    (tmp_path / "c.yaml").write_text(yaml.safe_dump(life.CONFIG))
    train = ["train", str(on_a_disk[2]), "--config", str(tmp_path / "c.yaml"), "--output", "s3://bucket/trained"]
    tell = Epochs.on_epoch_end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Epochs, "on_epoch_end", stopped)
        assert cli.main(train) == 130
    assert storage.names("s3://bucket/trained") == ["_training"]
    proxy.asked.clear()
    assert cli.main(train) == 0
    written = [asked.key.removeprefix("bucket/trained/") for asked in proxy.asked if asked.kind == "PUT"]
    assert written[-1].startswith("bundle.json") or written[-1].startswith("_training/lease.json")
    own, there = storage.names(str(on_a_disk[1])), storage.names("s3://bucket/trained")
    assert there == [name for name in own if name not in ("metrics.json", "report.html")]
    ours, theirs = (storage.read_bytes(f"{url}/history.csv").decode() for url in (on_a_disk[1], "s3://bucket/trained"))
    for one, two in zip(csv.DictReader(ours.splitlines()), csv.DictReader(theirs.splitlines()), strict=True):
        assert float(one["validation_loss"]) == pytest.approx(float(two["validation_loss"]), abs=1e-4)
    assert cli.main(train) == 0
