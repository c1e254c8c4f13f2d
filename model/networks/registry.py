"""The networks, by name. Each is built of plain Keras layers, so that it loads in Keras's safe mode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model.networks import blocks, musicnn
from model.networks.windows import Windows
from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Dataset

Tensors = Mapping[str, Any]
"""The inputs: each feature's windows, shape (frames, bins)."""

SEED_IMAGE = (288, 432)


@dataclass(frozen=True)
class Network:
    """What a network is made of, and the features that suit it.

    Attributes
    ----------
    towers : callable
        Takes the inputs' tensors; gives what each tower ends in, shape (units,), for `towers.deciding`.
    features : tuple of str
        What the towers learn from.
    pretrained : Pretrained or None
        What stands beside the towers, and has learned elsewhere.
    """

    towers: Callable[[Tensors], list[Any]]
    features: tuple[str, ...]
    pretrained: musicnn.Pretrained | None = None


def of_shapes(name: str, shapes: Mapping[str, tuple[int | None, int]], genres: int) -> Any:
    """The network of a name, for normalised inputs of some shapes: a `keras.Model` of each tower's opinion.

    Parameters
    ----------
    name : str
        Of `NETWORKS`.
    shapes : dict
        Each feature's window as (frames, bins); None for any number of frames.
    genres : int
        How many there are.
    """
    from keras import layers

    inputs = {feature: layers.Input(shape, name=feature) for feature, shape in shapes.items()}
    return blocks.deciding(name, inputs, NETWORKS[name].towers(inputs), genres)


def of_any_length(learner: Any) -> Any:
    """The same network, with the same weights, for windows of any number of frames."""
    shapes = {feature: (None, tensor.shape[2]) for feature, tensor in learner.input.items()}
    flexible = of_shapes(learner.name, shapes, learner.output.shape[2])
    flexible.set_weights(learner.get_weights())
    return flexible


def front(name: str, dataset: Dataset, windows: Windows) -> Any | None:
    """What a network's pretrained part finds, as a `keras.Model` of normalised windows; None where it has none."""
    pretrained = NETWORKS[name].pretrained
    return pretrained.front(dataset, windows) if pretrained else None


def seed_cnn(inputs: Tensors) -> list[Any]:
    """The network of the project's origin, layer for layer: 23,752,282 parameters for nine features, ten genres.

    Each feature's window is resized to a picture of 288 x 432, a row a bin, a column a frame; the pictures are the
    channels. Dropout's rate was not handed down; it is 0.3 here.
    """
    from keras import layers

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
    return [x]


def _picture(feature: Any) -> Any:
    from keras import layers

    upright = layers.Permute((2, 1))(feature)
    return layers.Resizing(*SEED_IMAGE)(layers.Reshape((feature.shape[2], -1, 1))(upright))


def cnn(inputs: Tensors) -> list[Any]:
    """Two opinions: what convolutions over time find, and how strong each bin is on the whole.

    Each learns by itself: they are wrong about different songs. Features lie side by side along the bins. On a corpus
    set aside for such choices (535 excerpts of eleven game soundtracks, none of them in the README's corpus)
    convolutions alone had 64.7 % of excerpts right, statistics alone 65.2 %, the mean of both 66.2 %, and both with one
    loss 63.7 to 65.2 %. Convolutions over time and bins, in their place, cost five times as much and did no better.
    """
    x = _side_by_side("cnn", inputs)
    return [blocks.changes(x), blocks.levels(x)]


def crnn(inputs: Tensors) -> list[Any]:
    """Convolutions, then a recurrent layer over time: what is played next to what, and in which order.

    Three blocks of convolutions shorten time eightfold and make what they find at every height their channels, so that
    the recurrence, which a CPU must take step by step, is short. A learned weight for each step says how much it counts
    (attention), as an intro or a pause tells less than a refrain.
    Source of the layout: K. Choi et al., "Convolutional Recurrent Neural Networks for Music Classification", ICASSP
    2017, https://arxiv.org/abs/1609.04243.
    """
    from keras import layers

    x = _side_by_side("crnn", inputs)
    x = layers.Reshape((-1, x.shape[2], 1))(x)
    for filters, pool in ((24, (2, 4)), (32, (2, 2)), (48, (2, 2))):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = blocks.activate(layers.MaxPooling2D(pool, padding="same")(x))
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = blocks.activate(layers.Conv1D(96, 1, use_bias=False)(x))
    x = layers.Bidirectional(layers.GRU(64, return_sequences=True))(x)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    return [layers.Flatten()(layers.Dot(axes=1)([weights, x]))]


def transfer(inputs: Tensors) -> list[Any]:
    """The default's towers, and beside them, once they have learned, a head on what musicnn finds in a window.

    A network that was pretrained on the tags of other music knows what a few hundred songs do not teach, and the towers
    hear what tells these genres and no tag names: each is wrong about other songs. On the corpus set aside for choices
    (200 songs) the towers alone had 72.5 % right, the head alone 70 to 72 %, the mean of the three opinions 74.5 %.
    There a head on the pooled maps of every depth did better than on musicnn's last layer before the tags, and with a
    hidden layer better than without.
    """
    return cnn(inputs)


def branches(inputs: Tensors) -> list[Any]:
    """A small tower for each feature, merged at the end: features that have nothing in common share no filter.

    A tower sees all bins of a feature at once, and convolves over time alone, so towers cost little, and features of
    different hops can be together.
    """
    from keras import layers

    merged = [blocks.over_time(tensor) for tensor in inputs.values()]
    x = layers.Concatenate()(merged) if len(merged) > 1 else merged[0]
    return [layers.Dropout(0.3)(x)]


def _side_by_side(network: str, inputs: Tensors) -> Any:
    """A network's inputs as one, shape (frames, all bins)."""
    from keras import layers

    tensors = list(inputs.values())
    if len({tensor.shape[1] for tensor in tensors}) > 1:
        raise UsageError(
            f"{network} lays features side by side; {', '.join(inputs)} differ in hop_length, give them one"
        )
    return layers.Concatenate()(tensors) if len(tensors) > 1 else tensors[0]


_NINE = (
    "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma",
    "spectral_centroid", "spectral_rolloff", "onset_strength", "tempogram",
)  # fmt: skip

NETWORKS = {
    "cnn": Network(cnn, ("log_mel",)),
    "crnn": Network(crnn, ("log_mel",)),
    "branches": Network(branches, ("log_mel", "percussive_mel", "chroma", "mfcc", "tempogram")),
    "seed_cnn": Network(seed_cnn, _NINE),
    "transfer": Network(transfer, ("log_mel",), musicnn.PRETRAINED),
}
