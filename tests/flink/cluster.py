"""A Flink cluster of this machine: one JobManager, some TaskManagers, each a process that listens on loopback alone.

`python -m tests.flink.cluster start` (`make flink`) leaves one running, and `stop` ends it.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from spectroshard import runners

REPOSITORY = Path(__file__).parents[2]
INSTALLED = REPOSITORY / ".flink"
"""What `make .flink/installed` makes: Flink's and Beam's jars, Beam's boot program, and what keeps them to loopback."""

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

_JAR, _BOOT = INSTALLED / "job-server.jar", INSTALLED / "boot"
_CONF = Path(__file__).parent / "conf"
_MARK = (
    "SPECTROSHARD_FLINK"  # all processes of a cluster, and all that these start, have its folder in their environment
)
# Temporary files of workers go to a mount that their TaskManager's processes alone see, and that ends with them.
_MOUNT = 'mount -t tmpfs -o "$0" none "$1" && export TMPDIR="$1" && shift && exec "$@"'
_OWN_DISK = ("unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT)
_OPENED = ("lang", "net", "io", "nio", "text", "time", "util", "lang.reflect", "util.concurrent")
_STARTS_WITHIN_S, _STOPS_WITHIN_S = 90.0, 15.0


class Cluster:
    """A cluster whose files lie in a folder: its processes' logs, their temporary files, and `runner.yaml`.

    Parameters
    ----------
    folder : Path
    rest_port, rpc_port : int
        Of the JobManager.
    """

    def __init__(self, folder: Path, rest_port: int = 8081, rpc_port: int = 6123):
        self.folder, self.address = folder, f"127.0.0.1:{rest_port}"
        self._settings = [f"-Drest.port={rest_port}", f"-Djobmanager.rpc.port={rpc_port}"]
        self.task_managers: list[subprocess.Popen[bytes]] = []
        self.runner = folder / "runner.yaml"
        self.disk = folder / "disk"
        self.environment = os.environ | {_MARK: str(folder), "LD_PRELOAD": str(INSTALLED / "loopback.so")}

    def start(self, task_managers: int = 2, disk_mb: int = 0) -> None:
        """Starts all processes, and waits until the cluster takes jobs.

        Parameters
        ----------
        task_managers : int
        disk_mb : int
            How large the disk is that workers have for temporary files, at `disk`; 0 for the machine's.
        """
        for folder in (self.folder / "tmp", self.disk):
            folder.mkdir(parents=True, exist_ok=True)
        self.runner.write_text(yaml.safe_dump(self._options(task_managers), sort_keys=False))
        self.add_job_manager()
        for _ in range(task_managers):
            self.add_task_manager(disk_mb)
        self.wait_for_slots(task_managers)

    def add_job_manager(self) -> None:
        """Starts the JobManager."""
        self._java("jobmanager", JOB_MANAGER, ["-Xmx512m", "-XX:MaxMetaspaceSize=768m"], _jars())

    def add_task_manager(self, disk_mb: int = 0) -> None:
        """Starts one more, which has one task slot."""
        name = f"taskmanager-{len(list(self.folder.glob('taskmanager-*'))) + 1}"
        memory = ["-Xmx384m", "-XX:MaxDirectMemorySize=256m", "-XX:MaxMetaspaceSize=384m"]
        disk = [*_OWN_DISK, f"size={disk_mb}m", str(self.disk)] if disk_mb else []
        self.task_managers.append(self._java(name, TASK_MANAGER, memory, [*_jars(), _JAR], disk))

    def mend(self) -> None:
        """Starts as many TaskManagers as have died, and waits for them."""
        count = len(self.task_managers)
        self.task_managers = [process for process in self.task_managers if process.poll() is None]
        while len(self.task_managers) < count:
            self.add_task_manager()
        self.wait_for_slots(count)

    def wait_for_slots(self, count: int) -> None:
        """Waits until so many task slots are there."""
        until_s = time.monotonic() + _STARTS_WITHIN_S
        while time.monotonic() < until_s:
            with contextlib.suppress(OSError):
                if self.rest("/overview")["slots-total"] == count:
                    return
            time.sleep(0.2)
        raise TimeoutError(f"{self.folder}: the cluster is not up after {_STARTS_WITHIN_S:.0f} s; its logs say why")

    def stop(self) -> None:
        """Ends all processes of the cluster, and all that these have started."""
        for signal_, within_s in ((signal.SIGTERM, _STOPS_WITHIN_S), (signal.SIGKILL, _STOPS_WITHIN_S)):
            for process in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal_)
            until_s = time.monotonic() + within_s
            while self.processes() and time.monotonic() < until_s:
                time.sleep(0.1)
        for process in self.task_managers:
            process.wait()
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)

    def processes(self, command: str = "") -> list[int]:
        """The ids of the cluster's living processes, orphans included, whose command line has a text in it."""
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and self._has(each, command)]

    def _has(self, process: Path, command: str) -> bool:
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return False
        return f"{_MARK}={self.folder}".encode() in environment and command in line

    def rest(self, path: str, method: str = "GET") -> Any:
        """What the JobManager answers."""
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.address}{path}", method=method)) as answer:
            return json.loads(answer.read() or b"{}")

    def _options(self, slots: int) -> dict[str, Any]:
        """Those of `configs/runners/flink.yaml`, at what is this machine's."""
        options = yaml.safe_load(runners.packaged()["flink"].read_text())
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = options["environment_config"]["env"] | {"PATH": path, "PYTHONPATH": str(REPOSITORY)}
        return options | {
            "flink_master": self.address,
            "flink_job_server_jar": str(_JAR),
            "parallelism": slots,
            "environment_config": {"command": str(_BOOT), "env": environment},
        }

    def _java(
        self, name: str, main: str, memory: Sequence[str], jars: Sequence[Path], before: Sequence[str] = ()
    ) -> "subprocess.Popen[bytes]":
        opened = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPENED]
        log = f"-Dlog4j.configurationFile={_CONF / 'log4j.properties'}"
        temporary = f"-Djava.io.tmpdir={self.folder / 'tmp'}"
        command = ["java", *memory, *opened, log, temporary, "-cp", ":".join(map(str, jars)), main, "-c", str(_CONF)]
        with (self.folder / f"{name}.log").open("wb") as sink:
            return subprocess.Popen(
                [*before, *command, *self._settings],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=self.folder / "tmp",  # Beam's boot program leaves a file where it runs
                start_new_session=True,  # Ctrl-C is not for it
            )


