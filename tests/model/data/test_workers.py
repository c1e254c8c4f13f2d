"""The workers of a training on several machines: who they are, and what of the work is each one's."""

import json

import pytest

from model.data.workers import ALONE, VARIABLE, Workers
from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Shard


def tf_config(cluster, kind="worker", index=0):
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


def shard(number, songs):
    name = f"shards/000001/fold-01-{number:016d}.tfrecord"
    return Shard(name=name, fold="fold-01", songs=songs, bytes=1, sha256=f"{number:016d}".ljust(64, "0"))


SHARDS = [shard(*each) for each in enumerate([30, 5, 20, 10, 10, 5, 1])]


def test_the_environment_names_the_workers(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Workers.of_environment() == ALONE
    monkeypatch.setenv(VARIABLE, tf_config({"worker": ["a:1", "b:1"]}, index=1))
    found = Workers.of_environment()
    assert (found.count, found.is_chief, str(found)) == (2, False, "worker 2 of 2")


def test_a_chief_comes_before_the_workers():
    cluster = {"worker": ["b:1", "c:1"], "chief": ["a:1"]}
    assert Workers.parse(tf_config(cluster, "chief")) == Workers(("a:1", "b:1", "c:1"), 0)
    assert Workers.parse(tf_config(cluster, "worker", 1)) == Workers(("a:1", "b:1", "c:1"), 2)


def test_a_worker_that_is_the_only_one_trains_alone():
    assert Workers.parse(tf_config({"worker": ["a:1"]})) == ALONE


@pytest.mark.parametrize("text", ["{", "[]", "{}", tf_config({"worker": ["a:1"]}, index=1), tf_config({}, "chief")])
def test_what_is_not_understood_is_shown_with_what_is_expected(text):
    with pytest.raises(UsageError, match=r"TF_CONFIG: found .*; expected \{\"cluster\""):
        Workers.parse(text)


def test_parameter_servers_are_refused():
    with pytest.raises(UsageError, match="tasks of the kind 'ps'; expected chief and worker alone"):
        Workers.parse(tf_config({"worker": ["a:1"], "ps": ["b:1"]}))


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_shard_is_of_one_worker(count):
    workers = [Workers(tuple("abcdefg"[:count]), index) for index in range(count)]
    own = [worker.own_shards(SHARDS) for worker in workers]
    assert sorted(each.name for some in own for each in some) == [each.name for each in SHARDS]
    songs = [sum(each.songs for each in some) for some in own]
    assert count > 3 or max(songs) - min(songs) <= 10
    places = [worker.own_place(place) for worker in workers for place in range(5)]
    assert len(set(places)) == len(places)


def test_more_workers_than_shards_are_refused():
    with pytest.raises(UsageError, match=r"names 8 workers, but train has 7 shards.*smaller shards\.size_mb"):
        Workers(tuple("abcdefgh")).own_shards(SHARDS)


def test_a_batch_is_divided_evenly_or_refused():
    assert Workers(("a", "b"), 1).own_batch_size(64) == 32
    with pytest.raises(UsageError, match="batch_size 63: cannot be divided among 2 workers"):
        Workers(("a", "b"), 1).own_batch_size(63)
