"""A song as a library's user meets it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Song:
    """One song of a split: a whole recording's features, in memory.

    Attributes
    ----------
    id : str
        Its file's path below the corpus's root; the ledger has it as `path`.
    genre : str
    group : str
        Songs of one group are all in one split.
    features : mapping of array
        Each feature by name, float32, shape (frames, bins); `song["log_mel"]` is one of them.
    frame_times_s : mapping of array
        When, in seconds, each frame of a feature has its centre, shape (frames,); by feature, as hops may differ.
    """

    id: str
    genre: str
    group: str
    features: Mapping[str, NDArray[np.float32]]
    frame_times_s: Mapping[str, NDArray[np.float64]]

    def __getitem__(self, feature: str) -> NDArray[np.float32]:
        if feature not in self.features:
            raise KeyError(f"no feature {feature!r}; the dataset has {', '.join(self.features)}")
        return self.features[feature]
