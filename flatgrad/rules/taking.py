"""Elements taken by their places: np.take and np.take_along_axis.

In: an array and places. Out: their records. Layer: rules, above `indexing`.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from flatgrad.graph.containers import Slice
from flatgrad.graph.size import Shape, SizeMismatch, broadcast, equal
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, question, real, rule
from flatgrad.rules.placing import placed, placed_along_axis, scattered
from flatgrad.rules.shapes import dtype_of_first, normal_axis, shape_of
from flatgrad.rules.stable_order import stable_order


def take_shape(x: Any, *, indices: Any, axis: int | None = None, mode: str = "raise") -> Shape:
    """The axis gives way to the axes of the indices."""
    if mode not in ("raise", "wrap", "clip"):
        raise TypeError(f"mode={mode!r}; known are 'raise', 'wrap' and 'clip'")
    shape, picked = shape_of(x), shape_of(indices)
    if axis is None:
        return picked
    axis = normal_axis(axis, len(shape))
    return shape[:axis] + picked + shape[axis + 1 :]


@rule(
    np.take,
    shape=take_shape,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(3, 4), indices=np.array([[5, 0], [5, 11]])),
        Sample(real(3, 4), indices=np.array([1, 1]), axis=0),
        Sample(real(3, 4), indices=np.array([[1, 0], [3, 1]]), axis=-1),
        Sample(real(3, 4), indices=2, axis=1),
        Sample(real(4), indices=np.array([-1, 3, 0])),
        Sample(real(4), indices=np.array([-1, 3, 9]), mode="wrap"),
        Sample(real(3, 4), indices=np.array([-1, 3, 9]), axis=1, mode="clip"),
        Sample(real(3, 4), indices=np.array([-2, 13]), mode="wrap"),
    ],
)
def grad_take(x, y, grad_y, *, indices, axis=None, mode="raise"):
    place = indices
    if mode != "raise":
        size = np.size(x) if axis is None else np.shape(x)[axis]
        place = np.mod(indices, size) if mode == "wrap" else np.clip(indices, 0, size - 1)
    if axis is not None:
        before = (slice(None),) * (axis % x.ndim)
        grad_x = placed(grad_y, (*before, place), x)
    elif x.ndim == 1:
        grad_x = placed(grad_y, place, x)
    else:
        grad_x = np.reshape(placed(grad_y, place, np.ravel(x)), np.shape(x))
    return grad_x


def along_axis_shape(x: Any, *, indices: Any, axis: int | None = -1) -> Shape:
    """The shape of the indices, with the other axes broadcast against those of x."""
    shape, picked = shape_of(x), shape_of(indices)
    if axis is None:
        return picked
    if len(shape) != len(picked):
        raise SizeMismatch(f"an array of rank {len(shape)} and indices of rank {len(picked)}")
    axis = normal_axis(axis, len(shape))
    return tuple(picked[k] if k == axis else broadcast([(shape[k],), (picked[k],)])[0] for k in range(len(shape)))


@question
def repeats_along(x: Any, indices: Any, axis: int) -> bool:
    """Tell whether indices along an axis can name a place twice: those that are an order along it, or a part of one, do not."""
    order = indices
    while _is_slice(order):
        order = order.node.inputs[0]
    node = order.node if isinstance(order, Value) else None
    if node is None or node.function not in (np.argsort, np.argpartition, stable_order):
        return True
    along = node.arguments.get("axis", -1)
    if along is None or along % indices.rank != axis % indices.rank:
        return True
    sizes = enumerate(zip(shape_of(x), indices.shape, strict=True))
    return not all(equal(*each) for k, each in sizes if k != axis % indices.rank)


def _is_slice(value: Any) -> bool:
    """Tell whether a value is a part of an array with the same axes."""
    if not isinstance(value, Value) or value.node is None or value.node.function is not operator.getitem:
        return False
    index = value.node.arguments["index"]
    parts = index if isinstance(index, tuple) else (index,)
    return all(isinstance(part, Slice) or part is Ellipsis for part in parts)


@rule(
    np.take_along_axis,
    shape=along_axis_shape,
    dtype=dtype_of_first,
    linear=True,
    samples=[
        Sample(real(3, 4), indices=np.array([[1], [3], [3]]), axis=1),
        Sample(real(3, 4), indices=np.array([[2, 0, 0, 1], [2, 0, 1, 1]]), axis=0),
        Sample(real(3, 4), indices=np.array([[1, 1]]), axis=-1),
        Sample(real(5), indices=np.array([4, 4, 0]), axis=None),
    ],
)
def grad_take_along_axis(x, y, grad_y, *, indices, axis=-1):
    if axis is None:
        grad_x = np.reshape(placed(grad_y, indices, np.ravel(x)), np.shape(x))
    elif repeats_along(x, indices, axis):
        grad_x = placed_along_axis(grad_y, indices, axis, x)
    else:
        grad_x = scattered(grad_y, indices, axis, x)
    return grad_x
