"""The benchmark of the steps: its made-up corpus is one that the program takes, copies and all."""

from pipelines.dataset import versions
from tests.benchmarks.steps import steps


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
