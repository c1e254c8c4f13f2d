"""The configuration of a training and of retraining, in one file with that of a build.

May use: pipelines, networks.
"""

from model.config.retraining import Alarms, Mlflow, Promotion, Retraining, Telling, TellingEvent
from model.config.training import Augmentation, Training, augmentations
from pipelines.config import BuildConfig

__all__ = [
    "Alarms",
    "Augmentation",
    "Config",
    "Mlflow",
    "Promotion",
    "Retraining",
    "Telling",
    "TellingEvent",
    "Training",
    "augmentations",
]


class Config(BuildConfig):
    """A whole configuration file: what a build, a training and a retraining read."""

    training: Training = Training()
    retraining: Retraining | None = None
    promotion: Promotion | None = None
    alarms: Alarms = Alarms()
    telling: Telling = Telling()
    mlflow: Mlflow | None = None
