"""Vectors of neighbouring values in loops that numba compiles: what is done to one is done to all its values at once.

LLVM makes vectors of plain loops by itself. But where a loop reads and writes rows of arrays, it first looks each time
whether they overlap, which for rows of 64 values takes as long as the work; and some loops it leaves as they are. The
values of a vector never meet, so that the width of a processor's registers changes no bit.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 8
"""How many values a vector has."""


class Vector(types.Type):
    """The type of vectors of `LANES` values, float32 or float64."""

    def __init__(self, dtype: Any):
        self.dtype = dtype
        super().__init__(f"Vector({dtype})")


def _model(manager: Any, vector: Vector) -> Any:
    """How a vector lies in memory."""
    value_type = manager.lookup(vector.dtype).get_value_type()
    return models.PrimitiveModel(manager, vector, ir.VectorType(value_type, LANES))


register_model(Vector)(_model)


def _intrinsic(code: Callable[..., Any]) -> Callable[..., Any]:
    """An intrinsic function, without its first parameter, which numba gives."""
    made: Callable[..., Any] = intrinsic(code)
    return made


@_intrinsic
def load(_: Any, row: Any, first: Any) -> Any:
    """The vector of the values of a row, an array of one dimension, from `first` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        return Column(context, builder, signature.args[0], arguments[0], arguments[1]).load(0)

    return Vector(row.dtype)(row, types.intp), code


@_intrinsic
def store(_: Any, row: Any, first: Any, vector: Any) -> Any:
    """Writes a vector to a row, from `first` on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        Column(context, builder, signature.args[0], arguments[0], arguments[1]).store(0, arguments[2])
        return context.get_dummy_value()

    return types.void(row, types.intp, vector), code


@_intrinsic
def store_transposed(_: Any, rows: Any, row: Any, column: Any, out: Any) -> Any:
    """Writes the values of `LANES` rows and columns, from one of each on, to where the transposed array has them.

    Squares of one value, of two and of four are exchanged across the diagonal (J. O. Eklundh, "A fast computer method
    for matrix transposing", 1972).
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Sequence[Any]) -> Any:
        _, row, column, _ = arguments
        source = Column(context, builder, signature.args[0], arguments[0], column, row)
        target = Column(context, builder, signature.args[3], arguments[3], row, column)
        vectors = [source.load(n) for n in range(LANES)]
        for side in (1, 2, 4):
            upper = [lane + LANES - side if lane & side else lane for lane in range(LANES)]
            lower = [lane + LANES if lane & side else lane + side for lane in range(LANES)]
            for n in range(LANES):
                if not n & side:
                    pair = vectors[n], vectors[n + side]
                    vectors[n], vectors[n + side] = _shuffled(builder, *pair, upper), _shuffled(builder, *pair, lower)
        for n, vector in enumerate(vectors):
            target.store(n, vector)
        return context.get_dummy_value()

    return types.void(rows, types.intp, types.intp, out), code


@_intrinsic
def maximum(_: Any, one: Any, other: Any) -> Any:
    """The greater of the values of two vectors; where one of them is NaN, the second."""

    def code(_: Any, builder: Any, __: Any, arguments: Sequence[Any]) -> Any:
        return extreme(builder, ">", *arguments)

    return one(one, one), code


def extreme(builder: Any, relation: str, one: Any, other: Any) -> Any:
    """Code for the lesser or the greater of the values of two vectors: that of the first where the relation holds."""
    return builder.select(builder.fcmp_ordered(relation, one, other), one, other)


class Column:
    """Code that reads and writes the vectors of a C-contiguous array that begin in one column.

    Parameters
    ----------
    context, builder
        Of an intrinsic function.
    array_type, array
        Of one dimension or two.
    column
    row : optional
        The first.
    """

    def __init__(self, context: Any, builder: Any, array_type: Any, array: Any, column: Any, row: Any = None):
        if array_type.layout != "C":
            raise TypeError(f"{array_type}: its vectors do not lie side by side, make it C-contiguous")
        made = context.make_array(array_type)(context, builder, array)
        self._builder, self._data, self._index = builder, made.data, column
        self._width: Any = None
        if row is not None:
            self._width = builder.extract_value(made.shape, 1)
            self._index = builder.add(builder.mul(row, self._width), column)
        self._pointer = ir.VectorType(context.get_value_type(array_type.dtype), LANES).as_pointer()
        self._align = array_type.dtype.bitwidth // 8

    def load(self, rows: int) -> Any:
        """The vector so many rows below the first."""
        return self._builder.load(self._address(rows), align=self._align)

    def store(self, rows: int, vector: Any) -> None:
        """Writes a vector, of float32 to an array of float64 too, so many rows below the first."""
        if vector.type != self._pointer.pointee:
            vector = self._builder.fpext(vector, self._pointer.pointee)
        self._builder.store(vector, self._address(rows), align=self._align)

    def _address(self, rows: int) -> Any:
        index = self._index
        if rows:
            below = self._builder.mul(self._width, ir.Constant(self._width.type, rows))
            index = self._builder.add(index, below)
        return self._builder.bitcast(self._builder.gep(self._data, [index]), self._pointer)


def _shuffled(builder: Any, one: Any, other: Any, lanes: Sequence[int]) -> Any:
    """A vector of the values of two, of which those of the second are counted on."""
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes))


def _spread(builder: Any, value: Any) -> Any:
    """A vector of one value."""
    vector = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    vector = builder.insert_element(vector, value, ir.Constant(ir.IntType(32), 0))
    return _shuffled(builder, vector, vector, [0] * LANES)


def _define(function: Callable[..., Any], instruction: str) -> None:
    """Defines an operation on two vectors, and on a vector and a number."""

    @type_callable(function)
    def type_of(_: Any) -> Any:
        return lambda one, other: one if isinstance(one, Vector) and other in (one, one.dtype) else None

    def of_vectors(_: Any, builder: Any, __: Any, arguments: Sequence[Any]) -> Any:
        return getattr(builder, instruction)(*arguments)

    def of_vector_and_number(_: Any, builder: Any, __: Any, arguments: Sequence[Any]) -> Any:
        vector, number = arguments
        return getattr(builder, instruction)(vector, _spread(builder, number))

    lower_builtin(function, Vector, Vector)(of_vectors)
    lower_builtin(function, Vector, types.Float)(of_vector_and_number)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
