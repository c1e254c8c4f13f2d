"""Runs the commands and the Python of a page, block after block, in one folder."""

import os
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from spectroshard import cli
from tests.docs.markdown import blocks, commands

NOT_RUN = {
    "make": "runs these very tests, or takes minutes; CI calls each",
    "source": "a shell's own; the tests run in the environment",
    "python -m apache_beam": "a worker pool, which runs until it is stopped",
    "spectroshard build s3://": "needs a bucket and a Beam job server",
    "spectroshard build ~/Music --output songs/dataset --runner .flink": "needs a Flink cluster, which test-flink has",
    "spectroshard audit songs/dataset --runner .flink": "the same",
    "spectroshard audit mtat/": "needs MagnaTagATune's lists",
    "spectroshard build ~/albums": "needs music in folders of artists and albums",
    "pip install": "the tests run in an environment that has it",
    "kubectl": "needs a cluster",
    "gcloud": "needs a project of Google's cloud",
    "spectroshard build gs://": "needs a bucket, and Dataflow",
    "export TF_CONFIG=": "names other machines",
    "spectroshard train s3://": "needs a bucket, and these machines",
    "spectroshard predict s3://": "needs a bucket, which test-s3 has",
    "spectroshard configs retraining >": "a shell's own; the tests have a file of that name",
    "spectroshard retrain retraining.yaml --runner": "needs a Flink cluster, which test-flink has",
    "spectroshard models": "needs a registry, which tests/model/retraining makes",
    "spectroshard predict registry:": "needs a registry too",
    "spectroshard crossval soundtracks-dataset": "the same as another command of its page, with another corpus",
}
"""What commands that the tests do not run begin with, and why."""

USERS_OWN = ("torch",)
"""Packages of which the tests do without; blocks that import them are run where they are installed."""

QUICK = ("training.epochs=1", "training.windows_per_epoch=1", "training.tempo=0")
"""What is set so that a training takes seconds."""


def run_page(page: Path, folder: Path, home: Path) -> None:
    """Runs a page's blocks in a folder, with `~` a home; Python's share their names."""
    names: dict[str, object] = {"__name__": "__main__"}
    before = Path.cwd()
    with mock.patch.dict(os.environ, {"HOME": str(home)}):
        os.chdir(folder)
        try:
            for language, block in blocks(page):
                if language == "bash":
                    for command in commands(block):
                        _run_command(command)
                elif language == "python" and not needs_what_is_missing(block):
                    exec(compile(block, str(page), "exec"), names)
        finally:
            os.chdir(before)


def needs_what_is_missing(block: str) -> bool:
    """Whether a block of Python uses a package of the user's that is not installed."""
    return any(f"import {name}" in block or f"from {name}" in block for name in USERS_OWN if not find_spec(name))


def reason_not_to_run(command: list[str]) -> str | None:
    """Why a command is not run; None where it is."""
    line = " ".join(command)
    return next((reason for start, reason in NOT_RUN.items() if line.startswith(start)), None)


def _run_command(command: list[str]) -> None:
    if reason_not_to_run(command):
        return
    assert command[0] == "spectroshard", f"{command} is neither run nor named in NOT_RUN"
    arguments = [str(Path(word).expanduser()) if word.startswith("~/") else word for word in command[1:]]
    code = cli.main([*arguments, *_quick(arguments)])
    assert code == 0, f"{' '.join(command)}: exit code {code}"


def _quick(arguments: list[str]) -> list[str]:
    settings = list(QUICK) if arguments[0] in ("run", "train", "crossval", "retrain") else []
    if arguments[0] in ("run", "build", "retrain") and not any(word.startswith("folds.count") for word in arguments):
        settings.append("folds.count=3")
    return [word for setting in settings for word in ("--set", setting)]
