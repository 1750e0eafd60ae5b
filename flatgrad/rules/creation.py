"""Arrays made from sizes and numbers, and the sizes of arrays.

In: np.zeros, np.full, len and their like. Out: their records, and `known_result`: what is known of a number that is
computed from sizes. Layer: rules.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from flatgrad.graph.containers import Slot, leaves
from flatgrad.graph.size import (
    Expression,
    Shape,
    Size,
    SizeMismatch,
    broadcast,
    count,
    derived,
    is_one,
    minus,
    plus,
    product,
    quotient,
    symbolic,
    times,
)
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.shapes import normal_axes, shape_of
from flatgrad.rules.static import axes_count

INT = np.dtype(np.int64)
FLOAT = np.dtype(np.float64)


# Sizes that stand in arguments


def identity(value: Any, depth: int = 4) -> Hashable:
    """Return a key that is the same for values that are computed in the same way from the same values."""
    if not isinstance(value, Value):
        return (type(value), value)
    if isinstance(value, Constant) and isinstance(value.number, bool | int | float):
        return (type(value.number), value.number)
    node = value.node
    if node is None or node.bodies or not depth:
        return value.serial
    parts = [leaf for _, structure in node.call for leaf in leaves(structure)]
    if not all(isinstance(part, Slot | bool | int | float | str | None) for part in parts):
        return value.serial
    inputs = tuple(identity(operand, depth - 1) for operand in node.inputs)
    return (node.function, repr(node.call), node.outputs.index(value), inputs)


# bounded, and keyed by how the size comes about: a forgotten entry costs no more than one size seen as two
@lru_cache(maxsize=4096)
def unknown_size(key: Hashable, sizes: tuple[Size, ...] = (), *, may_be_one: bool = True) -> Size:
    """Return the size that is only found out at run time; the same one for the same key.

    `sizes` are those that it follows from, where it does.
    """
    unknown = product(size for size in sizes if not isinstance(size, int))
    return symbolic(may_be_one=may_be_one, origin=unknown if sizes else None)


def known_size(number: Any) -> Size | None:
    """Return the size that a whole number stands for, or None where nothing is known of it."""
    if isinstance(number, Expression):
        return number
    if isinstance(number, bool | np.bool_):
        return None
    if isinstance(number, int | np.integer):
        return int(number)
    if isinstance(number, Value) and isinstance(number.known, int | Expression):
        return number.known
    return None


def extent(number: Any, depth: int = 6) -> Size | None:
    """Return the size that a whole number stands for, also where it is computed from the counter of a loop; None for others."""
    known = known_size(number)
    if known is not None or not isinstance(number, Value) or not depth:
        return known
    if number.counter is not None or number.node is None:
        return number.counter
    operands = [extent(operand, depth - 1) for operand in number.node.arguments.values()]
    if not operands or None in operands:
        return None
    if number.node.function in COMBINED and len(operands) == 2:
        return COMBINED[number.node.function](*operands)
    return times(-1, operands[0]) if number.node.function is operator.neg and operands[0] is not None else None


# operations on whole numbers that make a size of sizes
COMBINED: dict[Callable[..., Any], Callable[..., Size]] = {
    operator.add: plus,
    operator.sub: minus,
    operator.mul: times,
    operator.floordiv: lambda a, b: _whole_quotient(a, b),
}


def size_of_number(number: Any) -> Size:
    """Return the size that a whole number in the place of a size stands for."""
    known = extent(number)
    if known is not None:
        return known
    if not isinstance(number, Value) or number.rank or number.dtype.kind not in "iu":
        raise SizeMismatch(f"a size has to be a whole number, not {number!r}")
    return unknown_size(("size", identity(number)))


def shape_argument(shape: Any) -> Shape:
    """Return the sizes that an argument called `shape` stands for: a whole number, a tuple of them, or another's shape."""
    if isinstance(shape, tuple | list):
        return tuple(size_of_number(number) for number in shape)
    if isinstance(shape, Value) and isinstance(shape.known, tuple):
        return shape.known
    return (size_of_number(shape),)


