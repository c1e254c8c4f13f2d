"""Servers of object stores, each a process of its own or, of moto, a thread."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import gcsfs
import pytest
import s3fs

KEY, SECRET = "the-name-of-a-key", "nobody-may-ever-read-this"
_GO_PROGRAMS = Path(__file__).parents[2] / ".venv-stores"


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """moto, which has all of S3's language and keeps objects in memory; gives its URL."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        urllib.request.urlopen(f"{url}/moto-api/reset", b"").close()  # all servers of a process have the same objects
        yield url
    finally:
        server.stop()


@contextlib.contextmanager
def versity(folder: Path) -> Iterator[str]:
    """The Versity gateway, whose objects are files below a folder; gives its URL."""
    port, root = _free_port(), folder / "objects"
    root.mkdir()
    keys = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
    command = [_GO_PROGRAMS / "versitygw", "--quiet", "--port", f"127.0.0.1:{port}", "posix", root]
    with _running(command, port, keys):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def fake_gcs() -> Iterator[str]:
    """A server that speaks Google Cloud Storage's language; gives its URL."""
    port = _free_port()
    command = [_GO_PROGRAMS / "fake-gcs-server", "-scheme=http", "-host=127.0.0.1", f"-port={port}", "-backend=memory"]
    with _running([*command, "-log-level=error", f"-public-host=127.0.0.1:{port}"], port, {}):
        yield f"http://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def _running(command: list[object], port: int, environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen([str(part) for part in command], env={**os.environ, **environment})
    try:
        for _ in range(200):
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        else:
            raise RuntimeError(f"{command[0]}: does not listen after ten seconds")
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def s3_at(url: str) -> Iterator[pytest.MonkeyPatch]:
    """Has S3's clients, of worker processes too, ask a server, with credentials from the environment."""
    names = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**names, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        yield patch
        s3fs.S3FileSystem.clear_instance_cache()


@contextlib.contextmanager
def gcs_at(url: str) -> Iterator[pytest.MonkeyPatch]:
    """Has clients of Google Cloud Storage ask a server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", url)
        gcsfs.GCSFileSystem.clear_instance_cache()
        yield patch
        gcsfs.GCSFileSystem.clear_instance_cache()
