"""Beam's servers in this process listen on loopback alone: Beam binds them to every address, and has no option for it.

They take work and code from whoever reaches them, and nobody but this machine's own processes is told where they are.
"""

from typing import Any

import grpc  # type: ignore[import-untyped]
from apache_beam.runners.portability import abstract_job_service
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from apache_beam.runners.worker import worker_pool_main


class _Grpc:
    """The module `grpc` with servers that listen on loopback where they are to listen on every address."""

    def __getattr__(self, name: str) -> Any:
        return getattr(grpc, name)

    def server(self, *arguments: Any, **named: Any) -> Any:
        server = grpc.server(*arguments, **named)
        bind = server.add_insecure_port
        server.add_insecure_port = lambda address: bind(address.replace("[::]", "localhost"))
        return server


def keep_to_loopback() -> None:
    """Sees to it for the staging of jobs, the workers of the local runner, and those of LOOPBACK."""
    modules: tuple[Any, ...] = (abstract_job_service, worker_handlers, worker_pool_main)
    for module in modules:
        module.grpc = _Grpc()
