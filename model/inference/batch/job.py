"""The folder of a batch prediction: what is listed, what is staged, and what is published.

<predictions>/
  predictions.json              written last: counts, and the mixture of all songs
  songs/part-00007.parquet      a row for each song, sorted by path
  failures/part-00007.parquet   path, reason and error of each file that could not be predicted
  _work/                        of a job that is not finished
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from model.inference.bundle import Bundle
from model.inference.input_files import input_files
from model.inference.totals import Totals
from pipelines.common import output_folder, parquet, storage
from pipelines.common.errors import UsageError
from pipelines.common.manifest_file import FolderManifest
from pipelines.common.section import Section, digest
from pipelines.corpus.names.spellings import escape_undecodable

WORK_NAME = "_work"
LEASE_NAME = f"{WORK_NAME}/lease.json"
SONGS, FAILURES = "songs", "failures"


@dataclass(frozen=True, slots=True)
class Listed:
    """A file to be predicted.

    Attributes
    ----------
    path : str
    version : str
        What changes when the file does, or what a manifest says of it.
    year : int
        The manifest's; 0 where it gives none.
    fault : str
        Why it may not be read; empty where it may.
    """

    path: str
    version: str
    year: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be predicted, as in `Prediction`."""

    path: str
    reason: str
    error: str


class Predictions(FolderManifest):
    """What `predictions.json` says.

    Attributes
    ----------
    format : int
        The version of this layout.
    bundle : str
        The digest of the bundle that predicted.
    genres : tuple of str
    parts : int
        By how many a hash of the path divides the files.
    listing : str
        A digest of the files and their versions.
    totals : Totals
    """

    KIND = "predictions"
    MADE_BY = "predict"

    format: Literal[1] = 1
    bundle: str
    genres: tuple[str, ...]
    parts: int
    listing: str
    totals: Totals


class Request(Section):
    """What a job is to do.

    Attributes
    ----------
    bundle_url : str
    bundle, genres, parts, listing
        As in `Predictions`.
    files : int
        How many there are.
    """

    bundle_url: str
    bundle: str
    genres: tuple[str, ...]
    parts: int
    listing: str
    files: int


@dataclass(frozen=True)
class Job:
    """The folder of a batch prediction, and what is where in it."""

    url: str

    @property
    def listing(self) -> str:
        """The table of the files, a row group a part, sorted by path."""
        return storage.join(self.url, f"{WORK_NAME}/listing.parquet")

    @property
    def staged(self) -> str:
        """The folder of what was predicted since the job began."""
        return storage.join(self.url, f"{WORK_NAME}/staged")

    @property
    def _request(self) -> str:
        return storage.join(self.url, f"{WORK_NAME}/request.json")

    def part(self, kind: str, number: int) -> str:
        """The URL of a published table: `SONGS` or `FAILURES` of a part."""
        return storage.join(self.url, f"{kind}/{part_name(number)}")

    def request(self) -> Request:
        """What it is to do."""
        return Request.model_validate_json(storage.read_bytes(self._request))

    def refuse_others(self, bundle: Bundle) -> None:
        """Refuses a folder that holds something else than predictions of a bundle.

        Raises
        ------
        UsageError
        """
        output_folder.refuse_other_files(
            self.url, "predict", work=WORK_NAME, own=(Predictions.json_name(), SONGS, FAILURES)
        )
        former = self._former()
        if former is not None and former.bundle != bundle.digest:
            raise UsageError(f"{self.url}: holds predictions of another bundle; give a new --output, or remove it")

    def begin(self, bundle: Bundle, urls: Sequence[str]) -> bool:
        """Lists the files, and says whether there is anything to do.

        Raises
        ------
        UsageError
            There is no audio.
        """
        former = self._former()
        files = list_files(urls)
        listing = digest([[file.path, file.version, file.fault] for file in files])
        if isinstance(former, Predictions) and former.listing == listing and not former.totals.failures:
            return False
        parts = former.parts if former is not None else part_count(len(files))
        groups: list[list[Listed]] = [[] for _ in range(parts)]
        for file in files:
            groups[part_of(file.path, parts)].append(file)
        storage.write_bytes(self.listing, parquet.encode_groups(Listed, groups))
        request = Request(
            bundle_url=storage.absolute(bundle.url),
            bundle=bundle.digest,
            genres=bundle.genres,
            parts=parts,
            listing=listing,
            files=len(files),
        )
        storage.write_bytes(self._request, request.model_dump_json(indent=1).encode())
        return True

    def _former(self) -> Predictions | Request | None:
        """The predictions that are there, or what a job that was stopped was to do."""
        if Predictions.json_name() in storage.names(self.url):
            return Predictions.load(self.url)
        try:
            return self.request()
        except FileNotFoundError:
            return None


def list_files(urls: Sequence[str]) -> list[Listed]:
    """The files that paths, folders, globs and manifests name, also those that may not be read, by path."""
    found = input_files(urls)
    files = [
        Listed(escape_undecodable(path), f"{found.versions.get(path, '')}{f' of {year}' if year else ''}", year or 0)
        for path, year in found.years.items()
    ]
    faults = [Listed(escape_undecodable(path), "", fault=fault) for path, fault in found.faults.items()]
    return sorted(files + faults, key=lambda file: file.path)


def part_count(files: int) -> int:
    """How many parts so many files are divided into: as many as each then has files.

    >>> part_count(0), part_count(100), part_count(1_000_000)
    (1, 10, 1000)
    """
    return max(1, math.isqrt(files))


def part_of(path: str, parts: int) -> int:
    """The part that a path belongs to."""
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big") % parts


def part_name(number: int) -> str:
    """The name of a part's tables."""
    return f"part-{number:05d}.parquet"
