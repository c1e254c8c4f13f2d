"""The registry: immutable bundles in a folder, and which of them is the champion."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from model.inference.bundle import Bundle
from model.retraining import journal
from model.retraining.journal import JOURNAL, Entry
from pipelines.common import output_folder, storage
from pipelines.common.errors import SpectroshardError, UsageError

BUNDLES, RUNS, WORK = "bundles", "runs", "work"
CHAMPION_NAME, OUTCOME_NAME, HISTORY_NAME, REPORT_NAME = "champion.json", "outcome.json", "history.html", "report.html"
LEASE_NAME = f"{RUNS}/lease.json"
PREFIX = "registry:"
"""What a registry's champion is called by, in place of a bundle: `registry:s3://music/registry`."""

_NAMES = (JOURNAL, BUNDLES, RUNS, WORK, CHAMPION_NAME, OUTCOME_NAME, HISTORY_NAME)
_VERSION = re.compile(r"\d{6}-[0-9a-f]{12}")


def check(registry: str) -> None:
    """Refuses a folder that holds files of somebody else."""
    output_folder.refuse_other_files(registry, "retraining", own=_NAMES)


def open_registry(registry: str) -> list[Entry]:
    """The entries of the journal of a registry that is there.

    Raises
    ------
    UsageError
        There is none.
    """
    known = journal.entries(registry)
    if not known:
        raise UsageError(f"{registry}: no registry there (no {JOURNAL}/); spectroshard retrain makes one")
    return known


def bundle_url(registry: str, version: str) -> str:
    """Where a bundle lies."""
    return storage.join(registry, f"{BUNDLES}/{version}")


def champion(registry: str) -> str:
    """The version of the champion; empty where there is none."""
    newest = journal.newest(registry)
    return newest.champion if newest else ""


def resolve(name: str) -> str:
    """The folder of the bundle that a user names: itself, or a registry's champion by `registry:URL`.

    Raises
    ------
    UsageError
        There is no such registry, or no champion in it.
    """
    if not name.startswith(PREFIX):
        return name
    registry = name.removeprefix(PREFIX)
    if not (version := champion(registry)):
        open_registry(registry)
        raise UsageError(f"{registry}: has no champion yet; spectroshard models list {registry} tells why")
    return bundle_url(registry, version)


def mend(registry: str) -> None:
    """Writes `champion.json` where it does not say what the journal says."""
    newest = journal.newest(registry)
    if newest is None or not newest.champion:
        return
    said = {"bundle": f"{BUNDLES}/{newest.champion}", "entry": newest.number, "at": newest.at}
    url, content = storage.join(registry, CHAMPION_NAME), json.dumps(said, indent=1).encode()
    if not storage.version(url) or storage.read_bytes(url) != content:
        storage.write_bytes(url, content)


def version_of(bundle_json: bytes, dataset_version: int) -> str:
    """What a bundle is called in a registry: after the dataset's version, and its `bundle.json`, byte by byte.

    Not after its digest, which a later version of the program may compute otherwise.
    """
    return f"{dataset_version:06d}-{hashlib.sha256(bundle_json).hexdigest()[:12]}"


def name_of(bundle: Bundle) -> str:
    """The version of a bundle that lies in a registry."""
    return bundle.url.rstrip("/").rpartition("/")[2]


def dataset_version(version: str) -> int:
    """The version of the dataset that a bundle was trained on, by its own version.

    >>> dataset_version("000012-5f0c9e1a2b3c")
    12
    """
    return int(version.partition("-")[0])


def add(registry: str, bundle: Bundle, dataset_version: int) -> str:
    """Copies a bundle into a registry, `bundle.json` last, unless it is there; gives its version."""
    version = version_of(storage.read_bytes(storage.join(bundle.url, Bundle.json_name())), dataset_version)
    there = bundle_url(registry, version)
    if Bundle.json_name() in storage.names(there):
        return version
    bundle.check_files()
    files = [name for name in sorted(storage.sizes(bundle.url)) if not storage.is_unfinished(name.rpartition("/")[2])]
    for name in [*(name for name in files if name != Bundle.json_name()), Bundle.json_name()]:
        url = storage.join(bundle.url, name)
        with storage.local_copy(url) as source, storage.writing(storage.join(there, name)) as copy:
            shutil.copyfile(source, copy)
    return version


@dataclass(frozen=True)
class Held:
    """A bundle that lies in a registry, or what is left of one.

    Attributes
    ----------
    version : str
        The name of its folder.
    fault : str
        What is wrong with it, in a line that names it; empty where nothing is.
    """

    version: str
    fault: str


def bundles(registry: str) -> Iterator[Held]:
    """The bundles of a registry, by name, and how each is, as far as `bundle.json` and the names of its files tell."""
    for name in storage.names(storage.join(registry, BUNDLES)):
        try:
            _opened(bundle_url(registry, name), name)
            fault = ""
        except SpectroshardError as error:
            fault = str(error)
        yield Held(name, fault)


def load(registry: str, version: str) -> Bundle:
    """A bundle of a registry, every file of which is what it was.

    Raises
    ------
    UsageError
        There is none of this version.
    SpectroshardError
        It is damaged.
    """
    there = bundle_url(registry, version)
    if not _VERSION.fullmatch(version) or Bundle.json_name() not in storage.names(there):
        known = ", ".join(storage.names(storage.join(registry, BUNDLES))) or "none"
        raise UsageError(f"{registry}: no bundle {version!r}; there are: {known}")
    bundle = _opened(there, version)
    bundle.check_files()
    return bundle


def _opened(url: str, name: str) -> Bundle:
    """A bundle by the name of its folder, as far as `bundle.json` and the names of its files tell."""
    names = storage.names(url)
    if not _VERSION.fullmatch(name):
        raise SpectroshardError(f"{url}: is no bundle of a retraining, by its name")
    if Bundle.json_name() not in names:
        raise SpectroshardError(
            f"{url}: is half-written (no bundle.json); the retraining that was stopped, or prune, clears it up"
        )
    content = storage.read_bytes(storage.join(url, Bundle.json_name()))
    bundle = Bundle.parsed(content, storage.join(url, Bundle.json_name())).model_copy(update={"url": url})
    if missing := [file for file in (*bundle.files, *(each.name for each in bundle.trained)) if file not in names]:
        raise SpectroshardError(f"{storage.join(url, missing[0])}: is missing; copy the bundle again, whole")
    if version_of(content, dataset_version(name)) != name:
        raise SpectroshardError(f"{url}: is not the bundle that its name tells of")
    return bundle