def known_result(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Size | Shape | None:
    """Return the size, or the sizes of the shape, that the result of a call stands for; None where nothing is known."""
    operands = list(arguments.values())
    first = operands[0] if operands else None
    if function in (np.shape, np.size, np.ndim, len, size_of_axis, axes_count) and isinstance(first, Value):
        return _known_of_array(function, first, arguments.get("axis"))
    if function is operator.getitem and isinstance(first, Value) and isinstance(first.known, tuple):
        index = known_size(arguments["index"])
        return first.known[index] if isinstance(index, int) else None
    if function in (int, operator.pos):
        return known_size(first)
    if function is operator.neg:
        known = known_size(first)
        return None if known is None else times(-1, known)
    if function in _ARITHMETIC:
        a, b = known_size(first), known_size(operands[1])
        return None if a is None or b is None else _ARITHMETIC[function](a, b)
    return None


def _known_of_array(function: Callable[..., Any], x: Value, axis: Any) -> Size | Shape | None:
    if function is np.shape:
        return x.shape
    if function is np.ndim:
        return x.rank
    if function is len:
        return x.shape[0]
    return count(tuple(x.shape[k] for k in normal_axes(axis, x.rank)))


def _whole_quotient(a: Size, b: Size) -> Size:
    """Return a // b, as a size of its own where neither tells it."""
    found = _floor_quotient(a, b)
    return unknown_size(("floor", a, b), (a, b)) if found is None else found


def _floor_quotient(a: Size, b: Size) -> Size | None:
    exact = quotient(a, b)
    if exact is None and isinstance(b, int) and b > 0:
        return derived(("floor", b), a, lambda number: number // b)
    return exact


_ARITHMETIC: dict[Callable[..., Any], Callable[[Size, Size], Size | None]] = {
    operator.add: plus,
    operator.sub: minus,
    operator.mul: times,
    operator.floordiv: _floor_quotient,
}


# Sizes of arrays


def size_of_axis(x: Any, axis: int) -> int:
    """Return the length of one axis."""
    return int(np.shape(x)[axis])


def _number(*_: Any, **__: Any) -> Shape:
    return ()


def _length(x: Any) -> Shape:
    if not shape_of(x):
        raise SizeMismatch("a number has no len()")
    return ()


def _axis_length(x: Any, axis: Any = None) -> Shape:
    normal_axes(axis, len(shape_of(x)))
    return ()


def _axis_count(x: Any) -> Shape:
    return (len(shape_of(x)),)


def _whole_array(*_: Any, **__: Any) -> np.dtype[Any]:
    return INT


def _one_number(x: Any = 0) -> Shape:
    if any(is_one(size) is False for size in shape_of(x)):
        raise SizeMismatch("int() needs one number, not an array")
    return ()


no_gradient(len, shape=_length, samples=[Sample(real(3, 2))])
no_gradient(np.ndim, shape=_number, samples=[Sample(real(3, 2))])
no_gradient(np.size, shape=_axis_length, samples=[Sample(real(3, 2)), Sample(real(3, 2), axis=1)])
no_gradient(size_of_axis, shape=_axis_length, samples=[Sample(real(3, 2), axis=-1)])
no_gradient(np.shape, shape=_axis_count, dtype=_whole_array, samples=[Sample(real(3, 2))])
no_gradient(int, shape=_one_number, samples=[Sample(1.5)])


# Arrays of constants


def shape_given(shape: Any, *_: Any, **__: Any) -> Shape:
    """The argument `shape` says it."""
    return shape_argument(shape)


def shape_like(x: Any, *_: Any, shape: Any = None, **__: Any) -> Shape:
    """The shape of the first argument, unless the argument `shape` says otherwise."""
    return shape_of(x) if shape is None else shape_argument(shape)


def dtype_given(shape: Any, dtype: Any = None, *_: Any, **__: Any) -> np.dtype[Any]:
    """The argument `dtype` says it; float64 without one."""
    return FLOAT if dtype is None else np.dtype(dtype)


def dtype_like(x: Any, dtype: Any = None, *_: Any, **__: Any) -> np.dtype[Any]:
    """The dtype of the first argument, unless the argument `dtype` says otherwise."""
    return _dtype_of(x) if dtype is None else np.dtype(dtype)


def _dtype_of(x: Any) -> np.dtype[Any]:
    return x.dtype if isinstance(x, Value) else np.asarray(x).dtype


no_gradient(np.zeros, np.ones, shape=shape_given, dtype=dtype_given, samples=[Sample((2, 3)), Sample(4)])
no_gradient(np.zeros_like, np.ones_like, shape=shape_like, dtype=dtype_like, samples=[Sample(real(2, 3)), Sample(1.5)])
# no samples: what these hold is not known
no_gradient(np.empty, shape=shape_given, dtype=dtype_given)
no_gradient(np.empty_like, shape=shape_like, dtype=dtype_like)


def _filled_shape(shape: Any, fill_value: Any, **_: Any) -> Shape:
    return _holding(shape_argument(shape), fill_value)


def _filled_like_shape(x: Any, fill_value: Any, *, shape: Any = None, **_: Any) -> Shape:
    return _holding(shape_like(x, shape=shape), fill_value)


def _holding(shape: Shape, fill_value: Any) -> Shape:
    if len(broadcast([shape, shape_of(fill_value)])) > len(shape):
        raise SizeMismatch(f"a value of rank {len(shape_of(fill_value))} to fill an array of rank {len(shape)}")
    return shape


def _filled_dtype(_shape: Any, fill_value: Any, *, dtype: Any = None, **_: Any) -> np.dtype[Any]:
    return dtype_like(fill_value, dtype)


def _filled_like_dtype(x: Any, _fill_value: Any, *, dtype: Any = None, **_: Any) -> np.dtype[Any]:
    return dtype_like(x, dtype)


@rule(
    np.full,
    shape=_filled_shape,
    dtype=_filled_dtype,
    linear=True,
    samples=[Sample((2, 3), real(), wrt=("fill_value",)), Sample(4, real(), wrt=("fill_value",))]
    + [Sample((2, 3), real(3), wrt=("fill_value",))],
)
def grad_full(shape, fill_value, y, grad_y, *, dtype=None, order="C"):
    grad_fill_value = grad_y
    return grad_fill_value


@rule(
    np.full_like,
    shape=_filled_like_shape,
    dtype=_filled_like_dtype,
    linear=True,
    samples=[Sample(real(2, 3), real(), wrt=("fill_value",)), Sample(real(2, 3), real(2, 1), wrt=("fill_value",))],
)
def grad_full_like(x, fill_value, y, grad_y, *, dtype=None, order="K", shape=None):
    grad_fill_value = grad_y
    return grad_fill_value


def _eye_shape(*sizes: Any, **named: Any) -> Shape:
    rows = sizes[0] if sizes else named["N"]
    columns = sizes[1] if len(sizes) > 1 else named.get("M")
    size = size_of_number(rows)
    return (size, size if columns is None else size_of_number(columns))


def _identity_shape(n: Any, *_: Any, **__: Any) -> Shape:
    return _eye_shape(n)


def _eye_dtype(N: Any, M: Any = None, k: Any = 0, dtype: Any = None, *_: Any, **__: Any) -> np.dtype[Any]:
    return FLOAT if dtype is None else np.dtype(dtype)


no_gradient(np.eye, shape=_eye_shape, dtype=_eye_dtype, samples=[Sample(3), Sample(3, 4), Sample(3, 3, 1, np.float32)])


def _identity_dtype(n: Any, dtype: Any = None, *_: Any, **__: Any) -> np.dtype[Any]:
    return FLOAT if dtype is None else np.dtype(dtype)


no_gradient(np.identity, shape=_identity_shape, dtype=_identity_dtype, samples=[Sample(3)])


__all__ = [
    "identity", "known_result", "known_size", "shape_argument", "shape_given", "shape_like", "size_of_axis",
    "size_of_number", "unknown_size",
]  # fmt: skip
