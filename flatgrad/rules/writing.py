"""Arrays with some of their elements changed: what an assignment into an array makes of it.

In: an array, values, an index. Out: records. The functions return a new array. The emitted code writes into the old one, by
`x[index] = values` and `x[index] += values`, wherever nothing reads what it held before. Layer: rules, above `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, is_one, unify
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.indexing import getitem_shape, repeats
from flatgrad.rules.shapes import dtype_of_first, shape_of
from flatgrad.rules.static import new_axes


def assigned(x, values, index):
    """Return an array with values at an index: what `x[index] = values` makes of it."""
    result = np.array(x)
    result[index] = values
    return result


def added(x, values, index):
    """Return an array with values added at an index: what `x[index] += values` makes of it.

    Where an index meets a place twice both values are added, as np.add.at does it.
    """
    result = np.array(x)
    np.add.at(result, index, values)
    return result


def last_written(x, index):
    """Tell for each element that `x[index] = ...` writes whether it stays: where two have one place, the last one does."""
    numbers = np.arange(x[index].size).reshape(x[index].shape)
    last = np.zeros(x.shape, dtype=int)
    last[index] = numbers
    return last[index] == numbers


def _written_shape(x: Any, values: Any = 0.0, *, index: Any) -> Shape:
    """The shape of the array. Raises SizeMismatch where the values do not fit into the place."""
    place, shape = getitem_shape(x, index=index), shape_of(values)
    # NumPy takes leading axes of length 1 from the values
    kept = shape[max(len(shape) - len(place), 0) :]
    for size, given in zip(reversed(place), reversed(kept), strict=False):
        if is_one(given) is False:
            # the place is not stretched
            unify(size, given)
    if any(is_one(size) is False for size in shape[: len(shape) - len(kept)]):
        raise SizeMismatch(f"values of rank {len(shape)} for a place of rank {len(place)}")
    return shape_of(x)


@rule(
    assigned,
    shape=_written_shape,
    dtype=dtype_of_first,
    elementwise=False,
    linear=True,
    samples=[
        Sample(real(4), real(), index=2),
        Sample(real(4, 3), real(3), index=1),
        Sample(real(6, 3), real(3, 1), index=slice(1, None, 2)),
        Sample(real(3, 4), real(4), index=Ellipsis),
        Sample(real(3, 4), real(2), index=(np.array([0, 2]), np.array([1, 1]))),
        Sample(real(4), real(3), index=np.array([1, 1, 3])),
        Sample(real(3, 4), real(), index=real(3, 4) > 0),
    ],
)
def grad_assigned(x, values, y, grad_y, *, index):
    if new_axes(index, np.ndim(x)) == ():
        grad_values = grad_y
        grad_x = np.zeros_like(grad_y)
    else:
        grad_values = grad_y[index]
        if repeats(index):
            grad_values = np.where(last_written(grad_y, index=index), grad_values, 0.0)
        grad_x = assigned(grad_y, 0.0, index)
    return grad_x, grad_values


@rule(
    added,
    shape=_written_shape,
    dtype=dtype_of_first,
    elementwise=False,
    linear=True,
    samples=[
        Sample(real(4), real(), index=2),
        Sample(real(6, 3), real(3, 1), index=slice(1, None, 2)),
        Sample(real(3, 4), real(2), index=(np.array([0, 2]), np.array([1, 1]))),
        Sample(real(4), real(3), index=np.array([1, 1, 3])),
    ],
)
def grad_added(x, values, y, grad_y, *, index):
    grad_x = grad_y
    grad_values = grad_y if new_axes(index, np.ndim(x)) == () else grad_y[index]
    return grad_x, grad_values


def _truth(*_: Any, **__: Any) -> np.dtype[Any]:
    return np.dtype(np.bool_)


no_gradient(last_written, shape=getitem_shape, dtype=_truth, samples=[Sample(real(4), index=np.array([1, 1, 3]))])
