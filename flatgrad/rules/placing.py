"""Arrays of zeros with values added at an index: the gradients of what picks elements.

The emitted code has an assignment into zeros, or `np.add.at` where an index can meet a place twice. Layer: rules, below
`indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import dtype_of_first, shape_of


def shape_of_like(*_: Any, like: Any, **__: Any) -> Shape:
    """The shape of the array that it is like."""
    return shape_of(like)


def dtype_of_like(*_: Any, like: Any, **__: Any) -> np.dtype[Any]:
    """The dtype of the array that it is like."""
    # a constant comes as its number
    return np.asarray(like).dtype if isinstance(like, np.ndarray | int | float) else dtype_of_first(like)


def placed(values, index, like):
    """Return zeros like an array, with values added at an index."""
    zeros = np.zeros_like(like)
    np.add.at(zeros, index, values)
    return zeros


@rule(
    placed,
    shape=shape_of_like,
    dtype=dtype_of_like,
    linear=True,
    samples=[
        Sample(real(3), index=np.array([1, 1, 3]), like=real(4)),
        Sample(real(2, 3), index=slice(1, 3), like=real(4, 3)),
        Sample(real(), index=(1, 2), like=real(2, 3)),
    ],
)
def grad_placed(values, y, grad_y, *, index, like):
    grad_values = grad_y[index]
    return grad_values


def placed_together(parts, indices, like):
    """Return zeros like an array, with each of several parts added at its own index."""
    zeros = np.zeros_like(like)
    for part, index in zip(parts, indices, strict=True):
        np.add.at(zeros, index, part)
    return zeros


@rule(
    placed_together,
    shape=shape_of_like,
    dtype=dtype_of_like,
    linear=True,
    samples=[
        Sample((real(), real() + 1), indices=(0, 2), like=real(4)),
        Sample((real(3), real(2, 3)), indices=(1, slice(1, 3)), like=real(4, 3)),
    ],
)
def grad_placed_together(parts, y, grad_y, *, indices, like):
    grad_parts = tuple([grad_y[index] for index in indices])
    return grad_parts


def placed_along_axis(values, indices, axis, like):
    """Return zeros like an array, with values added where np.take_along_axis would take them."""
    index = list(np.indices(np.shape(like), sparse=True))
    index[axis] = indices
    zeros = np.zeros_like(like)
    np.add.at(zeros, tuple(index), values)
    return zeros


@rule(
    placed_along_axis,
    shape=shape_of_like,
    dtype=dtype_of_like,
    linear=True,
    samples=[Sample(real(3, 1), indices=np.array([[1], [3], [3]]), axis=1, like=real(3, 4))],
)
def grad_placed_along_axis(values, y, grad_y, *, indices, axis, like):
    grad_values = np.take_along_axis(grad_y, indices, axis)
    return grad_values


def scattered(values, indices, axis, like):
    """Return zeros like an array, with values where np.take_along_axis takes them, each place once."""
    zeros = np.zeros_like(like)
    np.put_along_axis(zeros, indices, values, axis)
    return zeros


@rule(
    scattered,
    shape=shape_of_like,
    dtype=dtype_of_like,
    linear=True,
    samples=[Sample(real(3, 2), indices=np.array([[1, 0], [3, 2], [3, 1]]), axis=1, like=real(3, 4))],
)
def grad_scattered(values, y, grad_y, *, indices, axis, like):
    grad_values = np.take_along_axis(grad_y, indices, axis)
    return grad_values
