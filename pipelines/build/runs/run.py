"""A run of a build: a folder in which its steps leave for the next what is too large to travel through Beam."""

import contextlib
import functools
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

import pydantic

from pipelines.common import lease, storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.section import Section, digest
from pipelines.config import BuildConfig
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.layout import LEASE_NAME, OUTCOME_NAME, RUNS, STAGING
from pipelines.dataset.ledger import File

SONGS, HISTORY, COPIES, RECORDS = "songs", "history", "copies", "records"
"""The tables of a run's plan."""

REJECTED_NAME = "rejected.parquet"
"""The table of a plan's files, of which too many may have been rejected."""

_NAMED = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")
SectionT = TypeVar("SectionT", bound=Section)


class Request(Section):
    """What a run is to do.

    Attributes
    ----------
    config : BuildConfig
    output : str
        The dataset's folder.
    version : int
        What it is to publish.
    parent : str
        The version that it goes on from, as `D@7`; empty where there is none.
    root, listing, reading : str
        As in `Dataset`.
    songs_to_read : int
    broken : tuple of str
        Shards of the parent that are missing or damaged, and are to be written again.
    lease : str
        The token of the output's lease, which its workers renew.
    is_detached : bool
        Whether nobody waits for its end: then it tidies up itself.
    """

    config: BuildConfig
    output: str
    version: int
    parent: str
    root: str
    listing: str
    reading: str
    songs_to_read: int
    broken: tuple[str, ...] = ()
    lease: str = ""
    is_detached: bool = False

    @property
    def staging(self) -> str:
        """The folder of staged readings of this corpus: files of another may have the same names, sizes and times."""
        return storage.join(self.output, f"{STAGING}/{digest([self.reading, self.root])[:16]}")


class Outcome(Section):
    """How a run ended.

    Attributes
    ----------
    status : 'published', 'up to date', 'refused' or 'superseded'
    version : int
        The newest version there is, as far as this run knows; 0 where there is none.
    message : str
        Why it was refused.
    exit_code : int
    """

    status: Literal["published", "up to date", "refused", "superseded"]
    version: int
    message: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Listed(File):
    """A file of the listing.

    Attributes
    ----------
    location, version : str
        As in `Entry`.
    """

    location: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class FileToRead:
    """A file of the listing that is to be read.

    Attributes
    ----------
    uri, genre, location, version : str
        As in `Listed`.
    may_be_known : bool
        Whether a file of its size has been read before: then its bytes are compared before it is decoded.
    """

    uri: str
    genre: str
    location: str
    version: str
    may_be_known: bool


@dataclass(frozen=True)
class Run:
    """A run's folder, and what is where in it."""

    url: str

    @classmethod
    def new(cls, output: str) -> "Run":
        """A run that begins now; the newest sorts last."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
        return cls(storage.join(output, f"{RUNS}/{name}"))

    @property
    def name(self) -> str:
        """Its id."""
        return self.url.rpartition("/")[2]

    def path(self, name: str) -> str:
        """The URL of a file of the run."""
        return storage.join(self.url, name)

    @property
    def listing(self) -> str:
        """The table of all files that the corpus lists, sorted by URI."""
        return self.path("listing.parquet")

    @property
    def reads(self) -> str:
        """The table of the files to be read, a row group for each part."""
        return self.path("reads.parquet")

    @property
    def known(self) -> str:
        """The table of readings that files of other names may turn out to have."""
        return self.path("known.parquet")

    @property
    def readings(self) -> str:
        """The table of what reading each listed file told, sorted by URI."""
        return self.path("readings.parquet")

    @property
    def contents(self) -> str:
        """The table of the recordings that are searched for copies."""
        return self.path("contents.parquet")

    @property
    def fingerprints(self) -> str:
        """The table of the fingerprints of recordings that are new."""
        return self.path("fingerprints.parquet")

    @property
    def search(self) -> str:
        """The folder of the search for copies."""
        return self.path("copies")

    def plan(self, table: str) -> str:
        """A table of the plan."""
        return self.path(f"plan/{table}.parquet")

    @property
    def staging(self) -> str:
        """The folder of all staged readings that this run can use, of earlier runs too."""
        return self.request.staging

    @property
    def request(self) -> Request:
        """What it is to do."""
        return _request(self.path("request.json"))

    @property
    def parent(self) -> Dataset | None:
        """The version that it goes on from."""
        return versions.load(self.request.parent) if self.request.parent else None

    @property
    def is_begun(self) -> bool:
        """Whether it says what it is to do."""
        return bool(storage.version(self.path("request.json")))

    def begin(self, request: Request) -> None:
        """Writes what it is to do."""
        storage.write_bytes(self.path("request.json"), request.model_dump_json(indent=1).encode())

    def at_work(self) -> contextlib.AbstractContextManager[None]:
        """Renews the output's lease while a `with` block runs, as the command that took it may have gone."""
        return lease.renewed(storage.join(self.request.output, LEASE_NAME), self.request.lease)

    def is_superseded(self) -> bool:
        """Whether another run has published the version that this one was to publish."""
        return bool(storage.version(versions.json_url(self.request.output, self.request.version)))

    def superseded(self, fault: str = "") -> Outcome:
        """How it ends where another run was faster, and what went wrong for that reason."""
        newest = max([self.request.version, *versions.numbers(self.request.output)])
        message = (
            f"{self.request.output}: superseded: version {newest} was published while this build was at work"
            f"{fault and f' ({fault})'}; run the same command again to go on from there"
        )
        return Outcome(status="superseded", version=newest, message=message, exit_code=1)

    def tidy(self) -> None:
        """Removes what it and other runs have left, but for its outcome.

        A run whose lease has expired, and that is at work all the same, finds its folder gone: it cannot publish,
        as what it went on from is no longer the newest.
        """
        for name in storage.names(self.url):
            if name != OUTCOME_NAME:
                storage.remove(self.path(name))
        folder = self.url.rpartition("/")[0]
        for name in storage.names(folder):
            if name not in (self.name, LEASE_NAME.rpartition("/")[2]):
                storage.remove(storage.join(folder, name))

    def outcome(self) -> Outcome | None:
        """How it ended; None where it has not."""
        try:
            return _parsed(self.path(OUTCOME_NAME), Outcome)
        except FileNotFoundError:
            return None

    def end(self, outcome: Outcome) -> None:
        """Writes how it ended."""
        storage.write_bytes(self.path(OUTCOME_NAME), outcome.model_dump_json(indent=1).encode())


def is_run(name: str) -> bool:
    """Whether a folder of this name is a run's.

    >>> is_run(Run.new("music").name), is_run("events")
    (True, False)
    """
    return _NAMED.fullmatch(name) is not None


@functools.lru_cache(maxsize=16)
def _request(url: str) -> Request:
    return _parsed(url, Request)


def _parsed(url: str, kind: type[SectionT]) -> SectionT:
    try:
        return kind.model_validate_json(storage.read_bytes(url))
    except pydantic.ValidationError as error:
        raise SpectroshardError(f"{url}: is damaged ({error.errors()[0]['msg']}); remove its folder") from error
