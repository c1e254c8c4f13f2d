"""The configuration of a training, beside that of a build in the same file.

May use: pipelines, networks.
"""

from typing import Any, Self

import pydantic
from pydantic import Field

from model.networks import registry
from pipelines.common.section import Section
from pipelines.config import BuildConfig

_ALTERING = ("mixup", "mask_bins", "mask_frames", "tempo", "pitch_bins", "gain_db", "equalise_db")


class Training(Section):
    """How a network is trained. The defaults were chosen on a corpus that none of the README's figures come from.

    Attributes
    ----------
    network : str
        A name in `model.networks.registry.NETWORKS`.
    features : tuple of str
        What the network learns from. Default: what suits it.
    window_s : float
        The length of the windows of a song that are classified, in seconds.
    windows_per_song : int
        How many windows, at random places, an epoch draws from each song at least.
    windows_per_epoch : int
        How many windows an epoch draws in all at least: of few songs it draws more of each, as a small corpus, too,
        needs a few thousand steps to be learned.
    held_out_share : float
        How much of each train song, at its end, is never trained on, so that it can be scored beside songs that the
        network never saw: a window at least, and half of the song at most.
    batch_size : int
        How many windows a step takes.
    epochs : int
        How many epochs the schedule has.
    patience : int or None
        Training stops early after this many epochs without a lower validation loss, and keeps the weights of the
        lowest. None trains to the end of the schedule and keeps the last weights, which did better: a validation split
        of a few dozen songs picks an epoch by luck.
    learning_rate : float
        Of AdamW, at its peak: it rises for a tenth of the training, then falls along a cosine to zero.
    weight_decay : float
        Of AdamW.
    label_smoothing : float
        How much of a label's weight is spread evenly over all genres.
    mixup : float
        Both parameters of the beta distribution by which pairs of windows are mixed; 0 mixes none.
    mask_bins, mask_frames : int
        SpecAugment's masks: a band of fewer bins, a stretch of fewer frames; 0 masks none.
    tempo : float
        Windows are played at up to 1 + `tempo` times their tempo, or as much slower, and classified at both and as
        they are; 0 plays them as they are.
    pitch_bins : int
        By how many mel bins windows are shifted at most, up or down.
    gain_db : float
        How much louder or softer windows are made at most.
    equalise_db : float
        The standard deviation of the gain of five bands.
    average_momentum : float
        How much of the running mean of the weights a step keeps, where that mean takes their place at the end; 0 keeps
        the weights as they are.
    risk : float
        The largest share of wrong genres among the validation songs that are given one with confidence. Where the
        bundle is less sure than that allows, it gives no genre with confidence.
    class_weights : bool
        Whether a rare genre's windows weigh more, so that all genres weigh the same.
    seed : int
        Of the initial weights, and of all that is drawn at random.
    cache_mb : float
        The train songs' shards stay in memory when they have no more megabytes than this; otherwise each pass reads
        them again. Nothing else depends on it.
    allow_leaks : bool
        Whether to train on a dataset although its audit finds a leak.
    """

    network: str = "cnn"
    features: tuple[str, ...] = ()
    window_s: float = Field(3.0, gt=0)
    windows_per_song: int = Field(2, ge=1)
    windows_per_epoch: int = Field(800, ge=1)
    held_out_share: float = Field(0.0, ge=0, le=0.5)
    batch_size: int = Field(16, ge=1)
    epochs: int = Field(40, ge=1)
    patience: int | None = Field(None, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-3, ge=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    mixup: float = Field(0.3, ge=0)
    mask_bins: int = Field(0, ge=0)
    mask_frames: int = Field(0, ge=0)
    tempo: float = Field(0.25, ge=0, le=1)
    pitch_bins: int = Field(0, ge=0)
    gain_db: float = Field(0.0, ge=0)
    equalise_db: float = Field(0.0, ge=0)
    average_momentum: float = Field(0.0, ge=0, lt=1)
    risk: float = Field(0.2, ge=0, le=1)
    class_weights: bool = False
    seed: int = Field(0, ge=0, lt=2**32 - 1)
    cache_mb: float = Field(1000.0, ge=0)
    allow_leaks: bool = False

    @pydantic.field_validator("network")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in registry.NETWORKS:
            raise ValueError(f"unknown network {name!r}; allowed: {', '.join(registry.NETWORKS)}")
        return name

    @pydantic.model_validator(mode="after")
    def _leaves_what_is_pretrained(self) -> Self:
        pretrained = registry.NETWORKS[self.network].pretrained
        if pretrained and pretrained.feature in self.features:
            raise ValueError(
                f"features names {pretrained.feature}, which network {self.network} sees in any case;"
                " name those alone that its towers are to learn from"
            )
        return self

    @property
    def learned(self) -> tuple[str, ...]:
        """The features that the network's towers learn from: those named, or what suits the network."""
        return self.features or registry.NETWORKS[self.network].features

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the network sees: beside those that it learns from, what its pretrained part knows."""
        pretrained = registry.NETWORKS[self.network].pretrained
        return (*self.learned, pretrained.feature) if pretrained else self.learned

    def unaltered(self, **values: int) -> Self:
        """The same training of windows as they are in their songs, with some other values."""
        return self.model_copy(update={**dict.fromkeys(_ALTERING, 0), **values})

    def deciding(self) -> dict[str, Any]:
        """The values that decide what is learned."""
        return self.model_dump(mode="json", exclude={"cache_mb"})


class Config(BuildConfig):
    """A whole configuration file: what a build reads, and what a training reads."""

    training: Training = Training()
