"""Beam's worker pool on loopback alone: its own listens on every address, and takes code from whoever asks."""

import sys
import time

import grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer


def main(port: int) -> None:
    """Serves until it is killed."""
    listen = grpc._server._Server.add_insecure_port

    def on_loopback(server: grpc.Server, address: str) -> int:
        return listen(server, f"127.0.0.1:{address.rpartition(':')[2]}")

    grpc._server._Server.add_insecure_port = on_loopback
    BeamFnExternalWorkerPoolServicer.start(use_process=True, port=port)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(int(sys.argv[1]))
