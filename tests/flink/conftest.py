"""What the tests on Flink share: a cluster, a corpus, and its dataset as this machine builds it alone."""

import os
import subprocess
import sys
import time

import pytest

from pipelines.corpus.synthetic import synth
from tests.audio_files import BAD, write
from tests.flink import cluster as flink
from tests.pipelines.conftest import published

STYLES, RATE_HZ = ("ambient", "metal", "techno"), 22_050
SONGS, ADDED, REJECTED = 90, 6, ("empty", "not_audio", "silent")
ENDS_WITHIN_S = 600.0
"""No command may take longer, whatever was killed: one that does hangs."""

# Each song has a shard of its own, so that assembly has a middle.
KEYS = ("folds.count=4", "shards.size_mb=0.02", "build.max_reject_share=0.2", "features.log_mel.n_mels=32")


@pytest.fixture(scope="session")
def started(tmp_path_factory):
    with flink.running(tmp_path_factory.mktemp("flink")) as cluster:
        yield cluster
    assert cluster.processes() == []


@pytest.fixture
def cluster(started):
    """A cluster of two TaskManagers that has nothing to do."""
    yield started
    for job in started.rest("/jobs/overview")["jobs"]:
        if job["state"] not in ("FINISHED", "FAILED", "CANCELED"):
            started.rest(f"/jobs/{job['jid']}", method="PATCH")
    started.mend()


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Folders of three styles, and files that are rejected."""
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(SONGS):
        write_song(folder, number)
    for reason in REJECTED:
        BAD[reason](folder / "techno" / f"{reason}.wav")
    return folder


@pytest.fixture(scope="session")
def dataset(corpus, tmp_path_factory):
    """The corpus's dataset, as this machine builds it alone."""
    output = tmp_path_factory.mktemp("local") / "dataset"
    command = spectroshard("build", corpus, "--output", output, *keys())
    assert command.end() == 0, command.told()
    return output


@pytest.fixture(scope="session")
def local(dataset):
    """Every file of that dataset with its bytes."""
    return published(dataset)


def write_song(folder, number):
    style = STYLES[number % len(STYLES)]
    samples = synth.song(style, number, duration_s=6.0, sample_rate_hz=RATE_HZ, seed=0)
    write(folder / style / f"{style}.{number:05d}.wav", samples, RATE_HZ)


def keys():
    return [f"--set={key}" for key in KEYS]


class Command:
    """A command that a user has typed, in a process of its own."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "spectroshard", *map(str, arguments)],
            cwd=flink.REPOSITORY,
            env=os.environ | {"PYTHONPATH": str(flink.REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._told = ""

    def end(self):
        """Waits for its end, and gives its exit code."""
        try:
            self._told, _ = self.process.communicate(timeout=ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return self.process.returncode

    def told(self):
        """What it has printed."""
        if not self._told:
            self.end()
        return self._told


def spectroshard(*arguments):
    return Command(arguments)


def wait_until(is_so, what):
    """Waits until something is so."""
    until_s = time.monotonic() + ENDS_WITHIN_S
    while not is_so():
        assert time.monotonic() < until_s, what
        time.sleep(0.01)
