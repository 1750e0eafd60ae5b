"""Arrays written between brackets: np.r_, np.c_, np.mgrid, np.ogrid.

In: what stands between the brackets. Out: records. The functions here say what a node means; the emitted code has the brackets.
Layer: rules, above `joining`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.containers import Slice
from flatgrad.graph.size import Shape, Size, SizeMismatch
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.joining import columns, joined
from flatgrad.rules.ranges import range_shape
from flatgrad.rules.shapes import shape_of

# Joined


def in_a_row(items):
    """Return arrays and numbers one after another along the first axis."""
    return np.r_[tuple(items)]


def in_columns(items):
    """Return arrays one after another along the last axis; a vector is a column."""
    return np.c_[tuple(items)]


def row_shape(items: Any) -> Shape:
    """Numbers become vectors; the sizes along the first axis add up."""
    return joined([shape_of(item) or (1,) for item in items], 0)


def columns_shape(items: Any) -> Shape:
    """Numbers and vectors become columns; the sizes along the last axis add up."""
    if any(len(shape_of(item)) > 2 for item in items):
        return joined([shape_of(item) for item in items], -1)
    return columns(tuple(items))


@rule(
    in_a_row,
    shape=row_shape,
    linear=True,
    samples=[
        Sample((real(3), real(2))),
        Sample((real(), real(3), 1.5)),
        Sample((real(2, 3), real(1, 3))),
        Sample((real(3),)),
    ],
)
def grad_in_a_row(items, y, grad_y):
    sizes = [np.shape(item)[0] if np.ndim(item) > 0 else 1 for item in items]
    stops = [sum(sizes[: k + 1]) for k in range(len(sizes) - 1)]
    parts = np.split(grad_y, stops) if len(items) > 1 else (grad_y,)
    grad_items = tuple([parts[k] if np.ndim(items[k]) > 0 else parts[k][0] for k in range(len(items))])
    return grad_items


@rule(
    in_columns,
    shape=columns_shape,
    linear=True,
    samples=[
        Sample((real(3), real(3) + 1)),
        Sample((real(3), real(3, 2))),
        Sample((real(1, 2), real())),
        Sample((real(2, 3, 1), real(2, 3, 2))),
        Sample((real(3),)),
    ],
)
def grad_in_columns(items, y, grad_y):
    if all([np.ndim(item) == 1 for item in items]):
        grad_items = tuple([grad_y[:, k] for k in range(len(items))])
    else:
        sizes = [np.shape(item)[-1] if np.ndim(item) > 1 else 1 for item in items]
        parts = np.split(grad_y, [sum(sizes[: k + 1]) for k in range(len(sizes) - 1)], axis=-1)
        single = [parts[k][:, 0] if np.ndim(items[k]) == 1 else parts[k][0, 0] for k in range(len(items))]
        grad_items = tuple([parts[k] if np.ndim(items[k]) > 1 else single[k] for k in range(len(items))])
    return grad_items


# Grids


def dense_grid(index: Any) -> Any:
    """Return the coordinates along each axis of a grid, each at all its points."""
    return np.mgrid[index]


def open_grid(index: Any) -> Any:
    """Return the coordinates along each axis of a grid, each along its own axis."""
    return np.ogrid[index]


def _points(part: Any) -> Size:
    """Return the number of points along an axis: from the start to the stop, or as many as an imaginary step says."""
    if not isinstance(part, Slice | slice):
        raise SizeMismatch("a grid is made of slices")
    start, stop, step = (
        each.number if isinstance(each, Constant) else each for each in (part.start, part.stop, part.step)
    )
    if any(isinstance(each, Value) and each.dtype.kind != "i" for each in (start, stop, step)):
        raise TypeError("a grid between numbers that are data has no rule: use np.linspace and np.meshgrid")
    if isinstance(step, complex):
        return int(abs(step))
    (size,) = range_shape(0 if start is None else start, stop, step)
    return size


def dense_shape(index: Any) -> Shape:
    """An axis for each slice, behind one that counts them."""
    if not isinstance(index, tuple):
        return (_points(index),)
    return (len(index), *map(_points, index))


def open_shapes(index: Any) -> Any:
    """A result for each slice, of length 1 along the axes of the others."""
    if not isinstance(index, tuple):
        return (_points(index),)
    sizes = list(map(_points, index))
    return [tuple(size if axis == k else 1 for axis in range(len(sizes))) for k, size in enumerate(sizes)]


GRIDS = [
    Sample(slice(0, 3)),
    Sample((slice(0, 3), slice(1, 7, 2))),
    Sample((slice(0, 1, 5j), slice(-1, 1, 3j))),
    Sample((slice(0.0, 1.0, 0.3), slice(None, 2))),
]
no_gradient(dense_grid, shape=dense_shape, samples=GRIDS)
no_gradient(open_grid, shape=open_shapes, samples=GRIDS)
