"""Sorting: np.sort and np.argsort.

In: an array. Out: records. Equal elements stay in their order. Layer: rules, above `placing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch
from flatgrad.registry import Kink, Sample, no_gradient, real, rule
from flatgrad.rules.placing import placed_along_axis
from flatgrad.rules.shapes import normal_axis, shape_of


def sorted_shape(x: Any, *, axis: int | None = -1, kind: str | None = None) -> Shape:
    """The shape of the array."""
    shape = shape_of(x)
    if not shape:
        raise SizeMismatch("a number can't be sorted")
    if axis is None:
        raise SizeMismatch("axis=None sorts all elements as one axis: write np.ravel(x)")
    normal_axis(axis, len(shape))
    return shape


@rule(
    np.sort,
    shape=sorted_shape,
    samples=[Sample(real(4)), Sample(real(3, 4)), Sample(real(3, 4), axis=0)],
    kinks=[
        Kink(
            "`sort` with ties",
            "the stable permutation",
            (np.array([2.0, 1.0, 1.0]),),
            (np.array([1.0, 1.0, 1.0]),),
            jax="the stable permutation",
            torch="one of the permutations",
        )
    ],
)
def grad_sort(x, y, grad_y, *, axis=-1, kind=None):
    order = np.argsort(x, axis=axis, kind="stable")
    grad_x = placed_along_axis(grad_y, order, axis, x)
    return grad_x


no_gradient(np.argsort, shape=sorted_shape, samples=[Sample(real(4)), Sample(real(3, 4), axis=0)])
