"""Running medians along an array's first axis, by a selection network generated for the window's length.

Neighbouring windows share most of their values, so the medians of several windows are found together: the values that
all windows share are sorted once, by Batcher's odd-even merge sort (D. E. Knuth, "The Art of Computer Programming",
vol. 3, 5.3.4), those that half of them share are merged in, and so on down to single windows. A value that has become
too large or too small to be a median is dropped on the way. The network runs on vectors, of one column a lane.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from pipelines.common.arrays.jit import compiled
from pipelines.common.arrays.vectors import LANES, Column, extreme

TILE = 16
"""How many neighbouring medians of a column are found together."""

Wire = int
Wires = list[Wire]


@dataclass
class Network:
    """A network of minima and maxima that selects the medians of `TILE` neighbouring windows.

    Attributes
    ----------
    size : int
        The window's length. The median is the value of rank `size // 2`, counted from 0.
    gates : list of (str, int, int)
        `<` for the lesser of two wires, `>` for the greater. The first `size + TILE - 1` wires are inputs, each
        further one a gate's output.
    outputs : list of int
        The wires of the medians.
    """

    size: int
    gates: list[tuple[str, Wire, Wire]] = field(default_factory=list)
    outputs: Wires = field(default_factory=list)

    @classmethod
    def of(cls, size: int) -> "Network":
        """The network for windows of this length."""
        network = cls(size)
        network._descend(range(TILE), [], range(0), 0)
        return network

    @property
    def inputs(self) -> int:
        """How many values `TILE` neighbouring windows span."""
        return self.size + TILE - 1

    def needed(self) -> set[Wire]:
        """The wires that some output depends on."""
        needed = set(self.outputs)
        for wire in reversed(range(self.inputs, self.inputs + len(self.gates))):
            if wire in needed:
                needed.update(self.gates[wire - self.inputs][1:])
        return needed

    def _descend(self, windows: range, candidates: Wires, known: range, dropped: int) -> None:
        """Adds the gates for some windows, given the sorted candidates of a larger range of windows.

        The `known` values are those that the larger range shares; `dropped` counts those found too small.
        """
        shared = range(windows[-1], windows[0] + self.size)
        candidates = self._merge(candidates, self._sort([value for value in shared if value not in known]))
        # Of the sorted candidates, those between these ranks can still be a median.
        median, missing = self.size // 2, self.size - len(shared)
        least = max(0, median - missing - dropped)
        candidates = candidates[least : median - dropped + 1]
        if len(windows) == 1:
            self.outputs += candidates
            return
        half = len(windows) // 2
        for part in (windows[:half], windows[half:]):
            self._descend(part, candidates, shared, dropped + least)

    def _sort(self, wires: Wires) -> Wires:
        half = len(wires) // 2
        return self._merge(self._sort(wires[:half]), self._sort(wires[half:])) if half else wires

    def _merge(self, left: Wires, right: Wires) -> Wires:
        if not left or not right:
            return left + right
        if len(left) == len(right) == 1:
            return self._exchange(left[0], right[0])
        first, *odd = self._merge(left[::2], right[::2])
        even = self._merge(left[1::2], right[1::2])
        pairs = min(len(odd), len(even))
        exchanged = [wire for pair in zip(even, odd, strict=False) for wire in self._exchange(*pair)]
        return [first, *exchanged, *even[pairs:], *odd[pairs:]]

    def _exchange(self, one: Wire, other: Wire) -> Wires:
        self.gates += [("<", one, other), (">", one, other)]
        wire = self.inputs + len(self.gates)
        return [wire - 2, wire - 1]


@functools.cache
def running_medians(size: int) -> Callable[..., None]:
    """Compiles the running median of a window length, a function `medians(values, out)`.

    `values`, shape (rows + size - 1, columns), holds the windows; row r of `out`, shape (rows, columns), takes the
    median of its rows r to r + size - 1, bit for bit as `scipy.ndimage.median_filter`. Both are C-contiguous float32 or
    float64 without NaN, and have at least `TILE` rows and a multiple of `LANES` columns.

    >>> import numpy as np
    >>> values = np.repeat(np.arange(TILE + 2, dtype=np.float32)[:, np.newaxis], LANES, axis=1)
    >>> out = np.empty((TILE, LANES), np.float32)
    >>> running_medians(3)(values, out)
    >>> out[:4, 0]
    array([1., 2., 3., 4.], dtype=float32)
    """

    @compiled
    def medians(values: Any, out: Any) -> None:
        rows, columns = out.shape
        for tile in range(0, rows, TILE):
            row = min(tile, rows - TILE)
            for column in range(0, columns, LANES):
                _medians_of_tile(values, out, row, column, size)  # type: ignore[call-arg]

    return medians


@intrinsic(prefer_literal=True)
def _medians_of_tile(_: Any, values: Any, out: Any, row: Any, column: Any, size: Any) -> Any:
    network = Network.of(size.literal_value)

    def code(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        _, _, row, column, _ = arguments
        source, target = (Column(context, builder, signature.args[n], arguments[n], column, row) for n in range(2))
        needed = network.needed()
        wires = {wire: source.load(wire) for wire in range(network.inputs) if wire in needed}
        for wire, (relation, one, other) in enumerate(network.gates, network.inputs):
            if wire in needed:
                wires[wire] = extreme(builder, relation, wires[one], wires[other])
        for tile_row, wire in enumerate(network.outputs):
            target.store(tile_row, wires[wire])
        return context.get_dummy_value()

    return types.void(values, out, types.intp, types.intp, size), code