@contextlib.contextmanager
def running(folder: Path, task_managers: int = 2) -> Iterator[Cluster]:
    """A cluster on ports that nobody uses, for as long as a block runs."""
    cluster = Cluster(folder, free_port(), free_port())
    try:
        cluster.start(task_managers)
        yield cluster
    finally:
        cluster.stop()


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _jars() -> list[Path]:
    return sorted((INSTALLED / "libraries/pyflink/lib").glob("*.jar"))


def main(command: str) -> None:
    """Starts the cluster of `make flink` and says how it is used, or stops it."""
    cluster = Cluster(INSTALLED / "run")
    cluster.stop()
    if command == "stop":
        return
    cluster.start()
    runner = os.path.relpath(cluster.runner)
    print(
        f"A Flink cluster of two TaskManagers is at http://{cluster.address}\n"
        f"  spectroshard build MUSIC --output D --runner {runner}\n"
        f"  spectroshard build MUSIC --output D --runner {runner} --detach, then: spectroshard status D\n"
        f"  spectroshard audit D --runner {runner}\n"
        f"  spectroshard predict BUNDLE AUDIO --output P.csv --runner {runner}\n"
        f"  spectroshard retrain CONFIG --runner {runner}\n"
        f"Logs are in {os.path.relpath(cluster.folder)}. It runs until: make flink-stop"
    )


if __name__ == "__main__":
    main(sys.argv[1])
