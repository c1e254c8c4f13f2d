"""On which addresses processes listen."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

LOOPBACK = {"0100007F", "0" * 24 + "01000000", "0" * 16 + "FFFF00000100007F"}
"""Its addresses as /proc has them: IPv4's, IPv6's, and IPv4's in the form of IPv6."""


def listens_on(processes: Iterable[int]) -> set[str]:
    """The addresses, as /proc has them, on which some processes listen."""
    sockets = set()
    for process in processes:
        for link in Path(f"/proc/{process}/fd").glob("*"):
            with contextlib.suppress(OSError):  # it may have ended
                sockets.add(str(link.readlink()))
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}
