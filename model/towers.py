"""What networks are made of: towers, which each see a window their own way, and the opinions that they end in."""

from collections.abc import Mapping, Sequence
from typing import Any


def changes(x: Any) -> Any:
    """What convolutions over time find, wherever it is."""
    from keras import layers

    for filters in (96, 96, 128):
        x = _halved(x, filters)
    x = activate(layers.Conv1D(128, 3, padding="same", use_bias=False)(x))
    return layers.GlobalAveragePooling1D()(x)


def levels(x: Any) -> Any:
    """Each bin's mean and deviation, and the deviation of its steps from frame to frame, through one hidden layer."""
    from keras import layers, ops

    steps = x[:, 1:] - x[:, :-1]
    levels = [ops.mean(x, axis=1), *(ops.sqrt(ops.var(values, axis=1) + 1e-3) for values in (x, steps))]
    x = layers.BatchNormalization(momentum=0.95)(layers.Concatenate()(levels))
    return activate(layers.Dense(128, use_bias=False)(x))


def over_time(x: Any) -> Any:
    """What convolutions over time find, by half as many filters: of one feature among several."""
    from keras import layers

    x = activate(layers.Conv1D(48, 1, use_bias=False)(x))
    for _ in range(3):
        x = _halved(x, 64)
    return layers.GlobalAveragePooling1D()(x)


def _halved(x: Any, filters: int) -> Any:
    """A convolution over time, at half as many frames: it pools before it activates, which costs a CPU least."""
    from keras import layers

    x = layers.Conv1D(filters, 3, padding="same", use_bias=False)(x)
    return activate(layers.MaxPooling1D(2, padding="same")(x))


def activate(x: Any) -> Any:
    """Batch normalisation, whose means settle within the few steps that a small corpus has, and a rectifier."""
    from keras import layers

    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))


def deciding(network: str, inputs: Mapping[str, Any], towers: Sequence[Any], genres: int) -> Any:
    """The model of some inputs whose output is each tower's own opinion, shape (towers, genres)."""
    from keras import Model, layers

    opinions = [layers.Reshape((1, genres))(layers.Dense(genres, activation="softmax")(tower)) for tower in towers]
    return Model(inputs, layers.Concatenate(axis=1)(opinions) if len(opinions) > 1 else opinions[0], name=network)


def mean_of(learner: Any) -> Any:
    """The model of the same layers whose output is the mean of a network's opinions, shape (genres,)."""
    from keras import Model, layers

    return Model(learner.input, layers.GlobalAveragePooling1D()(learner.output), name=learner.name)
