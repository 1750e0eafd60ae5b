"""Grids: meshgrid, indices, diag_indices.

In: these functions of NumPy. Out: their records. Layer: rules, above `creation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, count
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.creation import FLOAT, INT, dtype_like, shape_argument, size_of_number
from flatgrad.rules.shapes import shape_of


def grid_shapes(*axes: Any, indexing: str = "xy") -> list[Shape]:
    """An array for each axis, with all axes; the first two change places unless they are to be indexed as given."""
    sizes = [count(shape_of(x)) for x in axes]
    if indexing == "xy" and len(sizes) > 1:
        sizes[:2] = sizes[1::-1]
    return [tuple(sizes)] * len(sizes)


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
    ],
)
def grad_meshgrid(x, y1, z=None, y=None, grad_y=None, *, indexing="xy"):
    # what is along x, along y1 and along z
    first, second = (1, 0) if indexing == "xy" else (0, 1)
    if z is None:
        grad_x = np.sum(grad_y[0], axis=second)
        grad_y1 = np.sum(grad_y[1], axis=first)
        grad_z = None
    else:
        grad_x = np.sum(grad_y[0], axis=(second, 2))
        grad_y1 = np.sum(grad_y[1], axis=(first, 2))
        grad_z = np.sum(grad_y[2], axis=(0, 1))
    return grad_x, grad_y1, grad_z


def _indices_shape(dimensions: Any, *_: Any, **__: Any) -> Shape:
    sizes = shape_argument(dimensions)
    return (len(sizes), *sizes)


def _indices_dtype(dimensions: Any, dtype: Any = int) -> np.dtype[Any]:
    return dtype_like(FLOAT, dtype)


def _diagonal_indices(n: Any, ndim: int = 2) -> list[Shape]:
    return [(size_of_number(n),)] * ndim


def _whole(*_: Any, **__: Any) -> np.dtype[Any]:
    return INT


no_gradient(np.indices, shape=_indices_shape, dtype=_indices_dtype, samples=[Sample((2, 3)), Sample((4,))])
no_gradient(np.diag_indices, shape=_diagonal_indices, dtype=_whole, samples=[Sample(3), Sample(2, 3)])
