"""A courtesy among builds, or trainings, of one folder: who comes second learns who is at work there, and leaves.

The process that took a lease renews it, and the workers of its job do, which may outlive it on a cluster.
Safety does not rest on it: two that hold it all the same, as where a clock is wrong, are told apart by the commit.
"""

import contextlib
import dataclasses
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.common import storage
from pipelines.common.errors import BusyError, SpectroshardError

RENEWED_EVERY_S = 10.0
EXPIRES_AFTER, JOBS_EXPIRE_AFTER = timedelta(seconds=60), timedelta(seconds=120)  # a cluster has to miss a lost worker
Clock = Callable[[], datetime]

_MOST_TRIES = 20  # of taking a lease that others take and give back meanwhile

_CHANGING = threading.Lock()  # of the threads of this process one at a time
# When this process looked at a lease, so that its threads ask a store no more than one.
_looked_s: dict[str, float] = {}


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Lease:
    """Who is at work in a folder.

    Attributes
    ----------
    host : str
    machine : str
        The host's start and its space of process ids, in which alone `process` can be looked up; empty if not known.
    process : int
    what : str
        What is at work: `build`, `training`.
    started, renewed : datetime
    token : str
        Tells this lease from all others.
    job : str
        The cluster's job that holds it, in words; empty where the process does.
    """

    host: str
    machine: str
    process: int
    what: str
    started: datetime
    renewed: datetime
    token: str
    job: str = ""

    @classmethod
    def new(cls, what: str, now: datetime) -> "Lease":
        """One of this process."""
        return cls(socket.gethostname(), _machine(), os.getpid(), what, now, now, uuid.uuid4().hex)

    def is_live(self, now: datetime) -> bool:
        """Whether its holder is at work, as far as this process can know."""
        if self.job:
            return now - self.renewed <= JOBS_EXPIRE_AFTER
        is_here = self.machine == _machine() and self.host == socket.gethostname()
        return now - self.renewed <= EXPIRES_AFTER and not (is_here and _is_dead(self.process))

    def since(self, now: datetime) -> str:
        """When its holder began: the time, and the date unless it is today's."""
        return (
            f"{self.started:%H:%M UTC}" if self.started.date() == now.date() else f"{self.started:%Y-%m-%d %H:%M UTC}"
        )

    def __str__(self) -> str:
        return f"a {self.what} by {self.host} ({self.job or f'process {self.process}'})"

    def to_json(self) -> bytes:
        """The lease as it is stored."""
        return json.dumps(dataclasses.asdict(self), default=datetime.isoformat, indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Lease":
        """A stored lease; a damaged one is one that has expired."""
        try:
            values = json.loads(content)
            times = {name: datetime.fromisoformat(values[name]).astimezone(UTC) for name in ("started", "renewed")}
            return cls(**{**values, **times})
        except (ValueError, TypeError, KeyError):
            then = datetime.fromtimestamp(0, UTC)
            return cls("", "", 0, "", then, then, "damaged")


@contextlib.contextmanager
def held(
    url: str, what: str, clock: Clock = _now, instead: str = "wait for it, or give another --output"
) -> Iterator[Lease]:
    """Holds a lease while the block runs, and renews it from a thread; one that was handed over stays.

    A holder whose lease was taken over meanwhile goes on, and is not told.

    Parameters
    ----------
    url : str
        Where it lies: `D/runs/lease.json` is that of `D`, as is one in any other folder of `D`.
    what : str
        What is at work: `build`, `training`.
    clock : callable
        Gives the time.
    instead : str
        What whoever comes second may do.

    Raises
    ------
    BusyError
        Another process holds it.
    SpectroshardError
        The store contradicts itself about it.
    """
    lease = Lease.new(what, clock())
    _take(url, lease, clock, instead)
    _looked_s[url] = time.monotonic()
    try:
        with renewed(url, lease.token, clock):
            yield lease
    finally:
        with contextlib.suppress(OSError):  # it expires by itself
            _release(url, lease.token)


@contextlib.contextmanager
def renewed(url: str, token: str, clock: Clock = _now) -> Iterator[None]:
    """Renews a lease from a thread while the block runs, if it is still that of the token.

    Of many that do so, one writes at a time, as a rule: who finds it fresh leaves it.
    """
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(url, token, ended, clock), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()


def hand_over(url: str, token: str, job: str) -> None:
    """Says which job of a cluster holds the lease of a token from now on; none: the process that took it."""
    with _CHANGING:
        _change(url, token, lambda lease: dataclasses.replace(lease, job=job))


def end(url: str, token: str) -> None:
    """Removes the lease of a token, whoever holds it."""
    hand_over(url, token, "")
    _release(url, token)


def holder(url: str, clock: Clock = _now) -> Lease | None:
    """The lease of who is at work, as far as this process can know; None where nobody is."""
    lease = read(url)
    return lease if lease is not None and lease.is_live(clock()) else None


def read(url: str) -> Lease | None:
    """The lease that lies at a URL, live or not; None where there is none."""
    try:
        return Lease.from_json(storage.read_bytes(url))
    except FileNotFoundError:
        return None


def _take(url: str, lease: Lease, clock: Clock, instead: str) -> None:
    for _ in range(_MOST_TRIES):
        is_made = storage.create(url, lease.to_json())
        other = None if is_made else read(url)
        if is_made or (other is not None and other.token == lease.token):
            return
        if other is None:
            continue
        if other.is_live(clock()):
            seconds = round(JOBS_EXPIRE_AFTER.total_seconds())
            stop = (
                f", or cancel it there; where it is not known any more, try again in {seconds} s" if other.job else ""
            )
            raise BusyError(
                f"{url.rsplit('/', 2)[0]}: {other} has been at work here since {other.since(clock())}; {instead}{stop}"
            )
        # Only who holds the lease on removing this one may do so, or two could each remove it, and the later one the
        # lease that the earlier one has taken.
        removal = f"{url}.{other.token}"
        _take(removal, lease, clock, instead)
        if read(url) == other:
            storage.remove(url)
        _release(removal, lease.token)
    raise SpectroshardError(f"{url}: the store says that it is there, but neither gives nor removes it; try again")


def _release(url: str, token: str) -> None:
    held_now = read(url)
    if held_now is not None and held_now.token == token and not held_now.job:
        storage.remove(url)


def _renew(url: str, token: str, ended: threading.Event, clock: Clock) -> None:
    def with_time(lease: Lease) -> Lease:
        is_fresh = clock() - lease.renewed < timedelta(seconds=RENEWED_EVERY_S / 2)
        return lease if is_fresh else dataclasses.replace(lease, renewed=clock())

    is_held = True
    while is_held:
        with contextlib.suppress(OSError), _CHANGING:  # the next time may do
            if time.monotonic() - _looked_s.get(url, -RENEWED_EVERY_S) >= RENEWED_EVERY_S:
                _looked_s[url] = time.monotonic()
                is_held = _change(url, token, with_time)
        if ended.wait(RENEWED_EVERY_S):
            return


def _change(url: str, token: str, change: Callable[[Lease], Lease]) -> bool:
    """Changes the lease of a token; gives whether it is there."""
    found = read(url)
    if found is None or found.token != token:
        return False
    if (changed := change(found)) != found:
        storage.write_bytes(url, changed.to_json())
    return True


def _machine() -> str:
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{started} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _is_dead(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return False
