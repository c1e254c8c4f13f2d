"""The configuration of a training, beside that of a build in the same file."""

import pydantic
from pydantic import Field

from model import networks
from pipelines.config import BuildConfig
from pipelines.section import Section


class Training(Section):
    """How a network is trained.

    Attributes
    ----------
    network : str
        A name in `model.networks.NETWORKS`.
    features : tuple of str
        What the network sees of a song. Default: what suits the network.
    window_s : float
        The length of the stretch of a song that is classified at a time.
    windows_per_song : int
        How many windows, at random places, an epoch draws from each song.
    batch_size, epochs : int
    patience : int
        Training stops after this many epochs without a better validation loss.
    learning_rate, weight_decay : float
        Of AdamW; the rate rises for a twentieth of the training and falls along a cosine to zero.
    label_smoothing : float
    mixup : float
        The parameter of the beta distribution by which pairs of windows are mixed; 0 mixes none.
    mask_bins, mask_frames : int
        The widest band of bins and stretch of frames of the first feature that is masked; 0 masks none.
    gain_db : float
        How much louder or softer a window is made, at most. Only decibel features hear it.
    average : float
        The momentum of the moving average of the weights, which is what is kept; 0 keeps the last weights.
    class_weights : bool
        Whether a rare genre's windows weigh more, so that all genres weigh the same.
    seed : int
    """

    network: str = "cnn"
    features: tuple[str, ...] = ()
    window_s: float = Field(5.0, gt=0)
    windows_per_song: int = Field(2, ge=1)
    batch_size: int = Field(32, ge=1)
    epochs: int = Field(60, ge=1)
    patience: int = Field(20, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    mixup: float = Field(0.3, ge=0)
    mask_bins: int = Field(12, ge=0)
    mask_frames: int = Field(30, ge=0)
    gain_db: float = Field(6.0, ge=0)
    average: float = Field(0.99, ge=0, lt=1)
    class_weights: bool = True
    seed: int = 0

    @pydantic.field_validator("network")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in networks.NETWORKS:
            raise ValueError(f"unknown network {name!r}; allowed: {', '.join(networks.NETWORKS)}")
        return name

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that the network sees: those named, or what suits the network."""
        return self.features or networks.NETWORKS[self.network].features


class Config(BuildConfig):
    """A whole configuration file: what a build reads, and what a training reads."""

    training: Training = Training()
