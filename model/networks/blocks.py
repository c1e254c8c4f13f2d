"""Blocks of layers that several networks are built of. None is a network: those are in `registry.NETWORKS` alone."""

from typing import Any


def wide_convolutions(x: Any) -> Any:
    """Four convolutions over time, up to 128 filters wide, then the mean over time: shape (128,)."""
    from keras import layers

    for filters in (96, 96, 128):
        x = _convolved_and_halved(x, filters)
    x = normalise_and_activate(layers.Conv1D(128, 3, padding="same", use_bias=False)(x))
    return layers.GlobalAveragePooling1D()(x)


def narrow_convolutions(x: Any) -> Any:
    """Four convolutions over time, up to 64 filters wide, then the mean over time: shape (64,)."""
    from keras import layers

    x = normalise_and_activate(layers.Conv1D(48, 1, use_bias=False)(x))
    for _ in range(3):
        x = _convolved_and_halved(x, 64)
    return layers.GlobalAveragePooling1D()(x)


def bin_statistics(x: Any) -> Any:
    """Mean and deviation of each bin, and the deviation of its differences, then a hidden layer: shape (128,)."""
    from keras import layers, ops

    differences = x[:, 1:] - x[:, :-1]
    statistics = [ops.mean(x, axis=1), *(ops.sqrt(ops.var(values, axis=1) + 1e-3) for values in (x, differences))]
    x = layers.BatchNormalization(momentum=0.95)(layers.Concatenate()(statistics))
    return normalise_and_activate(layers.Dense(128, use_bias=False)(x))


def _convolved_and_halved(x: Any, filters: int) -> Any:
    """A convolution over time, then half as many frames: pooling before the activation costs a CPU least."""
    from keras import layers

    x = layers.Conv1D(filters, 3, padding="same", use_bias=False)(x)
    return normalise_and_activate(layers.MaxPooling1D(2, padding="same")(x))


def normalise_and_activate(x: Any) -> Any:
    """Batch normalisation, with a momentum that settles within the few steps of a small corpus, then ReLU."""
    from keras import layers

    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(x))
