"""A network's weights and its optimizer's state as bytes, so that whoever writes them sees every fault of a disk.

HDF5 writes to a file by itself, and ends the process where the disk is full.
"""

import io
from typing import Any

import keras
import numpy as np


def pack(model: Any) -> bytes:
    """All that a compiled model has learned and drawn: weights, seeds, and the optimizer's state, as an `.npz` file."""
    sink = io.BytesIO()
    arrays = {_name(number): keras.ops.convert_to_numpy(value) for number, value in enumerate(_variables(model))}
    np.savez(sink, allow_pickle=False, **arrays)
    return sink.getvalue()


def unpack(content: bytes, model: Any) -> None:
    """Gives a model what another one like it had learned.

    Raises
    ------
    ValueError
        It was a network of other layers.
    """
    variables = _variables(model)
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        expected = {_name(number): tuple(variable.shape) for number, variable in enumerate(variables)}
        if {name: array.shape for name, array in arrays.items()} != expected:
            raise ValueError("of a network of other layers")
        for name, variable in zip(expected, variables, strict=True):
            variable.assign(arrays[name])


def _variables(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _name(number: int) -> str:
    return f"{number:05d}"
