"""The configuration of a training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

import pydantic
from pydantic import Field

from model.networks import registry
from pipelines.common.section import Section, digest
from pipelines.features.schema import Features


@dataclass(frozen=True)
class Augmentation:
    """Marks the strength of an augmentation, which 0 switches off.

    Attributes
    ----------
    changes, called : str
        Of one that changes some features only: the property of a feature's class that says so, and its words.
    """

    changes: str = ""
    called: str = ""


_NOT_DECISIVE = {"cache_mb"}
_OF_MEL, _OF_DB = Augmentation("is_mel_spectrogram", "mel spectrograms"), Augmentation("is_level_db", "features in dB")


class Training(Section):
    """How a network is trained. The defaults were chosen on a corpus that none of the published results come from.

    Attributes
    ----------
    network : str
        The network's name.
    features : tuple of str
        What the network's branches are trained on. Default: the features that suit the network.
    window_s : float
        The length of the windows of a song that are classified, in seconds.
    windows_per_song : int
        How many windows, at random positions, an epoch draws from each song at least.
    windows_per_epoch : int
        How many windows an epoch draws in all at least: of few songs it draws more of each, as a small corpus, too,
        needs a few thousand steps to be learned.
    held_out_share : float
        The share of each training song, at its end, that is not trained on, so that it can be scored beside songs that
        the network never saw: a window at least, and half of the song at most.
    batch_size : int
        How many windows a step takes.
    epochs : int
        How many epochs the learning rate schedule has.
    patience : int or None
        Training stops early after this many epochs without a lower validation loss, and keeps the weights of the
        lowest. None trains to the end of the schedule and keeps the last weights, which did better: a validation split
        of a few dozen songs picks an epoch by luck.
    learning_rate : float
        AdamW's learning rate at its peak: it rises for a tenth of the training, then falls along a cosine to zero.
    weight_decay : float
        AdamW's weight decay.
    label_smoothing : float
        How much of a label's weight is spread evenly over all genres.
    mixup : float
        Both parameters of the beta distribution that mixup draws its proportions from; 0 switches it off.
    mask_bins : int
        SpecAugment's frequency mask hides a band of fewer bins than this; 0 switches it off.
    mask_frames : int
        SpecAugment's time mask hides a stretch of fewer frames than this; 0 switches it off.
    tempo : float
        Windows are played at up to 1 + `tempo` times their tempo, or as much slower, in training. A trained model
        averages its outputs over a window at both of these tempos and at its own. 0 switches both off.
    pitch_bins : int
        By how many bins mel spectrograms are shifted at most, up or down; 0 switches it off.
    gain_db : float
        By how many dB windows are made louder or softer at most; 0 switches it off.
    equalise_db : float
        The standard deviation, in dB, of a random equaliser's gains in five bands; 0 switches it off.
    average_momentum : float
        The momentum of a running mean of the weights, which is kept in their place at the end; 0 keeps the weights
        themselves.
    risk : float
        The largest share of wrong genres among the validation songs that are given one with confidence. Where the
        bundle is less sure than that allows, it gives no genre with confidence.
    class_weights : bool
        Whether a rare genre's windows weigh more, so that all genres weigh the same.
    seed : int
        The seed of the initial weights, and of all that is drawn at random.
    cache_mb : float
        The training songs' shards stay in memory when they have no more megabytes than this; otherwise each pass reads
        them again. Nothing else depends on it.
    allow_leaks : bool
        Whether to train on a dataset although its audit finds a leak.
    """

    network: str = Field(default="cnn", json_schema_extra={"enum": [*registry.NETWORKS]})
    features: tuple[str, ...] = ()
    window_s: float = Field(default=3.0, gt=0)
    windows_per_song: int = Field(default=2, ge=1)
    windows_per_epoch: int = Field(default=800, ge=1)
    held_out_share: float = Field(default=0.0, ge=0, le=0.5)
    batch_size: int = Field(default=16, ge=1)
    epochs: int = Field(default=40, ge=1)
    patience: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-3, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    mixup: Annotated[float, Augmentation()] = Field(default=0.3, ge=0)
    mask_bins: Annotated[int, Augmentation()] = Field(default=0, ge=0)
    mask_frames: Annotated[int, Augmentation()] = Field(default=0, ge=0)
    tempo: Annotated[float, Augmentation()] = Field(default=0.25, ge=0, le=1)
    pitch_bins: Annotated[int, _OF_MEL] = Field(default=0, ge=0)
    gain_db: Annotated[float, _OF_DB] = Field(default=0.0, ge=0)
    equalise_db: Annotated[float, _OF_DB] = Field(default=0.0, ge=0)
    average_momentum: float = Field(default=0.0, ge=0, lt=1)
    risk: float = Field(default=0.2, ge=0, le=1)
    class_weights: bool = False
    seed: int = Field(default=0, ge=0, lt=2**32 - 1)
    cache_mb: float = Field(default=1000.0, ge=0)
    allow_leaks: bool = False

    @pydantic.field_validator("network")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in registry.NETWORKS:
            raise ValueError(f"unknown network {name!r}; allowed: {', '.join(registry.NETWORKS)}")
        return name

    @pydantic.model_validator(mode="after")
    def _leaves_out_what_is_pretrained(self) -> Self:
        pretrained = registry.NETWORKS[self.network].pretrained
        if pretrained and pretrained.feature in self.features:
            raise ValueError(
                f"features names {pretrained.feature}, which the pretrained part of network {self.network} takes in any"
                " case; name only those that its other branches are to be trained on"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _augmentations_apply(self) -> Self:
        classes = [Features.class_of(name) for name in self.branch_features if name in Features.names()]
        for key, kind in augmentations().items():
            is_on = kind.changes and getattr(self, key) and classes
            if is_on and not any(getattr(feature, kind.changes) for feature in classes):
                raise ValueError(
                    f"{key} changes {kind.called} only, and {', '.join(self.branch_features)} has none; set it to 0"
                )
        return self

    @property
    def branch_features(self) -> tuple[str, ...]:
        """The features that the network's branches are trained on: those named, or what suits the network."""
        return self.features or registry.NETWORKS[self.network].features

    @property
    def input_features(self) -> tuple[str, ...]:
        """All features that the network takes: those of its branches, and that of its pretrained front end."""
        pretrained = registry.NETWORKS[self.network].pretrained
        return (*self.branch_features, pretrained.feature) if pretrained else self.branch_features

    def without_augmentation(self, **values: int) -> Self:
        """The same training on windows as they are, with some other values."""
        return self.model_copy(update={**dict.fromkeys(augmentations(), 0), **values})

    def decisive_values(self) -> dict[str, Any]:
        """The values that the weights and the calibration depend on."""
        return self.model_dump(mode="json", exclude=_NOT_DECISIVE)

    def digest(self) -> str:
        """A digest of the decisive values.

        Values that are defaults do not count, so that it stays the same in a later version, which has more keys.
        """
        return digest(self.model_dump(mode="json", exclude=_NOT_DECISIVE, exclude_defaults=True))

    def differences(self, earlier: Mapping[str, Any]) -> str:
        """Which decisive values differ from those of an earlier training, in words; empty where none does.

        Examples
        --------
        >>> Training(seed=7).differences(Training(tempo=0).decisive_values())
        'training.tempo was 0.0, is 0.25, training.seed was 0, is 7'
        """
        values = self.decisive_values()
        changed = [key for key in values if key in earlier and earlier[key] != values[key]]
        return ", ".join(f"training.{key} was {earlier[key]}, is {values[key]}" for key in changed)


def augmentations() -> dict[str, Augmentation]:
    """The keys of `Training` that are marked as strengths of augmentations."""
    return {
        key: mark
        for key, field in Training.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Augmentation)
    }
