"""Versions: each state of a dataset, published by one conditional write, and never changed.

`versions/000007/dataset.json` is the commit. The `dataset.json` and the lists of shards at the top are copies of the
newest version's, for readers; whoever comes next mends them.
"""

import re

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.layout import LISTS, SHARDS, VERSIONS

_NAMED = re.compile(r"(.+)@(\d+)", re.DOTALL)
_COMMIT = re.compile(rf"(\d+)/{re.escape(Dataset.json_name())}")


def load(name: str) -> Dataset:
    """The newest version of a dataset, or the one that its name asks for.

    Parameters
    ----------
    name : str
        The dataset's folder, or `FOLDER@7` for its version 7.

    Raises
    ------
    UsageError
        There is none.
    SpectroshardError
        Its `dataset.json` is damaged.
    """
    url, number = parts(name)
    return Dataset.load(url) if number is None else version(url, number)


def parts(name: str) -> tuple[str, int | None]:
    """The folder of a dataset and the number of the version that its name asks for.

    >>> parts("music@7"), parts("music")
    (('music', 7), ('music', None))
    """
    named = _NAMED.fullmatch(name)
    if named and not storage.version(storage.join(name, Dataset.json_name())):  # a folder may be called so
        return named[1], int(named[2])
    return name, None


def is_there(name: str) -> bool:
    """Whether a name that `load` takes is that of a dataset, whichever its versions are."""
    url, _ = parts(name)
    return storage.is_folder(url) and (Dataset.json_name() in storage.names(url) or bool(numbers(url)))


def version(url: str, number: int) -> Dataset:
    """A version of the dataset in a folder."""
    at = json_url(url, number)
    try:
        content = storage.read_bytes(at)
    except (FileNotFoundError, NotADirectoryError) as error:
        if number in (there := numbers(url)):
            raise SpectroshardError(
                f"{at}: is listed, and is not there; try again, or see what else is gone"
            ) from error
        raise UsageError(f"{url}: no version {number}; there are {', '.join(map(str, there)) or 'none'}") from error
    try:
        found = Dataset.parsed(content, at).model_copy(update={"url": url})
        if found.version != number:
            raise SpectroshardError(f"{at}: is that of version {found.version}")
    except UsageError:
        raise
    except SpectroshardError as error:
        raise SpectroshardError(f"{error}; {_way_out(url, number)}") from error
    return found


def _way_out(url: str, number: int) -> str:
    """What to do where the commit of a version is damaged."""
    if _copied(url) == number:
        return f"{storage.join(url, Dataset.json_name())} is a whole copy of it: put that in its place"
    return "restore it from a copy, or build a new dataset with --previous naming a version that is whole"


def json_url(url: str, number: int) -> str:
    """Where a version is committed.

    >>> json_url("music", 7)
    'music/versions/000007/dataset.json'
    """
    return storage.join(url, f"{VERSIONS}/{number:06d}/{Dataset.json_name()}")


def numbers(url: str) -> list[int]:
    """The versions of a dataset, the oldest first."""
    commits = (_COMMIT.fullmatch(name) for name in storage.sizes(storage.join(url, VERSIONS)))
    listed = [int(commit[1]) for commit in commits if commit]
    return storage.series(listed, lambda number: json_url(url, number), 0 if listed else _copied(url))


def _copied(url: str) -> int:
    """The version that the copy at the top is of; 0 where it tells of none."""
    try:
        return Dataset.load(url).version
    except SpectroshardError:
        return 0


def newest(url: str) -> Dataset | None:
    """The newest version in a folder; None where there is none."""
    known = numbers(url)
    return version(url, known[-1]) if known else None


def commit(dataset: Dataset) -> bool:
    """Publishes a version; False where another one has been published under its number.

    A second attempt to publish the same version succeeds.
    """
    at, content = json_url(dataset.url, dataset.version), dataset.content()
    return storage.create(at, content) or storage.read_bytes(at) == content


def shard_sizes(url: str) -> dict[str, int]:
    """The bytes of each file among the shards of the dataset in a folder, by its path in the dataset."""
    return {f"{SHARDS}/{name}": size for name, size in storage.sizes(storage.join(url, SHARDS)).items()}


def mend_copies(dataset: Dataset) -> None:
    """Writes the copies at the top for a version, the newest, where they are not there or of another version."""
    content_of = copies(dataset)
    present = storage.names(dataset.url)
    # `dataset.json` last: where it is right, so are the lists.
    for name, content in content_of.items():
        url = storage.join(dataset.url, name)
        if name not in present or storage.read_bytes(url) != content:
            storage.write_bytes(url, content)


def copies(dataset: Dataset) -> dict[str, bytes]:
    """What lies at the top where a version is the newest, by name: the lists of its shards, then `dataset.json`."""
    lists = {
        LISTS[split]: "".join(f"{shard.name}\n" for shard in dataset.shards_of(folds)).encode()
        for split, folds in dataset.splits().items()
    }
    return lists | {Dataset.json_name(): dataset.content()}
