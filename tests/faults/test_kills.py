"""Builds whose process group is killed at any moment: the same command completes them, and reads nothing twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.build.build import build
from pipelines.build.runs import staging
from pipelines.common import storage
from pipelines.dataset import versions
from tests.pipelines.conftest import config_of, in_process, published

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_this_process")]

WORKERS = 2
SCRIPT = f"""
import sys
from pathlib import Path
from pipelines.build.runs import staging
from pipelines.build.build import build
from pipelines.build.steps.make_record import RecordMaker
from pipelines.common.beam.runners import new_pipelines
from pipelines.config import BuildConfig

make = RecordMaker.make

def noting(self, location, *rest):
    with open(sys.argv[3], "a") as begun:
        print(location, file=begun)
    return make(self, location, *rest)

RecordMaker.make = noting
staging._MOST_S = 0.0  # each song is flushed
build(BuildConfig.model_validate_json(sys.argv[1]), sys.argv[2], new_pipelines([], workers={WORKERS}))
"""


def start(config, output, begun):
    command = [sys.executable, "-c", SCRIPT, config.model_dump_json(), str(output), str(begun)]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], start_new_session=True, stderr=subprocess.DEVNULL)


def kill_when(process, output, pattern, count):
    """Kills a process group when so many files are there, and a random moment later."""
    deadline_s = time.monotonic() + 120
    while len(list(output.glob(pattern))) < count and process.poll() is None and time.monotonic() < deadline_s:
        time.sleep(0.002)
    time.sleep(random.uniform(0, 0.05))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() in (-signal.SIGKILL, 0)


def finished(output):
    """What is published, without files that the killed process had not finished, which nobody takes for their own."""
    return {name: content for name, content in published(output).items() if not storage.is_unfinished(Path(name).name)}


READ, ASSEMBLED = "staging/*/*/*/*.parquet", "staging/shards/*/*.json"
MOMENTS = [
    ("runs/lease.json", 1),
    *((READ, count) for count in (1, 4, 9, 14, 18)),
    ("runs/*/plan/songs.parquet", 1),
    *((ASSEMBLED, count) for count in (1, 4)),
    ("tables/*", 1),
    ("tables/*", 4),
    ("versions/*/dataset.json", 1),
    ("train.txt", 1),
]


@pytest.mark.parametrize(("pattern", "count"), MOMENTS)
def test_killed(built, songs_folder, tmp_path, pattern, count):
    config, output, begun = config_of(songs_folder), tmp_path / "out", tmp_path / "begun"
    kill_when(start(config, output, begun), output, pattern, count)
    songs_begun = len(begun.read_text().split("\n")) - 1 if begun.exists() else 0
    staged = len(staging.read(staging.tables(f"{output}/staging"), ["uri"]))
    is_published = bool(versions.numbers(str(output)))
    assert is_published or 0 <= songs_begun - staged <= WORKERS
    built_again = build(config, str(output), in_process())
    assert built_again.is_new != is_published
    assert built_again.songs_read == (0 if is_published else 18 - staged)
    assert finished(output) == published(built.dataset.url)


def test_killed_again_and_again(built, songs_folder, tmp_path):
    config, output, begun = config_of(songs_folder), tmp_path / "out", tmp_path / "begun"
    for count in (3, 8, 12, 16):
        kill_when(start(config, output, begun), output, READ, count)
    staged = len(set(staging.read(staging.tables(f"{output}/staging"), ["uri"])["uri"].to_pylist()))
    assert len(begun.read_text().split("\n")) - 1 <= staged + 4 * WORKERS
    assert build(config, str(output), in_process()).songs_read == 18 - staged
    assert finished(output) == published(built.dataset.url)
