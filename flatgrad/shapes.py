"""Shape rules that many operations share: from the arguments of a call to the shape of its result.

Arrays and numbers among the arguments are `Value`s (with `shape`, `rank`, `dtype`, `known`); everything else is what the
user wrote. Layer: above `graph`, below `rules`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.containers import leaves
from flatgrad.graph.size import Shape, SizeMismatch, broadcast, unify
from flatgrad.graph.values import Value


def shape_of(argument: Any) -> Shape:
    """Return the shape of an argument: of a value its own, of a Python number none."""
    return argument.shape if isinstance(argument, Value) else np.shape(argument)


def same(x: Any, *_: Any, **__: Any) -> Shape:
    """The result has the shape of the first argument, and each element depends on its own place only."""
    return shape_of(x)


def elementwise(*arguments: Any, **__: Any) -> Shape:
    """The result has the shape that its arguments broadcast to."""
    return broadcast([shape_of(argument) for argument in arguments])


def no_axes(*_: Any, **__: Any) -> Shape:
    """The result is one number."""
    return ()


same.elementwise = True  # type: ignore[attr-defined]
elementwise.elementwise = True  # type: ignore[attr-defined]


def normal_axis(axis: int, rank: int) -> int:
    """Return the axis counted from the front. Raises SizeMismatch where there is no such axis."""
    if not -rank <= axis < rank:
        raise SizeMismatch(f"axis {axis} of an array of rank {rank}")
    return axis % rank


def normal_axes(axis: int | tuple[int, ...] | None, rank: int) -> tuple[int, ...]:
    """Return the axes counted from the front; all of them for None."""
    if axis is None:
        return tuple(range(rank))
    return tuple(normal_axis(one, rank) for one in (axis if isinstance(axis, tuple) else (axis,)))


def reduced(x: Any, axis: int | tuple[int, ...] | None = None, *_: Any, keepdims: bool = False, **__: Any) -> Shape:
    """The axes that are reduced over go, or stay with length 1."""
    shape = shape_of(x)
    axes = normal_axes(axis, len(shape))
    if keepdims:
        return tuple(1 if k in axes else size for k, size in enumerate(shape))
    return tuple(size for k, size in enumerate(shape) if k not in axes)


def reduced_from(x: Any, *_: Any, axis: int | tuple[int, ...] | None = None, where: Any = True, **named: Any) -> Shape:
    """As `reduced`, for what takes more than x: the number that it starts from, or a mask of the elements that count."""
    shape = shape_of(x)
    if where is not True and not shape_of(where):
        raise TypeError("where= has to be an array of truth values")
    mask = broadcast([shape, shape_of(where)])
    if len(mask) > len(shape):
        raise SizeMismatch(f"where= of rank {len(mask)} for an array of rank {len(shape)}")
    for size, masked in zip(shape, mask, strict=True):
        unify(size, masked)
    return reduced(x, axis, keepdims=named.get("keepdims", False))


reduced.reduces = True  # type: ignore[attr-defined]
reduced_from.reduces = True  # type: ignore[attr-defined]


def dtype_of_first(x: Any, *_: Any, **__: Any) -> np.dtype[Any]:
    """The result has the dtype of the first array among the arguments."""
    return next(leaf.dtype for leaf in leaves(x) if isinstance(leaf, Value))
