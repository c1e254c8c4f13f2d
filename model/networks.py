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
    """A compact network: convolutions over time and bins, then over time alone, batch norm, global average.

    Three blocks see local patterns; then what they found at every height becomes the channels of three blocks over
    time. Blocks pool before they activate, which costs a CPU least. Features lie side by side along the bins. On a
    corpus set aside for such choices (535 excerpts of eleven game soundtracks, none of them in the README's corpus) it
    did better than convolutions over time alone and than convolutions over both to the end, in the rounds run.
    """
    from keras import Model, layers

    inputs = {name: layers.Input(shape, name=name) for name, shape in shapes.items()}
    tensors = list(inputs.values())
    if len({tensor.shape[1] for tensor in tensors}) > 1:
        raise UsageError(f"cnn lays features side by side; {', '.join(inputs)} differ in hop_length, give them one")
    x = layers.Concatenate()(tensors) if len(tensors) > 1 else tensors[0]
    x = layers.Reshape((*x.shape[1:], 1))(x)
    x = _activate(layers.Conv2D(24, 5, strides=2, padding="same", use_bias=False)(x))
    for filters, pool in ((32, (2, 2)), (48, (1, 2))):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = _activate(layers.MaxPooling2D(pool, padding="same")(x))
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = _activate(layers.Conv1D(96, 1, use_bias=False)(x))
    x = layers.Conv1D(128, 3, padding="same", use_bias=False)(x)
    x = _activate(layers.MaxPooling1D(2, padding="same")(x))
    x = _activate(layers.Conv1D(128, 3, padding="same", use_bias=False)(x))
    x = layers.GlobalAveragePooling1D()(x)
    return Model(inputs, layers.Dense(genres, activation="softmax")(x), name="cnn")


def _activate(x: Any) -> Any:
    from keras import layers

    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))


_NINE = (
    "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma",
    "spectral_centroid", "spectral_rolloff", "onset_strength", "tempogram",
)  # fmt: skip

NETWORKS = {"cnn": Network(cnn, ("log_mel",)), "seed_cnn": Network(seed_cnn, _NINE)}
