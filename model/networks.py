"""The networks, by name. Each is built of plain Keras layers, so that it loads in Keras's safe mode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import UsageError

Shapes = Mapping[str, tuple[int, int]]
"""The inputs: each feature's window as (frames, bins)."""

SEED_IMAGE = (288, 432)


@dataclass(frozen=True)
class Network:
    """A network's builder, and the features that suit it.

    Attributes
    ----------
    build : callable
        Takes the inputs' shapes and the number of genres; gives a `keras.Model` whose inputs have the features'
        names and whose output is a probability for each genre.
    features : tuple of str
    """

    build: Callable[[Shapes, int], Any]
    features: tuple[str, ...]


def seed_cnn(shapes: Shapes, genres: int) -> Any:
    """The network of the project's origin, layer for layer: 23,752,282 parameters for nine features, ten genres.

    Each feature's window is resized to a picture of 288 x 432, a row a bin, a column a frame; the pictures are the
    channels. Dropout's rate was not handed down; it is 0.3 here.
    """
    from keras import Model, layers

    inputs = {name: layers.Input(shape, name=name) for name, shape in shapes.items()}
    pictures = [_picture(tensor) for tensor in inputs.values()]
    x = layers.Concatenate(name="stack")(pictures) if len(pictures) > 1 else pictures[0]
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.Dropout(0.3)(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    for units in (100, 20):
        x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(0.3)(x)
    return Model(inputs, layers.Dense(genres, activation="softmax")(x), name="seed_cnn")


def _picture(feature: Any) -> Any:
    from keras import layers

    frames, bins = feature.shape[1:]
    upright = layers.Permute((2, 1))(feature)
    return layers.Resizing(*SEED_IMAGE)(layers.Reshape((bins, frames, 1))(upright))


def cnn(shapes: Shapes, genres: int) -> Any:
    """A compact network: four convolutions over time that see all bins at once, batch norm, global average.

    Bins are channels, features lie side by side, and each block pools before it activates, so a step takes
    milliseconds on a CPU. On a corpus set aside for such choices (535 excerpts of eleven game soundtracks, none of
    them in the README's corpus) it did at least as well as two-dimensional networks of up to four times its cost.
    """
    from keras import Model, layers

    inputs = {name: layers.Input(shape, name=name) for name, shape in shapes.items()}
    tensors = list(inputs.values())
    if len({tensor.shape[1] for tensor in tensors}) > 1:
        raise UsageError(f"cnn lays features side by side; {', '.join(inputs)} differ in hop_length, give them one")
    x = layers.Concatenate()(tensors) if len(tensors) > 1 else tensors[0]
    for filters, pool in ((96, 2), (96, 2), (128, 2), (128, 1)):
        x = layers.Conv1D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.MaxPooling1D(pool, padding="same")(x) if pool > 1 else x
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
    x = layers.GlobalAveragePooling1D()(x)
    return Model(inputs, layers.Dense(genres, activation="softmax")(x), name="cnn")


_NINE = (
    "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma",
    "spectral_centroid", "spectral_rolloff", "onset_strength", "tempogram",
)  # fmt: skip

NETWORKS = {"cnn": Network(cnn, ("log_mel",)), "seed_cnn": Network(seed_cnn, _NINE)}
