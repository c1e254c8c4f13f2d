"""A training by two workers on this machine, one of whom is killed on the way."""

import json
import os
import socket
import subprocess
import sys

import pytest

from model.inference.bundle import Bundle

WORKER = """
import hashlib, os, sys
from pathlib import Path

from model.config import Config
from model.training import train as room
from model.training.averaging import AverageStatistics
from pipelines.common.errors import SpectroshardError
from pipelines.dataset import versions

config, dataset, output, killed_at = sys.argv[1:]
before, fitted = AverageStatistics.on_epoch_end, room._fitted


def die(self, epoch, logs=None):
    if epoch == int(killed_at):
        os._exit(9)
    before(self, epoch, logs)


def told(*arguments):
    found = fitted(*arguments)
    weights = b"".join(values.tobytes() for values in found[0].get_weights())
    print("weights", hashlib.sha256(weights).hexdigest())
    return found


AverageStatistics.on_epoch_end, room._fitted = die, told
try:
    bundle = room.train(Config.model_validate_json(Path(config).read_text()), versions.load(dataset), output)
    print("bundle", bundle.digest)
except SpectroshardError as error:
    print("error", error)
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def trained_by_two(arguments, killed_at=-1):
    """The exit code and the output of each of two workers, the second of which may be killed after an epoch."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
        command = [sys.executable, "-c", WORKER, *arguments, str(killed_at if index else -1)]
        started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate(timeout=300)[0] for process in started]
    return [(process.returncode, output) for process, output in zip(started, outputs, strict=True)]


@pytest.mark.slow
def test_two_workers_train_one_model_and_survive_that_one_is_killed(config, dataset, bundle, tmp_path):
    (tmp_path / "config.json").write_text(config.model_dump_json())
    arguments = [str(tmp_path / "config.json"), dataset.url, str(tmp_path / "bundle")]
    (code, told), (killed, _) = trained_by_two(arguments, killed_at=2)
    assert (code, killed) == (0, 9)
    assert "error worker 1 of 2: 127.0.0.1:" in told and "the training goes on from its last epoch" in told
    state = json.loads((tmp_path / "bundle" / "_training" / "state.json").read_text())
    assert [row["epoch"] for row in state["rows"]] == [0, 1]

    (code, of_chief), (other_code, of_other) = trained_by_two(arguments)
    assert (code, other_code) == (0, 0)
    assert of_chief == of_other and of_chief.startswith("weights ")
    found = Bundle.load(str(tmp_path / "bundle"))
    # Of as many steps on the same songs, in other batches.
    assert found.validation["validation_loss"] == pytest.approx(bundle.validation["validation_loss"], abs=0.3)
