"""The journal of a registry: each verdict, promotion and rollback, in files that are created once and never changed.

The newest entry says which bundle is the champion, so that a promotion is decided by one conditional write.
"""

import getpass
import re
import socket
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal

import pydantic

from model.retraining.drift import Drift
from model.retraining.verdict import Verdict
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.manifest_file import foreign, sealed, unsealed
from pipelines.common.section import Section

JOURNAL = "journal"
_NAMED = re.compile(r"(\d{6})\.json")


class Entry(Section):
    """What was decided.

    Attributes
    ----------
    format : int
        The version of this layout.
    number : int
        Of the entry, from 1.
    kind : 'verdict', 'promotion' or 'rollback'
        A retraining's verdict on a challenger; or what somebody decided.
    bundle : str
        The bundle that was judged, promoted, or gone back to: its version in the registry.
    champion : str
        The champion from then on; empty where there is none.
    reason : str
        Why.
    forced : bool
        Whether it was promoted against its verdict, or without one.
    at : str
        When: UTC, in ISO 8601.
    by : str
        Who: the user and the host.
    run : str
        Of a verdict, the retraining's name.
    dataset_version : int
        Of a verdict, the version of the dataset that the challenger was trained on.
    songs : int
        How many songs that version has.
    verdict : Verdict or None
    drift : Drift or None
    """

    format: Literal[1] = 1
    number: int
    kind: Literal["verdict", "promotion", "rollback"]
    bundle: str
    champion: str
    reason: str
    forced: bool = False
    at: str
    by: str
    run: str = ""
    dataset_version: int = 0
    songs: int = 0
    verdict: Verdict | None = None
    drift: Drift | None = None

    def content(self) -> bytes:
        """The file of the entry."""
        return sealed(self.model_dump_json(indent=1).encode())


def who() -> str:
    """Who is at work: the user and the host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may know no name for its user
        user = "somebody"
    return f"{user} on {socket.gethostname()}"


def now() -> str:
    """The time, UTC, in ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def numbers(registry: str) -> list[int]:
    """The numbers of the entries, the oldest first."""
    named = map(_NAMED.fullmatch, storage.names(storage.join(registry, JOURNAL)))
    return storage.series([int(each[1]) for each in named if each], lambda number: entry_url(registry, number))


def entry_url(registry: str, number: int) -> str:
    """Where an entry lies.

    >>> entry_url("songs/registry", 7)
    'songs/registry/journal/000007.json'
    """
    return storage.join(registry, f"{JOURNAL}/{number:06d}.json")


def entry(registry: str, number: int) -> Entry:
    """An entry.

    Raises
    ------
    SpectroshardError
        It is missing or damaged, or of a later program.
    """
    url = entry_url(registry, number)
    try:
        body = unsealed(storage.read_bytes(url))
    except FileNotFoundError as error:
        raise SpectroshardError(f"{url}: is missing; restore it from a copy") from error
    if body is None:
        raise SpectroshardError(f"{url}: is damaged, or was edited: its SHA-256 does not fit; restore it from a copy")
    try:
        return Entry.model_validate_json(body)
    except pydantic.ValidationError as error:
        raise SpectroshardError(f"{url}: {foreign(error)}") from error


def newest(registry: str) -> Entry | None:
    """The newest entry; None where there is none."""
    known = numbers(registry)
    return entry(registry, known[-1]) if known else None


def entries(registry: str) -> list[Entry]:
    """All entries, the oldest first."""
    return [entry(registry, number) for number in numbers(registry)]


def append(registry: str, decide: Callable[[Sequence[Entry]], Entry | None]) -> Entry | None:
    """Adds an entry, unless what others have added meanwhile makes it needless.

    Parameters
    ----------
    registry : str
    decide : callable
        Takes all entries, and gives the next one, of whatever number; None where there is to be none. It is asked again
        where another process was faster.

    Raises
    ------
    SpectroshardError
        An entry is damaged, or the list of entries is not of all that are there.
    """
    refused = 0
    while True:
        known = entries(registry)
        decided = decide(known)
        if decided is None:
            return None
        number = known[-1].number + 1 if known else 1
        if number <= refused:
            raise SpectroshardError(
                f"{entry_url(registry, number)}: is there, and the store does not list it; try again"
            )
        decided = decided.model_copy(update={"number": number})
        if storage.create(entry_url(registry, number), decided.content()):
            return decided
        refused = number


def champions(known: Sequence[Entry]) -> list[str]:
    """The champion, last, and those to go back to, one after the other.

    Examples
    --------
    >>> def made(kind, champion):
    ...     return Entry(number=1, kind=kind, bundle=champion, champion=champion, reason="", at="", by="")
    >>> champions([made("verdict", "a"), made("verdict", "b"), made("verdict", "b"), made("promotion", "c")])
    ['a', 'b', 'c']
    >>> champions([made("verdict", "a"), made("verdict", "b"), made("rollback", "a"), made("verdict", "c")])
    ['a', 'c']
    """
    stack: list[str] = []
    for each in known:
        if each.kind == "rollback":
            del stack[stack.index(each.champion) + 1 :]
        elif each.champion and each.champion not in stack[-1:]:
            stack = [*(one for one in stack if one != each.champion), each.champion]
    return stack
