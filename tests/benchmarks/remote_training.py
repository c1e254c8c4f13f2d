"""How long training waits for windows of a dataset in a store: on a disk, by the cache, and where that holds a third.

`make bench-remote DATASET=D` copies a dataset to a real S3 server on this machine. A step of training is 0.06 s of
nothing. The first epoch, which fetches and compiles, is shown but not to be judged by.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from model.config import Training
from model.data import batches
from model.networks.windows import Windows
from pipelines.common.output.text_table import table
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from tests.stores import servers
from tests.stores.conftest import make_bucket, upload

_STEP_S, _EPOCHS = 0.06, 4
_TRAINING = Training(epochs=_EPOCHS, windows_per_song=4, windows_per_epoch=1, batch_size=16, cache_mb=0)


def waiting(dataset: Dataset) -> Iterator[tuple[float, float]]:
    """Of each epoch, how many seconds it took, and how many of them were waited for a batch."""
    folds = dataset.splits()["train"]
    windows = Windows.of(dataset, ("log_mel",), 3.0, folds)
    stream = iter(batches.training_batches(dataset, folds, windows, _TRAINING))
    for _ in range(_EPOCHS):
        waited_s, begun_s = 0.0, time.perf_counter()
        for _ in range(batches.steps(dataset, folds, _TRAINING)):
            asked_s = time.perf_counter()
            next(stream)
            waited_s += time.perf_counter() - asked_s
            time.sleep(_STEP_S)
        yield time.perf_counter() - begun_s, waited_s


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.remote_training", description=__doc__)
    parser.add_argument("dataset")
    local = versions.load(parser.parse_args(arguments).dataset)
    train = local.shards_of(local.splits()["train"])
    rows, size_gb = [_row("on a disk", local)], sum(shard.bytes for shard in train) / 1e9
    with tempfile.TemporaryDirectory() as folder, servers.versity(Path(folder)) as url, servers.s3_at(url):
        make_bucket("s3://bucket")
        upload(Path(local.url), "s3://bucket/dataset")
        remote = versions.load("s3://bucket/dataset")
        for name, limit_gb in (("cache holds all", 50.0), ("cache holds a third", size_gb / 3)):
            os.environ |= {"SPECTROSHARD_CACHE": f"{folder}/{limit_gb}", "SPECTROSHARD_CACHE_GB": str(limit_gb)}
            rows.append(_row(name, remote))
    title = f"{len(train)} shards, {1000 * size_gb:.0f} MB"
    print(table([title, *(f"epoch {number}" for number in range(1, _EPOCHS + 1))], rows))
    return 0


def _row(name: str, dataset: Dataset) -> list[str]:
    return [name, *(f"{waited_s:.2f} of {took_s:.2f} s" for took_s, waited_s in waiting(dataset))]


if __name__ == "__main__":
    sys.exit(main())
