"""The test songs that bundles have not seen: neither them, nor anything that belongs together with them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from model.inference.bundle import Bundle
from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File, written


@dataclass(frozen=True)
class Unseen:
    """The test songs of a dataset that one or more bundles can be judged by, and how many there are besides.

    Attributes
    ----------
    folds : tuple of str
        The folds that all test songs are in.
    files : tuple of File
        The songs.
    seen : int
        How many are left out as they share their samples or their group with what a bundle was trained on.
    unknown_genre : int
        How many are left out as they are of a genre that a bundle does not know.
    """

    folds: tuple[str, ...]
    files: tuple[File, ...]
    seen: int
    unknown_genre: int

    @property
    def count(self) -> int:
        """How many test songs there are."""
        return len(self.files) + self.seen + self.unknown_genre


def find_unseen(bundle: Bundle, dataset: Dataset) -> Unseen:
    """The songs that a bundle is judged by on its dataset, or on a later version of it.

    Parameters
    ----------
    bundle : Bundle
    dataset : Dataset

    Raises
    ------
    UsageError
        The dataset is neither the one that it was trained on nor a later version of it, or no test song is left.
    SpectroshardError
        What the bundle was trained on, or a table, is missing or damaged.
    """
    if not is_in_lineage(bundle, dataset):
        raise UsageError(
            f"{dataset.name}: is neither the dataset that {bundle.url} was trained on nor a later version of it (digest"
            f" {dataset.digest[:12]}, expected {bundle.dataset[:12]}): its test songs may have been trained on"
        )
    found = unseen_by([bundle], dataset)
    if not found.files:
        raise UsageError(
            f"{dataset.name}: no test song is left to judge {bundle.url} by: of {found.count} in"
            f" {', '.join(found.folds) or 'no fold'}, {found.seen} belong to what it was trained on, and"
            f" {found.unknown_genre} are of genres that it does not know"
        )
    return found


def is_in_lineage(bundle: Bundle, dataset: Dataset) -> bool:
    """Whether a bundle was trained on a dataset, or on a version that this one goes on from."""
    return bundle.dataset in (dataset.digest, *dataset.ancestors)


def unseen_by(bundles: Sequence[Bundle], dataset: Dataset, genres: Collection[str] | None = None) -> Unseen:
    """The songs that several bundles are judged by together: none of them has seen them, and all know their genres.

    Groups are those of this version, those of songs that have left it included: a song of an artist is as good as
    trained on if another song of the artist was, wherever that one is now.

    Parameters
    ----------
    bundles : sequence of Bundle
        Of the dataset's lineage. What is test, the first one says.
    dataset : Dataset
    genres : collection of str
        Of which genres songs are known. Default: those that all bundles know.

    Raises
    ------
    SpectroshardError
        What a bundle was trained on, or a table, is missing or damaged.
    """
    folds, rows = _folds(bundles[0], dataset), dataset.ledger()
    trained = set[str]().union(*(bundle.trained_contents() for bundle in bundles))
    if genres is None:
        genres = set(bundles[0].genres).intersection(*(bundle.genres for bundle in bundles))
    groups = groups_of([*rows, *dataset.history()], trained)
    in_test = [file for file in written(rows) if file.fold in folds]
    unseen = [file for file in in_test if file.content_hash not in trained and file.group not in groups]
    known = [file for file in unseen if file.genre in genres]
    return Unseen(folds, tuple(known), len(in_test) - len(unseen), len(unseen) - len(known))


def groups_of(rows: Sequence[File], contents: Collection[str]) -> set[str]:
    """The groups that some contents are in.

    >>> rows = [File("a.wav", "", group="Ann", content_hash="1"), File("b.wav", "", group="Bob", content_hash="2")]
    >>> groups_of(rows, {"2", "3"})
    {'Bob'}
    """
    return {row.group for row in rows if row.content_hash in contents and row.group}


def _folds(bundle: Bundle, dataset: Dataset) -> tuple[str, ...]:
    """The bundle's test folds; those of the dataset where its folds were dealt anew since."""
    known = {fold for folds in bundle.splits.values() for fold in folds}
    return bundle.splits["test"] if known == set(dataset.folds) else dataset.splits()["test"]
