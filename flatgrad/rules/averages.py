"""Weighted averages: np.average.

In: nothing. Out: its record. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, unify
from flatgrad.registry import Sample, positive, real, rule
from flatgrad.rules.reductions import for_each_element
from flatgrad.rules.shapes import normal_axes, reduced, shape_of
from flatgrad.rules.static import axes_count


def averaged(
    x: Any, weights: Any = None, *, axis: Any = None, returned: bool = False, keepdims: bool = False
) -> Shape | list[Shape]:
    """The axes that are averaged over go; there is a weight for each element, or for each place along these axes."""
    shape = shape_of(x)
    if weights is not None:
        sizes = shape_of(weights)
        axes = normal_axes(axis, len(shape))
        if len(sizes) == len(shape) and len(axes) == len(shape) and list(axes) != sorted(axes):
            # whether NumPy transposes the weights depends on the sizes
            raise TypeError("axis has all axes, but not in order: sort it, or leave it out")
        if len(sizes) != len(shape) and (axis is None or len(sizes) != len(axes)):
            raise SizeMismatch(f"weights of rank {len(sizes)} for an array of rank {len(shape)}")
        for size, weight in zip(shape if len(sizes) == len(shape) else [shape[k] for k in axes], sizes, strict=True):
            unify(size, weight)
    result = reduced(x, axis, keepdims=keepdims)
    return [result, result] if returned else result


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
        Sample(real(2, 3, 4), axis=(0, -1), weights=positive(2, 4)),
        Sample(real(2, 3, 4), axis=(2, 0), weights=positive(4, 2), keepdims=True),
        Sample(real(2, 3, 2), axis=(0, 2), weights=positive(2, 3, 2)),
        Sample(real(2, 3), axis=1, weights=positive(3), returned=True),
        Sample(real(2, 3), axis=0, weights=positive(2, 3), keepdims=True, returned=True),
        Sample(real(2, 3), weights=positive(2, 3), returned=True),
        Sample(real(2, 3), returned=True),
    ],
)
def grad_average(x, weights=None, y=None, grad_y=None, *, axis=None, returned=False, keepdims=False):
    average, grad_average = (y[0], grad_y[0]) if returned else (y, grad_y)
    if axis is not None and not keepdims:
        average = np.expand_dims(average, axis)
        grad_average = np.expand_dims(grad_average, axis)
    if weights is None:
        grad_x = for_each_element(x, grad_average / axes_count(x, axis))
        grad_weights = None
    elif axis is None or np.ndim(weights) == np.ndim(x):
        total = np.sum(weights, axis=axis, keepdims=axis is not None)
        grad_x = grad_average * weights / total
        grad_weights = grad_average * (x - average) / total
    else:
        axes = [k % x.ndim for k in axis] if isinstance(axis, tuple) else [axis % x.ndim]
        rest = tuple([k for k in range(x.ndim) if k not in axes])
        order = tuple([axes.index(k) for k in sorted(axes)])
        others = rest[0] if len(rest) == 1 else rest
        ordered = weights if axes == sorted(axes) else np.transpose(weights, order)
        # the weights stand along their axes of x
        along = np.expand_dims(ordered, others) if rest[-1] > min(axes) else ordered
        total = np.sum(weights)
        grad_x = grad_average * along / total
        grad_ordered = np.sum(grad_average * (x - average), axis=others) / total
        back = tuple([order.index(k) for k in range(len(axes))])
        grad_weights = grad_ordered if axes == sorted(axes) else np.transpose(grad_ordered, back)
    if returned and weights is not None:
        if np.ndim(weights) < np.ndim(x):
            grad_weights = grad_weights + np.sum(grad_y[1])
        else:
            is_short = axis is not None and not keepdims
            grad_weights = grad_weights + (np.expand_dims(grad_y[1], axis) if is_short else grad_y[1])
    return grad_x, grad_weights
