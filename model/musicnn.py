"""musicnn, a convolutional network that was trained to tag music, as the front end of a network of genres.

Source: J. Pons and X. Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging", 2019,
https://arxiv.org/abs/1909.06654. The weights are those of its `MSD_musicnn`, trained on the Million Song Dataset, and
are read from the package `musicnn` (ISC licence). None of its code runs, and what it says of its dependencies, which
no Python of today can install, does not matter.
"""

import importlib.util
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model import towers
from pipelines.dataset import Dataset
from pipelines.errors import UsageError
from pipelines.features import LogMel, Stft

TAGS = 50
_CHECKPOINT = "MSD_musicnn"
_PACKAGE = "musicnn==0.1.0"


@dataclass(frozen=True)
class TrainedOn:
    """The input that a pretrained network knows: its audio's rate, and its features by name."""

    sample_rate_hz: int
    features: Mapping[str, Stft]

    def check(self, network: str, dataset: Dataset, used: Sequence[str]) -> None:
        """Refuses another input.

        Parameters
        ----------
        network : str
            Its name.
        dataset : Dataset
        used : sequence of str
            The features that the network is to see.

        Raises
        ------
        UsageError
            The dataset's audio has another rate, or its features other parameters, or others are to be seen.
        """
        config = dataset.config
        found = {name: feature for name, feature in config.features.chosen.items() if name in used}
        if (config.audio.sample_rate_hz, found) != (self.sample_rate_hz, self.features):
            raise UsageError(
                f"{dataset.url}: network {network} knows {_shown(self.sample_rate_hz, self.features)} and nothing else,"
                f" found {_shown(config.audio.sample_rate_hz, found)}; build a dataset that has what it knows,"
                " as by configs/soundtracks-transfer.yaml"
            )


def _shown(sample_rate_hz: int, features: Mapping[str, Stft]) -> str:
    shown = [f"features.{name} {json.dumps(feature.model_dump())}" for name, feature in features.items()]
    return ", ".join([f"audio.sample_rate_hz {sample_rate_hz}", *shown])


TRAINED_ON = TrainedOn(16_000, {"log_mel": LogMel(n_fft=512, hop_length=256, n_mels=96, top_db=None)})


def transfer(inputs: Mapping[str, Any]) -> list[Any]:
    """Two opinions: a small head's on what musicnn finds in a window, and a tower's; musicnn itself stays as it is.

    It sees the pooled maps of every depth, each with mean 0 and deviation 1 over the songs trained on. On the corpus
    set aside for choices that did better than musicnn's last layer before the tags, than the maps of one depth, and,
    with a hidden layer, than without; a mixture of windows (`training.mixup`) did worse. Beside it stands a tower that
    is trained from scratch, as musicnn has not heard of much that tells these genres: the head alone had 69.0 % of the
    200 songs there right (62.8 % of excerpts), the tower alone 65.5 (61.1), the mean of both 71.0 (66.5).

    Raises
    ------
    UsageError
        The package that has musicnn's weights is not installed.
    """
    from keras import Model, layers

    log_mel = inputs["log_mel"]
    whole = tagger(log_mel.shape[1])
    front = Model(whole.input, whole.get_layer("pooled").output, name="musicnn")
    front.trainable = False
    x = layers.BatchNormalization(center=False, scale=False, momentum=0.95)(front(log_mel))
    x = layers.Dropout(0.3)(x)
    x = layers.Dropout(0.3)(layers.Dense(200, activation="relu")(x))
    heard = layers.ReLU()(log_mel + 80)  # what is softer than -80 dB tells nothing
    own = towers.changes(layers.BatchNormalization(center=False, scale=False, momentum=0.95)(heard))
    return [x, own]


