"""The networks, by name. Each is built of plain Keras layers, so that it loads in Keras's safe mode.

To add one, write a function from inputs to branches here and give it an entry in `NETWORKS`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model.networks import assembly, blocks, musicnn
from model.networks.windows import Windows
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset.dataset import Dataset

Inputs = Mapping[str, Any]
"""Keras tensors by feature, shape (frames, bins) each."""

ORIGINAL_IMAGE = (288, 432)


@dataclass(frozen=True)
class Network:
    """How a network is built, and the features that suit it.

    Attributes
    ----------
    build_branches : callable
        Takes `Inputs`; gives what each branch ends in, shape (units,). Each branch is trained with a loss of its own,
        and the model's output is the mean of their softmax outputs.
    features : tuple of str
        The features that the branches take by default.
    pretrained : Pretrained or None
        A pretrained front end, whose embedding gets a branch of its own once the others are trained.
    """

    build_branches: Callable[[Inputs], list[Any]]
    features: tuple[str, ...]
    pretrained: musicnn.Pretrained | None = None


def build(name: str, shapes: Mapping[str, tuple[int | None, int]], genres: int) -> Any:
    """Builds the branches of a network.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    shapes : dict
        Each feature's normalised window as (frames, bins); None for any number of frames.
    genres : int
        How many there are.

    Returns
    -------
    keras.Model
        Each branch's softmax output, shape (branches, genres).
    """
    from keras import layers

    inputs = {feature: layers.Input(shape, name=feature) for feature, shape in shapes.items()}
    return assembly.with_softmax_outputs(name, inputs, NETWORKS[name].build_branches(inputs), genres)


def for_any_length(model: Any) -> Any:
    """A model of `build` with the same weights, for windows of any number of frames.

    Raises
    ------
    SpectroshardError
        The network's layers depend on how many frames there are.
    """
    shapes = {feature: (None, tensor.shape[2]) for feature, tensor in model.input.items()}
    try:
        flexible = build(model.name, shapes, model.output.shape[2])
        flexible.set_weights(model.get_weights())
    except (TypeError, ValueError) as error:  # Keras raises either
        why = str(error).strip().partition("\n")[0]
        raise SpectroshardError(
            f"network {model.name}: cannot take windows of any length, as it must to be averaged over tempos ({why});"
            " pool over time, or resize to a fixed number of frames, before layers that depend on it"
        ) from error
    return flexible


def build_front_end(name: str, dataset: Dataset, windows: Windows) -> Any | None:
    """The pretrained front end of a network, a `keras.Model` from normalised windows to embeddings; None without."""
    pretrained = NETWORKS[name].pretrained
    return pretrained.build(dataset, windows) if pretrained else None


def seed_cnn(inputs: Inputs) -> list[Any]:
    """The project's first network, layer for layer: 23,752,282 parameters for nine features and ten genres.

    Each feature's window is resized to an image of 288 x 432, a row a bin, a column a frame; the images are the
    channels. The original's dropout rate is not known; it is 0.3 here.
    """
    from keras import layers

    images = [_image(tensor) for tensor in inputs.values()]
    x = layers.Concatenate(name="stack")(images) if len(images) > 1 else images[0]
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, activation="relu")(x)
        x = layers.Dropout(0.3)(x)
        x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    for units in (100, 20):
        x = layers.Dense(units, activation="relu")(x)
        x = layers.Dropout(0.3)(x)
    return [x]


def _image(feature: Any) -> Any:
    from keras import layers

    upright = layers.Permute((2, 1))(feature)
    return layers.Resizing(*ORIGINAL_IMAGE)(layers.Reshape((feature.shape[2], -1, 1))(upright))


def cnn(inputs: Inputs) -> list[Any]:
    """Two branches: convolutions over time, and statistics of each bin over the window.

    Trained with a loss each, they make different mistakes. Features are concatenated along the bins. On a corpus
    set aside for such choices (535 excerpts of eleven game soundtracks, none of them in the published results)
    convolutions alone had 64.7 % of excerpts right, statistics alone 65.2 %, the mean of both 66.2 %, and both with one
    loss 63.7 to 65.2 %. Convolutions over time and bins, in their place, cost five times as much and did no better.
    """
    x = _concatenated_bins("cnn", inputs)
    return [blocks.wide_convolutions(x), blocks.bin_statistics(x)]


def crnn(inputs: Inputs) -> list[Any]:
    """Convolutions, then a recurrent layer over time, whose steps are weighted by attention.

    Three convolution blocks shorten time eightfold and move what is left of the bins into channels, which keeps the
    recurrence, step by step on a CPU, short. Attention, as an intro or a pause says less about genre than a chorus.
    Source of the layout: K. Choi et al., "Convolutional Recurrent Neural Networks for Music Classification", ICASSP
    2017, https://arxiv.org/abs/1609.04243.
    """
    from keras import layers

    x = _concatenated_bins("crnn", inputs)
    x = layers.Reshape((-1, x.shape[2], 1))(x)
    for filters, pool in ((24, (2, 4)), (32, (2, 2)), (48, (2, 2))):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = blocks.normalise_and_activate(layers.MaxPooling2D(pool, padding="same")(x))
    x = layers.Reshape((-1, x.shape[2] * x.shape[3]))(x)
    x = blocks.normalise_and_activate(layers.Conv1D(96, 1, use_bias=False)(x))
    x = layers.Bidirectional(layers.GRU(64, return_sequences=True))(x)
    weights = layers.Softmax(axis=1)(layers.Dense(1)(x))
    return [layers.Flatten()(layers.Dot(axes=1)([weights, x]))]


def transfer(inputs: Inputs) -> list[Any]:
    """The branches of `cnn`; once they are trained, a head on musicnn's embedding is trained as a third.

    A network that was pretrained on tags of other music knows what a few hundred songs do not teach, and the branches
    learn what distinguishes these genres and no tag describes, so their mistakes differ. On the corpus set aside for
    choices (200 songs) the branches alone had 72.5 % right, the head alone 70 to 72 %, the mean of all three 74.5 %.
    There a head on the pooled feature maps of every depth did better than one on musicnn's last layer before the tags,
    and better with a hidden layer than without.
    """
    return cnn(inputs)


def branches(inputs: Inputs) -> list[Any]:
    """A small block for each feature, merged at the end, so that features with nothing in common share no filter.

    It is named for these blocks. As this module counts, it has one branch, which they are merged into, and one loss.
    A block sees all bins of its feature at once and convolves over time alone, so it costs little, and features of
    different hops can be combined.
    """
    from keras import layers

    merged = [blocks.narrow_convolutions(tensor) for tensor in inputs.values()]
    x = layers.Concatenate()(merged) if len(merged) > 1 else merged[0]
    return [layers.Dropout(0.3)(x)]


def _concatenated_bins(network: str, inputs: Inputs) -> Any:
    """A network's inputs as one, shape (frames, all bins)."""
    from keras import layers

    tensors = list(inputs.values())
    if len({tensor.shape[1] for tensor in tensors}) > 1:
        raise UsageError(
            f"network {network} concatenates features frame by frame; {', '.join(inputs)} differ in hop_length,"
            " give them one"
        )
    return layers.Concatenate()(tensors) if len(tensors) > 1 else tensors[0]


_ORIGINAL_FEATURES = (
    "log_mel", "harmonic_mel", "percussive_mel", "mfcc", "chroma",
    "spectral_centroid", "spectral_rolloff", "onset_strength", "tempogram",
)  # fmt: skip

NETWORKS = {
    "cnn": Network(cnn, ("log_mel",)),
    "crnn": Network(crnn, ("log_mel",)),
    "branches": Network(branches, ("log_mel", "percussive_mel", "chroma", "mfcc", "tempogram")),
    "seed_cnn": Network(seed_cnn, _ORIGINAL_FEATURES),
    "transfer": Network(transfer, ("log_mel",), musicnn.PRETRAINED),
}
