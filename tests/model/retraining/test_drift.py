"""Drift: songs that are new in a later version, against those that the bundle was trained on."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from model.config import Alarms
from model.retraining import registry
from model.retraining.drift import Drift, effect_size, exceeding, measure_drift
from pipelines.dataset.reading import read_record
from tests.pipelines.dataset import made

ALL = Alarms(
    effect_size=0.8, genre_shares=0.5, predicted_mixture=0.3, out_of_distribution=0.3, rejects=0.2, least_songs=2
)


@pytest.fixture(scope="module")
def champion(bundle, tmp_path_factory):
    url = str(tmp_path_factory.mktemp("drift") / "registry")
    return registry.load(url, registry.add(url, bundle, 1))


def grown(dataset, new, change=lambda features: features, rejected=0):
    """The dataset's next version, with copies of metal songs under other names and hashes, and changed features."""
    rows = dataset.ledger()
    source = [row for row in rows if row.genre == "metal"][:new]
    added = [
        replace(
            row,
            path=f"new/{row.path}",
            uri=f"new/{row.uri}",
            content_hash=f"new{row.content_hash[3:]}",
            group=f"new {row.path}",
        )
        for row in source
    ]
    lost = [
        replace(rows[0], path=f"bad/{n}", uri=f"bad/{n}", content_hash="", group="").rejected_by_name("silent", "")
        for n in range(rejected)
    ]
    features = {row.path: read_record(dataset, row).features for row in rows}
    features |= {row.path: change(features[row.path.removeprefix("new/")]) for row in added}
    return made.dataset(
        dataset.url, [*rows, *added, *lost], lambda row: features[row.path], config=dataset.config, earlier=dataset
    )


def louder(features):
    return {name: values + 40 if name == "log_mel" else values for name, values in features.items()}


def test_nothing_new_is_no_drift(champion, dataset):
    assert measure_drift(champion, 1, dataset, ALL) is None
    assert measure_drift(champion.model_copy(update={"dataset": "0" * 64}), 1, dataset, ALL) is None


def test_new_songs_of_one_genre_and_another_loudness_are_told(champion, dataset, tmp_path):
    shutil.copytree(dataset.url, tmp_path / "d")
    first = dataset.model_copy(update={"url": str(tmp_path / "d")})
    drift = measure_drift(champion, 1, grown(first, 4, louder, rejected=1), ALL)
    assert (drift.since, drift.new_songs, drift.new_files) == (1, 4, 5)
    assert drift.new_shares == {"metal": 1.0} and drift.rejects == {"silent": 0.2}
    assert drift.genre_shares == pytest.approx(2 / 3, abs=1e-3)
    assert drift.effect_sizes["log_mel level"] > 2 > abs(drift.effect_sizes["log_mel spread"])
    words = [alarm.partition(":")[0] for alarm in drift.alarms]
    assert words[:2] == ["effect size of log_mel level", "genre shares"]


def test_few_new_songs_raise_no_alarm_but_of_rejects():
    drift = Drift(since=1, new_songs=3, genre_shares=0.9, rejects={"silent": 0.3, "unreadable": 0.2})
    assert list(exceeding(ALL.model_copy(update={"least_songs": 4}), drift)) == [
        "share of new files rejected: 0.500, alarm above 0.2"
    ]


def test_the_effect_size_is_in_pooled_deviations():
    rng = np.random.default_rng(0)
    assert effect_size(rng.normal(3, 2, 9000), rng.normal(1, 2, 1000)) == pytest.approx(1, abs=0.1)
    assert effect_size(np.ones(3), np.zeros(3)) > 100
