"""Retrainings of a growing corpus that are killed at random moments, on a disk and against an S3 server.

`python -m tests.model.retraining.soak KILLS` (`make soak-retrain`) kills so many times on each, and compares the end
with that of retrainings that nobody disturbed.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
import yaml

from model.retraining import journal, registry
from pipelines.common import storage
from pipelines.corpus.synthetic import synth
from tests.stores import servers
from tests.stores.conftest import make_bucket

REPOSITORY = Path(__file__).parents[3]
STYLES = ("ambient", "metal", "techno")
RATE_HZ = 22_050
POLICY = {
    "least_songs": 3,
    "least_accuracy": 0.3,
    "least_genre_accuracy": 0.0,
    "least_genre_songs": 2,
    "least_gain": 0.0,
    "largest_loss": 0.5,
    "largest_genre_loss": 0.5,
    "largest_calibration_error": 1.0,
    "largest_tempo_loss": None,
    "audit_required": True,
}


def add_songs(folder, numbers, styles=STYLES):
    """Adds songs of 4 s to a corpus, of these numbers in each style."""
    for style in styles:
        (folder / style).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            samples = synth.song(style, number, duration_s=4.0, sample_rate_hz=RATE_HZ, seed=0)
            unfinished = folder / f"{style}.unfinished"
            soundfile.write(unfinished, samples, RATE_HZ, subtype="PCM_16", format="WAV")
            unfinished.rename(folder / style / f"{style}.{number:05d}.wav")


def configured(folder, corpus, url, sections=None):
    """A configuration file of retrainings of seconds, whose dataset and registry are at a URL."""
    values = {
        "corpus": {"input": str(corpus)},
        "features": {"log_mel": {"n_mels": 32}},
        "folds": {"count": 4},
        "training": {"window_s": 2.0, "epochs": 3, "batch_size": 16, "windows_per_epoch": 50},
        "retraining": {"dataset": f"{url}/dataset", "registry": f"{url}/registry"},
        "promotion": POLICY,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "c.yaml").write_text(yaml.safe_dump(values | (sections or {})))
    return folder / "c.yaml"


def start(config, *options):
    """A retraining, in a process group of its own."""
    command = [sys.executable, "-m", "spectroshard", "retrain", str(config), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=REPOSITORY, start_new_session=True, **pipes)


def ended(process, code=0):
    """What a process printed: its output and its errors."""
    out, errors = process.communicate()
    assert process.returncode == code, errors
    return out, errors


def outcome_of(out):
    """The outcome in the last line of a retraining's output."""
    return json.loads(out.splitlines()[-1])


def check(url):
    """A registry that a retraining was killed in has a champion, if one was decided, whole and named by its copy."""
    known = journal.entries(f"{url}/registry")
    if known and known[-1].champion:
        assert registry.load(f"{url}/registry", known[-1].champion).trained_contents()
        if storage.version(f"{url}/registry/champion.json"):
            copy = json.loads(storage.read_bytes(f"{url}/registry/champion.json"))
            assert copy["entry"] <= known[-1].number
    return len(known)


def decisions(url):
    """What was decided, without what differs from run to run: times, and so the names of bundles, which hold some."""
    measured = {"bundle", "seconds_per_song", "training_seconds"}
    left_out = {
        **dict.fromkeys(("at", "by", "bundle", "champion", "run"), True),
        "verdict": {"comparison": {"champion": measured, "challenger": measured}},
    }
    told = [entry.model_dump(mode="json", exclude=left_out) for entry in journal.entries(f"{url}/registry")]
    return [json.loads(json.dumps(each).replace(url, "")) for each in told]


@dataclass
class Soak:
    """Retrainings that are killed, and the same undisturbed."""

    folder: Path
    url: str
    rng: random.Random
    steps: list[range] = field(default_factory=lambda: [range(6), range(6, 8), range(8, 10)])
    kills: int = 0

    def undisturbed(self):
        corpus, plain = self.folder / "corpus", self.folder / "plain"
        config, seconds = configured(self.folder / "quiet", corpus, str(plain)), []
        for numbers in self.steps:
            add_songs(corpus, numbers)
            started_s = time.monotonic()
            ended(start(config))
            seconds.append(time.monotonic() - started_s)
        return decisions(str(plain)), max(seconds)

    def disturbed(self, kills, longest_s):
        """Kills so many times, whatever the retraining is at; then lets it end."""
        corpus = self.folder / "corpus-again"
        config = configured(self.folder / "killed", corpus, self.url)
        for number, numbers in enumerate(self.steps, 1):
            add_songs(corpus, numbers)
            while self.kills < kills * number // len(self.steps):
                self.kill(start(config), self.rng.uniform(0, longest_s))
                check(self.url)
            out, _ = ended(start(config))
            assert outcome_of(out)["what"] in ("promoted", "kept", "nothing_new"), out
        return decisions(self.url)

    def kill(self, process, after_s):
        try:
            process.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.kills += 1


def on_disk(folder, kills, seed):
    soak = Soak(folder, str(folder / "at"), random.Random(seed))
    expected, longest_s = soak.undisturbed()
    found = soak.disturbed(kills, longest_s)
    assert found == expected
    return found


def on_s3(folder, kills, seed):
    with servers.moto() as url, servers.s3_at(url):
        make_bucket("s3://bucket")
        soak = Soak(folder, "s3://bucket/music", random.Random(seed))
        expected, longest_s = soak.undisturbed()
        found = soak.disturbed(kills, longest_s)
        assert found == expected
        return found


def main(kills):
    for where in (on_disk, on_s3):
        with tempfile.TemporaryDirectory() as folder:
            found = where(Path(folder), kills, seed=0)
        told = ", ".join(
            f"version {each['dataset_version']} {'promoted' if each['verdict']['promote'] else 'kept'}"
            for each in found
        )
        print(f"{where.__name__}: killed {kills} times; the same end as undisturbed: {told}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
