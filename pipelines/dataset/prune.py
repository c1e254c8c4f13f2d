"""Pruning: what no kept version needs is removed; what a version names is never touched while the version is kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.common import lease, storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output.words import counted
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.layout import LEASE_NAME, OUTCOME_NAME, RUNS, SHARDS, STAGING, TABLES, VERSIONS


@dataclass(frozen=True)
class Pruned:
    """What a pruning removes.

    Attributes
    ----------
    versions : tuple of int
    files : dict of int
        The bytes of each file that no kept version names, by its path in the dataset.
    """

    versions: tuple[int, ...]
    files: dict[str, int]

    def __str__(self) -> str:
        size_mb = sum(self.files.values()) / 1e6
        return f"{counted(len(self.versions), 'version')}, {counted(len(self.files), 'file')}, {size_mb:.1f} MB"


def prune(url: str, keep: int, *, dry_run: bool = False) -> Pruned:
    """Removes all but the newest versions, and what no kept version names. The history keeps what it holds.

    Parameters
    ----------
    url : str
        The dataset's folder.
    keep : int
        How many versions stay.
    dry_run : bool
        Whether it is only told.

    Raises
    ------
    UsageError
        There is no dataset, or nothing would be kept.
    BusyError
        A build is at work on it.
    """
    if keep < 1:
        raise UsageError(f"--keep {keep}: expected at least 1")
    url = storage.absolute(url)
    if not versions.numbers(url):
        raise SpectroshardError(
            f"{Dataset.load(url).name}: is missing, and so is every other version; nothing is removed"
        )
    with lease.held(storage.join(url, LEASE_NAME), "prune"):
        numbers = versions.numbers(url)
        pruned = Pruned(tuple(numbers[:-keep]), dict(litter(url, numbers[-keep:])))
        if not dry_run:
            for number in pruned.versions:
                # From here on nobody finds it; what it alone named is removed now, or by the next pruning.
                storage.remove(versions.json_url(url, number))
            for name in pruned.files:
                storage.remove(storage.join(url, name))
    return pruned


def litter(url: str, kept: list[int]) -> Iterator[tuple[str, int]]:
    """Files of a dataset that none of these versions names: each one's path in it, and its bytes."""
    named = set()
    for number in kept:
        dataset = versions.version(url, number)
        named |= {file.name for file in dataset.files}
        named.add(versions.json_url("", number).lstrip("/"))
    for path, size in sorted(storage.sizes(url).items()):
        folder, _, name = path.partition("/")
        is_ours = folder in (VERSIONS, SHARDS, TABLES, STAGING, RUNS) if name else storage.is_unfinished(path)
        is_of_run = path == LEASE_NAME or (folder == RUNS and path.endswith(f"/{OUTCOME_NAME}"))
        if is_ours and path not in named and not is_of_run:
            yield path, size
