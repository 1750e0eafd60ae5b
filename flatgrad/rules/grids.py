"""Grids: meshgrid, indices, diag_indices.

In: these functions of NumPy. Out: their records. Layer: rules, above `creation`.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, count, unify
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.creation import FLOAT, INT, dtype_like, shape_argument, size_of_number
from flatgrad.rules.shapes import shape_of


def grid_shapes(*axes: Any, indexing: str = "xy", sparse: bool = False, copy: bool = True) -> list[Shape]:
    """An array for each axis, with all axes; the first two change places unless they are to be indexed as given.

    Sparse ones have length 1 along the axes of the others.
    """
    if not copy:
        raise TypeError("copy=False gives views of one element in many places: leave it out")
    sizes = [count(shape_of(x)) for x in axes]
    if sparse:
        along = [_along(k, len(sizes), indexing) for k in range(len(sizes))]
        return [tuple(size if k == along[j] else 1 for k in range(len(sizes))) for j, size in enumerate(sizes)]
    if indexing == "xy" and len(sizes) > 1:
        sizes[:2] = sizes[1::-1]
    return [tuple(sizes)] * len(sizes)


def _along(place: int, count: int, indexing: str) -> int:
    return 1 - place if indexing == "xy" and place < 2 and count > 1 else place


def axes_across(place: int, count: int, indexing: str) -> int | tuple[int, ...]:
    """Return the axes of a grid along which the coordinate at a place stays the same, or the only one."""
    axes = tuple(axis for axis in range(count) if axis != _along(place, count, indexing))
    return axes[0] if len(axes) == 1 else axes


@rule(
    np.meshgrid,
    shape=grid_shapes,
    linear=True,
    samples=[
        Sample(real(3), real(2)),
        Sample(real(3), real(2), indexing="ij"),
        Sample(real(2), real(3), real(4)),
        Sample(real(2), real(3), real(4), indexing="ij"),
        Sample(real(3), real()),
        Sample(real(3)),
        Sample(real(2), real(3), real(2), real(4)),
        Sample(real(2), real(3), sparse=True),
        Sample(real(2, 2), real(3)),
        Sample(real(3), real(2, 1, 2), real(1, 2), indexing="ij"),
        Sample(real(2, 2)),
        Sample(real(2), real(3), real(4), sparse=True, indexing="ij"),
    ],
)
def grad_meshgrid(*axes, y, grad_y, indexing="xy", sparse=False, copy=True):
    if sparse or len(axes) == 1:
        parts = grad_y
    else:
        parts = [np.sum(grad_y[k], axis=axes_across(k, len(axes), indexing)) for k in range(len(axes))]
    # the elements of an array with several axes are taken in a row
    is_row = [np.ndim(x) == 1 and not (sparse and len(axes) > 1) for x in axes]
    grad_axes = tuple([parts[k] if is_row[k] else np.reshape(parts[k], np.shape(axes[k])) for k in range(len(axes))])
    return grad_axes


def _indices_shape(dimensions: Any, dtype: Any = int, sparse: bool = False) -> Shape | list[Shape]:
    sizes = shape_argument(dimensions)
    if sparse:
        return [tuple(size if k == j else 1 for k in range(len(sizes))) for j, size in enumerate(sizes)]
    return (len(sizes), *sizes)


def _indices_dtype(dimensions: Any, dtype: Any = int, sparse: bool = False) -> np.dtype[Any]:
    return dtype_like(FLOAT, dtype)


def _diagonal_indices(n: Any, ndim: int = 2) -> list[Shape]:
    return [(size_of_number(n),)] * ndim


def _whole(*_: Any, **__: Any) -> np.dtype[Any]:
    return INT


def _diagonal_of_array(arr: Any) -> list[Shape]:
    shape = shape_of(arr)
    size = reduce(unify, shape)
    return [(size,)] * len(shape)


no_gradient(
    np.indices,
    shape=_indices_shape,
    dtype=_indices_dtype,
    samples=[Sample((2, 3)), Sample((4,)), Sample((2, 3), sparse=True)],
)
no_gradient(np.diag_indices, shape=_diagonal_indices, dtype=_whole, samples=[Sample(3), Sample(2, 3)])
no_gradient(np.diag_indices_from, shape=_diagonal_of_array, dtype=_whole, samples=[Sample(real(3, 3))])
