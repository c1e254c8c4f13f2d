"""Verification: every byte of a dataset read, and held against what its versions say.

Every version is verified, as each is to stay what it was published as; a file that several name is read once.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.audit.version_faults import ShardTotals, Totals, table_fault, version_faults
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.output.progress import Progress
from pipelines.common.output.words import counted
from pipelines.dataset import check, versions
from pipelines.dataset.check import Scanned
from pipelines.dataset.dataset import Dataset, Shard, Table
from pipelines.dataset.layout import VERSIONS
from pipelines.dataset.prune import litter

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    url : str
        The dataset's folder.
    versions : tuple of int
        Those that were verified.
    shards, tables, bytes : int
        How many files were read, and how large they are together.
    faults : tuple of str
        A line each.
    litter : dict of int
        The bytes of each file that no version names, by its path in the dataset.
    """

    url: str
    versions: tuple[int, ...]
    shards: int
    tables: int
    bytes: int
    faults: tuple[str, ...]
    litter: Mapping[str, int]

    @property
    def fails(self) -> bool:
        """Whether the dataset is not what it says."""
        return bool(self.faults)

    @property
    def summary(self) -> str:
        """What was read and found, in a line."""
        read = ", ".join([
            counted(len(self.versions), "version"), counted(self.shards, "shard"), counted(self.tables, "table"),
            f"{_size(self.bytes)} read",
        ])  # fmt: skip
        found = counted(len(self.faults), "fault") if self.faults else "no fault"
        files, size = counted(len(self.litter), "file"), _size(sum(self.litter.values()))
        return f"{read}: {found}" + (f"; {files} of litter ({size}) that no version names" if self.litter else "")


def verify(name: str) -> Verification:
    """Reads every byte of a dataset: of all its versions, or of one.

    Parameters
    ----------
    name : str
        The dataset's folder, or `FOLDER@7` for its version 7.

    Raises
    ------
    UsageError
        There is no dataset, or no such version.
    SpectroshardError
        None of its versions is there any more.
    """
    url, number = versions.parts(name)
    known = versions.numbers(url)
    if not known:
        copied = Dataset.load(url)  # says what is there instead
        raise SpectroshardError(f"{url}: is no dataset any more: version {copied.version}, and every other, is missing")
    if number is not None and number not in known:
        versions.version(url, number)  # says which there are
    found = _Faults()
    known = sorted({*known, *_folders_for_commits(url)})
    every = {n: dataset for n in known if (dataset := _load(url, n, found))}
    asked = {n: dataset for n, dataset in every.items() if number in (None, n)}
    _check_lineage(every, found)
    if known and known[-1] in asked:
        for copy, content in versions.copies(asked[known[-1]]).items():
            if fault := _copy_fault(storage.join(url, copy), content, known[-1]):
                found.add(f"{copy}: {fault}", known[-1])
    files = _read(asked, found)
    return Verification(
        url,
        tuple([n for n in known if number in (None, n)]),
        sum(isinstance(file, Shard) for file in files),
        sum(isinstance(file, Table) for file in files),
        sum(file.bytes for file in files),
        found.lines(None if number is None else [number]),
        dict(litter(url, list(every))),
    )


def _copy_fault(url: str, content: bytes, newest: int) -> str:
    try:
        is_right = storage.read_bytes(url) == content
    except OSError as error:
        return check.unreadable(error)
    return "" if is_right else f"is not what version {newest}, the newest, makes of it"


class _Faults:
    """Faults with the versions that they are in."""

    def __init__(self) -> None:
        self.versions_of: dict[str, list[int]] = defaultdict(list)

    def add(self, fault: str, number: int) -> None:
        if number not in self.versions_of[fault]:
            self.versions_of[fault].append(number)

    def lines(self, asked: Sequence[int] | None) -> tuple[str, ...]:
        """Each fault in a line, with the versions that it is in; those of some versions, or all."""
        lines = []
        for fault, numbers in self.versions_of.items():
            of = [number for number in numbers if asked is None or number in asked]
            if of:
                lines.append(f"{fault} (version{'s' if len(of) > 1 else ''} {', '.join(map(str, sorted(of)))})")
        return tuple(lines)


def _folders_for_commits(url: str) -> list[int]:
    """The versions in whose commit's place a folder is, as on a disk can be, which no listing of files has."""
    if not storage.is_local(url):
        return []
    numbers = [int(name) for name in storage.names(storage.join(url, VERSIONS)) if name.isdigit()]
    return [number for number in numbers if storage.is_folder(versions.json_url(url, number))]


def _load(url: str, number: int, found: _Faults) -> Dataset | None:
    try:
        return versions.version(url, number)
    except SpectroshardError as error:
        found.add(str(error), number)
    except OSError as error:
        found.add(f"{versions.json_url(url, number)}: {check.unreadable(error)}", number)
    return None


def _check_lineage(every: Mapping[int, Dataset], found: _Faults) -> None:
    numbers = sorted(every)
    for earlier, number in itertools.pairwise(numbers):
        if every[earlier].digest not in every[number].ancestors:
            found.add(f"{versions.json_url(every[number].url, number)}: does not go on from version {earlier}", number)


def _read(asked: Mapping[int, Dataset], found: _Faults) -> list[Shard | Table]:
    """Reads all files of some versions, and gives what was read."""
    named = {file: dataset for dataset in asked.values() for file in dataset.files}
    scans: dict[Shard, Scanned] = {}
    totals: dict[Shard, ShardTotals] = {}
    table_faults: dict[Table, str] = {}
    with Progress("Verify", len(named), lambda: len(scans) + len(table_faults)):
        for file, dataset in named.items():
            url = storage.join(dataset.url, file.name)
            if isinstance(file, Shard):
                summing = _Summing()
                scans[file] = check.scan(url, file, dataset.features, summing.add)
                totals[file] = summing.totals
            else:
                table_faults[file] = table_fault(url, file)
        for number, dataset in asked.items():
            for fault in version_faults(dataset, scans, totals, table_faults):
                found.add(fault, number)
    return list(named)


class _Summing:
    """Sums up features, bin by bin."""

    def __init__(self) -> None:
        self.totals: ShardTotals = {}

    def add(self, name: str, values: NDArray[np.float32]) -> None:
        wide = values.astype(np.float64)
        own = Totals(len(values), wide.sum(axis=0), np.einsum("ij,ij->j", wide, wide))
        self.totals[name] = self.totals[name] + own if name in self.totals else own


def _size(count: int) -> str:
    """A number of bytes, as people write it.

    >>> _size(999), _size(40_000), _size(1_234_000_000)
    ('999 B', '40.0 kB', '1.2 GB')
    """
    thousands = (len(str(count)) - 1) // 3
    return f"{count / 1000**thousands:.1f} {_UNITS[thousands]}" if thousands else f"{count} B"
