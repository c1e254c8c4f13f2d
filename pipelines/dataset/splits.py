"""Splits: which folds are train, validation and test."""

from collections.abc import Sequence

from pipelines.common.errors import UsageError
from pipelines.config import SPLITS, FoldsConfig, SplitName


def split_of(fold: str, config: FoldsConfig) -> SplitName:
    """The split of a fold: a corpus's own fold is called after its split, of a numbered one the configuration decides.

    >>> [split_of(fold, FoldsConfig()) for fold in ("fold-00", "fold-01", "fold-02", "validation")]
    ['test', 'validation', 'train', 'validation']
    """
    if fold == "test" or fold in map(fold_name, config.test):
        return "test"
    if fold == "validation" or fold in map(fold_name, config.validation):
        return "validation"
    return "train"


def split_of_folds(config: FoldsConfig, folds: Sequence[str]) -> dict[str, SplitName]:
    """The split of each fold.

    Raises
    ------
    UsageError
        The configuration names a fold that is not there.

    Examples
    --------
    >>> split_of_folds(FoldsConfig(test=(2,)), ["fold-00", "fold-01", "fold-02"])
    {'fold-00': 'train', 'fold-01': 'validation', 'fold-02': 'test'}
    """
    for split in ("validation", "test"):
        for number in getattr(config, split):
            if not set(folds) & {fold_name(number), *SPLITS}:
                raise UsageError(f"folds.{split} names fold {number}; there are {', '.join(sorted(folds)) or 'none'}")
    return {fold: split_of(fold, config) for fold in folds}


def fold_name(number: int) -> str:
    """The name of a numbered fold.

    >>> fold_name(3)
    'fold-03'
    """
    return f"fold-{number:02d}"
