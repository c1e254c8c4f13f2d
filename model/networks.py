"""The networks, by name. Each is built of plain Keras layers, so that it loads in Keras's safe mode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model import musicnn
from model.windows import Windows
from pipelines.dataset import Dataset
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
    trained_on : musicnn.TrainedOn or None
        Of a network that is pretrained: the one input that it knows, which it takes as it is, not normalised.
    """

    build: Callable[[Shapes, int], Any]
    features: tuple[str, ...]
    trained_on: musicnn.TrainedOn | None = None


def of_windows(name: str, dataset: Dataset, windows: Windows) -> Any:
    """The network of a name, for a dataset's windows: a `keras.Model` whose inputs are normalised.

    Raises
    ------
    UsageError
        The network is pretrained, and the dataset's features are not what it knows.
    """
    network = NETWORKS[name]
    if network.trained_on is None:
        return network.build(windows.shapes, len(dataset.genres))
    network.trained_on.check(name, dataset, tuple(windows.frames))
    return _of_normalised(network.build(windows.shapes, len(dataset.genres)), windows)


def _of_normalised(model: Any, windows: Windows) -> Any:
    """A model of features as they are, as one of normalised features, which everything else that has windows gives."""
    from keras import Model, layers

    inputs = {name: layers.Input(shape, name=name) for name, shape in windows.shapes.items()}
    undone = {
        name: layers.Normalization(mean=windows.mean[name], variance=windows.deviation[name] ** 2, invert=True)(tensor)
        for name, tensor in inputs.items()
    }
    return Model(inputs, model(undone), name=model.name)


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
    """The mean of two opinions: what convolutions over time find, and how strong each bin is on the whole.

    Each learns by itself, see `opinions`: they are wrong about different songs. Features lie side by side along the
    bins. On a corpus set aside for such choices (535 excerpts of eleven game soundtracks, none of them in the README's
    corpus) convolutions alone had 64.7 % of excerpts right, statistics alone 65.2 %, the mean of both 66.2 %, and both
    with one loss 63.7 to 64.8 % in the rounds run. Convolutions over time and bins, in their place or beside them, cost
    five times as much and did no better.
    """
    from keras import Model, layers

    inputs, x = _side_by_side("cnn", shapes)
    towers = [_changes(x), _levels(x)]
    verdicts = [layers.Dense(genres, activation="softmax")(tower) for tower in towers]
    return Model(inputs, layers.Average()(verdicts), name="cnn")


def _changes(x: Any) -> Any:
    """What convolutions over time find, wherever it is. They pool before they activate, which costs a CPU least."""
    from keras import layers

    for filters in (96, 96, 128):
        x = layers.Conv1D(filters, 3, padding="same", use_bias=False)(x)
        x = _activate(layers.MaxPooling1D(2, padding="same")(x))
    x = _activate(layers.Conv1D(128, 3, padding="same", use_bias=False)(x))
    return layers.GlobalAveragePooling1D()(x)


def _levels(x: Any) -> Any:
    """Each bin's mean and deviation, and the deviation of its steps from frame to frame, through one hidden layer."""
    from keras import layers, ops

    steps = x[:, 1:] - x[:, :-1]
    levels = [ops.mean(x, axis=1), *(ops.sqrt(ops.var(values, axis=1) + 1e-3) for values in (x, steps))]
    x = layers.BatchNormalization(momentum=0.95)(layers.Concatenate()(levels))
    return _activate(layers.Dense(128, use_bias=False)(x))


def opinions(model: Any) -> Any:
    """The same layers with the probabilities of each tower, shape (towers, genres), in place of their mean."""
    from keras import Model, layers

    last = model.layers[-1]
    verdicts = last.input if isinstance(last, layers.Average) else [model.output]
    rows = [layers.Reshape((1, -1))(verdict) for verdict in verdicts]
    return Model(model.input, layers.Concatenate(axis=1)(rows) if len(rows) > 1 else rows[0], name=model.name)


def crnn(shapes: Shapes, genres: int) -> Any:
    """Convolutions, then a recurrent layer over time: what is played next to what, and in which order.

    Three blocks of convolutions shorten time eightfold and make what they find at every height their channels, so that
    the recurrence, which a CPU must take step by step, is short. A learned weight for each step says how much it counts
    (attention), as an intro or a pause tells less than a refrain.
    Source of the layout: K. Choi et al., "Convolutional Recurrent Neural Networks for Music Classification", ICASSP
    2017, https://arxiv.org/abs/1609.04243.
    """
    from keras import Model, layers

    inputs, x = _side_by_side("crnn", shapes)
    x = layers.Reshape((*x.shape[1:], 1))(x)
    for filters, pool in ((24, (2, 4)), (32, (2, 2)), (48, (2, 2))):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = _activate(layers.MaxPooling2D(pool, padding="same")(x))
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = _activate(layers.Conv1D(96, 1, use_bias=False)(x))
    x = layers.Bidirectional(layers.GRU(64, return_sequences=True))(x)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    x = layers.Flatten()(layers.Dot(axes=1)([weights, x]))
    return Model(inputs, layers.Dense(genres, activation="softmax")(x), name="crnn")


def branches(shapes: Shapes, genres: int) -> Any:
    """A small tower for each feature, merged at the end: features that have nothing in common share no filter.

    A tower sees all bins of a feature at once, and convolves over time alone, so towers cost little, and features of
    different hops can be together.
    """
    from keras import Model, layers

    inputs = {name: layers.Input(shape, name=name) for name, shape in shapes.items()}
    merged = [_tower(tensor) for tensor in inputs.values()]
    x = layers.Concatenate()(merged) if len(merged) > 1 else merged[0]
    x = layers.Dropout(0.3)(x)
    return Model(inputs, layers.Dense(genres, activation="softmax")(x), name="branches")


def _tower(x: Any) -> Any:
    from keras import layers

    x = _activate(layers.Conv1D(48, 1, use_bias=False)(x))
    for _ in range(3):
        x = layers.Conv1D(64, 3, padding="same", use_bias=False)(x)
        x = _activate(layers.MaxPooling1D(2, padding="same")(x))
    return layers.GlobalAveragePooling1D()(x)


def _side_by_side(network: str, shapes: Shapes) -> tuple[dict[str, Any], Any]:
    """A network's inputs, and what they are side by side, shape (frames, all bins)."""
    from keras import layers

    inputs = {name: layers.Input(shape, name=name) for name, shape in shapes.items()}
    tensors = list(inputs.values())
    if len({tensor.shape[1] for tensor in tensors}) > 1:
        raise UsageError(
            f"{network} lays features side by side; {', '.join(inputs)} differ in hop_length, give them one"
        )
    return inputs, layers.Concatenate()(tensors) if len(tensors) > 1 else tensors[0]


def _activate(x: Any) -> Any:
    from keras import layers

    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))


_NINE = (
    "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma",
    "spectral_centroid", "spectral_rolloff", "onset_strength", "tempogram",
)  # fmt: skip

NETWORKS = {
    "cnn": Network(cnn, ("log_mel",)),
    "crnn": Network(crnn, ("log_mel",)),
    "branches": Network(branches, ("log_mel", "percussive_mel", "chroma", "mfcc", "tempogram")),
    "seed_cnn": Network(seed_cnn, _NINE),
    "transfer": Network(musicnn.transfer, tuple(musicnn.TRAINED_ON.features), musicnn.TRAINED_ON),
}
