"""Weighted averages: np.average.

In: nothing. Out: its record. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, unify
from flatgrad.registry import Sample, positive, real, rule
from flatgrad.rules.shapes import normal_axes, reduced, shape_of
from flatgrad.rules.static import axes_count


def averaged(x: Any, weights: Any = None, *, axis: Any = None, keepdims: bool = False) -> Shape:
    """The axes that are averaged over go; there is a weight for each element, or for each place along one axis."""
    shape = shape_of(x)
    if weights is not None:
        sizes = shape_of(weights)
        axes = normal_axes(axis, len(shape))
        if len(sizes) != len(shape) and (len(sizes) != 1 or axis is None or len(axes) != 1):
            raise SizeMismatch(f"weights of rank {len(sizes)} for an array of rank {len(shape)}")
        for size, weight in zip(shape if len(sizes) == len(shape) else (shape[axes[0]],), sizes, strict=True):
            unify(size, weight)
    return reduced(x, axis, keepdims=keepdims)


@rule(
    np.average,
    shape=averaged,
    samples=[
        Sample(real(4)),
        Sample(real(2, 3), axis=0),
        Sample(real(4), weights=positive(4)),
        Sample(real(2, 3), weights=positive(2, 3)),
        Sample(real(2, 3), axis=1, weights=positive(3)),
        Sample(real(2, 3), axis=0, weights=positive(2)),
        Sample(real(2, 3), axis=0, weights=positive(2, 3), keepdims=True),
        Sample(real(2, 3, 2), axis=1, weights=positive(3)),
    ],
)
def grad_average(x, weights=None, y=None, grad_y=None, *, axis=None, keepdims=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    if weights is None:
        grad_x = np.full_like(x, grad_y / axes_count(x, axis))
        grad_weights = None
    elif axis is None or np.ndim(weights) == np.ndim(x):
        total = np.sum(weights, axis=axis, keepdims=axis is not None)
        grad_x = grad_y * weights / total
        grad_weights = grad_y * (x - y) / total
    else:
        rest = tuple([k for k in range(x.ndim) if k != axis % x.ndim])
        others = rest[0] if x.ndim == 2 else rest
        # the weights stand along their axis of x
        along = np.expand_dims(weights, others) if rest[-1] > axis % x.ndim else weights
        total = np.sum(weights)
        grad_x = grad_y * along / total
        grad_weights = np.sum(grad_y * (x - y), axis=others) / total
    return grad_x, grad_weights