def tagger(frames: int) -> Any:
    """The whole of musicnn, with its weights: log-mel in dB, shape (frames, 96), to the probability of each of 50 tags.

    Its layers have the names of the checkpoint's, so that each finds its weights.
    """
    from keras import Model, layers

    log_mel = layers.Input((frames, TRAINED_ON.features["log_mel"].bins), name="log_mel")
    pooled = _pool(_middle(_front(_compressed(log_mel))))
    x = layers.BatchNormalization(name="batch_normalization_9")(pooled)
    x = layers.Dense(200, activation="relu", name="dense")(x)
    x = layers.BatchNormalization(name="batch_normalization_10")(x)
    model = Model(log_mel, layers.Dense(TAGS, activation="sigmoid", name="dense_1")(x), name="musicnn")
    _load(model)
    return model


def _compressed(log_mel: Any) -> Any:
    """Decibels as musicnn's own scale, log10(1 + 10000 power); log(1 + exp(x)) is softplus."""
    from keras import layers

    natural = layers.Rescaling(math.log(10) / 10, math.log(10_000))(log_mel)
    return layers.Rescaling(1 / math.log(10))(layers.Activation("softplus")(natural))


def _front(x: Any) -> list[Any]:
    """Filters that are tall, for timbre, and long, for rhythm; of each what is loudest over the bands."""
    from keras import layers

    frames, bins = x.shape[1:]
    x = layers.BatchNormalization(name="batch_normalization")(layers.Reshape((frames, bins, 1))(x))
    padded = layers.ZeroPadding2D((3, 0))(x)
    kernels = ((7, int(0.4 * bins)), (7, int(0.7 * bins)), (128, 1), (64, 1), (32, 1))
    found = []
    for index, kernel in enumerate(kernels):
        name = _numbered("conv2d", index)
        if kernel[1] > 1:
            filtered = layers.Conv2D(204, kernel, activation="relu", name=name)(padded)
        else:
            filtered = layers.Conv2D(51, kernel, padding="same", activation="relu", name=name)(x)
        filtered = layers.BatchNormalization(name=_numbered("batch_normalization", index + 1))(filtered)
        loudest = layers.MaxPooling2D((1, filtered.shape[2]))(filtered)
        found.append(layers.Reshape((frames, loudest.shape[3]))(loudest))
    return found


def _middle(found: list[Any]) -> Any:
    """Three convolutions over time, each added to the one before; all that was found so far, side by side."""
    from keras import layers

    front = layers.Concatenate()(found)
    maps = [front]
    for index in (5, 6, 7):
        x = layers.Conv1D(64, 7, padding="same", activation="relu", name=_numbered("conv2d", index))(maps[-1])
        x = layers.BatchNormalization(name=_numbered("batch_normalization", index + 1))(x)
        maps.append(x if index == 5 else layers.Add()([x, maps[-1]]))
    return layers.Concatenate()(maps)


def _pool(x: Any) -> Any:
    """The most and the mean of each map over time, in turn: 1,506 numbers."""
    from keras import layers

    pooled = [layers.GlobalMaxPooling1D()(x), layers.GlobalAveragePooling1D()(x)]
    columns = [layers.Reshape((x.shape[2], 1))(each) for each in pooled]
    return layers.Flatten(name="pooled")(layers.Concatenate()(columns))


def _numbered(kind: str, index: int) -> str:
    return f"{kind}_{index}" if index else kind


def _load(model: Any) -> None:
    import tensorflow as tf

    # Its files have no name before the suffix, which `tf.train.load_checkpoint` takes for a folder.
    checkpoint = tf.compat.v1.train.NewCheckpointReader(f"{_folder() / _CHECKPOINT}/")
    for layer in model.layers:
        values = [checkpoint.get_tensor(f"{layer.name}/{v.name}").reshape(v.shape) for v in layer.weights]
        layer.set_weights(values)


def _folder() -> Path:
    found = importlib.util.find_spec("musicnn")
    if found is None or not found.submodule_search_locations:
        raise UsageError(
            f"network transfer: the package of its weights is not installed; pip install --no-deps {_PACKAGE}"
            " (without --no-deps pip refuses: it was pinned to the numpy of 2019, and only its weights are read)"
        )
    return Path(found.submodule_search_locations[0])
