"""Brings a gradient back to the shape and dtype of its variable: what was broadcast is summed.

In: a gradient and its variable. Out: nodes with explicit sums. This is the one place where broadcasting is undone. Layer:
above `builder`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.size import Size, SizeUnknown, equal, is_one
from flatgrad.graph.values import Type, Value

Axes = tuple[int, ...]


def broadcast_axes(gradient: Value, value: Value) -> tuple[Axes, Axes]:
    """Return the axes of a gradient that its variable lacks, and those on which the variable has the length 1.

    Raises SizeUnknown where that depends on whether a size is 1.
    """
    if gradient.rank < value.rank:
        return (), ()
    extra = gradient.rank - value.rank
    stretched = [k for k, size in enumerate(value.shape) if _was_broadcast(size, gradient.shape[extra + k])]
    return tuple(range(extra)), tuple(extra + k for k in stretched)


def _was_broadcast(size: Size, gradient_size: Size) -> bool:
    if equal(size, gradient_size) or not is_one(size):
        return False
    if is_one(gradient_size) is None:
        raise SizeUnknown((gradient_size,))
    return not is_one(gradient_size)


def is_smaller(gradient: Value, value: Value) -> bool:
    """Tell whether a gradient has to be broadcast to become its variable's."""
    if gradient.rank != value.rank:
        return True
    return any(is_one(g) and not is_one(v) for g, v in zip(gradient.shape, value.shape, strict=True))


def summed_over(builder: Builder, reduce: Callable[..., Any], gradient: Value, missing: Axes, stretched: Axes) -> Value:
    """Reduce over the `missing` axes, which go, and the `stretched` ones, which stay with length 1.

    `reduce` is np.sum, or np.any for a condition.
    """
    summed: Value
    axes = (*missing, *stretched)
    axis: Any = axes[0] if len(axes) == 1 else axes
    if stretched:
        summed = builder.apply(reduce, gradient, axis=axis, keepdims=True)
        if missing:
            index: Any = 0 if len(missing) == 1 else (0,) * len(missing)
            summed = builder.apply(operator.getitem, summed, index=index)
    elif len(missing) == gradient.rank:
        summed = builder.apply(reduce, gradient)
    else:
        summed = builder.apply(reduce, gradient, axis=axis)
    return summed


def cast(builder: Builder, gradient: Value, wanted: Type) -> Value:
    """Return a gradient in the dtype of its variable; a Python number's is float64."""
    result = gradient
    if gradient.dtype.kind == "c" and wanted.dtype.kind != "c":
        result = gradient = builder.apply(np.real, gradient, form=".real")
    if (
        wanted.dtype.kind == "c"
        and gradient.dtype.itemsize * (1 + (gradient.dtype.kind == "f")) == wanted.dtype.itemsize
    ):
        # a real gradient of a complex number is as good as a complex one
        return result
    if wanted.weak:
        if gradient.dtype.kind == "c":
            result = builder.apply(complex, gradient)
        elif gradient.dtype != np.float64:
            result = builder.apply(float, gradient)
    elif gradient.rank == 0 and wanted.dtype == np.float32 and gradient.dtype == np.float64:
        # a number that stands for a float64 may be Python's own
        result = builder.apply(np.float32, gradient)
    elif gradient.dtype != wanted.dtype and not gradient.type.weak:
        result = builder.apply(np.ndarray.astype, gradient, wanted.dtype, form="method")
    return result
