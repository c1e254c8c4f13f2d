"""A training run: a configuration, a dataset, and which of its folds are train, validation and test."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from model.config import Training
from model.data import batches
from model.inference.bundle import Bundle
from model.networks.windows import Windows
from pipelines.common.section import digest
from pipelines.dataset.dataset import Dataset


@dataclass(frozen=True)
class Run:
    """What a training depends on.

    Attributes
    ----------
    training : Training
    dataset : Dataset
    splits : dict
        The folds of `train`, `validation` and `test`.
    start : Bundle or None
        Whose weights it begins with.
    """

    training: Training
    dataset: Dataset
    splits: Mapping[str, tuple[str, ...]]
    start: Bundle | None = None

    @functools.cached_property
    def windows(self) -> Windows:
        """The windows that the whole network takes."""
        return Windows.of(self.dataset, self.training.input_features, self.training.window_s, self.splits["train"])

    @property
    def branch_windows(self) -> Windows:
        """The same windows, of the features that its branches are trained on."""
        return self.windows.only(self.training.branch_features)

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return batches.steps(self.dataset, self.splits["train"], self.training)

    @property
    def has_validation_songs(self) -> bool:
        """Whether there are validation songs."""
        return any(self.dataset.songs_of(self.splits["validation"]).values())

    @property
    def digest(self) -> str:
        """A digest of the configuration, the dataset, the splits, and the bundle that it begins with, if any."""
        begun = [self.start.digest] if self.start else []
        return digest([self.training.digest(), self.dataset.digest, dict(self.splits), *begun])
