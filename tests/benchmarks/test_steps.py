"""The benchmark of the steps: its made-up corpus is one that the program takes, copies and all."""

from pipelines.dataset import versions
from spectroshard import cli
from tests.benchmarks.steps import leave, steps


def test_a_made_up_corpus_goes_through_all_steps(tmp_path):
    names = []
    for name, step in steps(str(tmp_path), 600):
        step()
        names.append(name)
    assert names[0] == "list" and "audit" in names
    first, second = (versions.load(f"{tmp_path}/dataset@{number}") for number in (1, 2))
    assert (first.shown, second.shown, second.rejected) == (600, 606, {})
    assert (first.duplicates, len(first.copies())) == (6, 6)
    assert {shard.name for shard in first.shards} & {shard.name for shard in second.shards}


def test_a_corpus_that_is_left_is_for_the_command(tmp_path):
    leave(str(tmp_path), 600)
    assert cli.main(["build", "--config", f"{tmp_path}/build.yaml", "--output", f"{tmp_path}/dataset"]) == 0
    assert versions.load(f"{tmp_path}/dataset").shown == 600
