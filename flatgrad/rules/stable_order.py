"""The stable order of the elements of an array along an axis, by the fast sort where it gives the same one.

In: nothing. Out: `stable_order`, whose source is copied into modules that need it. Layer: rules, below `indexing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Sample, no_gradient, real
from flatgrad.rules.shapes import normal_axis, shape_of


def stable_order(x, axis=-1):
    """Return np.argsort(x, axis, kind="stable"), by the default sort, which is faster, where no two elements are equal."""
    order = np.argsort(x, axis=axis)
    values = np.moveaxis(np.take_along_axis(x, order, axis), axis, 0)
    if np.any(values[:-1] == values[1:]):
        order = np.argsort(x, axis=axis, kind="stable")
    return order


def _a_place_for_each(x: Any, axis: int = -1) -> Shape:
    """The shape of x."""
    normal_axis(axis, len(shape_of(x)))
    return shape_of(x)


no_gradient(
    stable_order,
    shape=_a_place_for_each,
    samples=[
        Sample(real(5)),
        Sample(np.array([1.0, 0.0, 1.0, -0.0, np.nan, 0.5])),
        Sample(real(3, 4)),
        Sample(real(3, 4), axis=0),
    ],
)
