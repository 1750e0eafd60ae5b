"""Slopes of what is known at points: np.gradient.

In: nothing. Out: its record. A slope is made of the secants between neighbours: inside it is the mean of the two beside the point,
weighted by the step on the other side; at an end it is the first secant, and with edge_order=2 what is left of it when
half of the way to the next one is taken back. Layer: rules, above `placing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, unify
from flatgrad.registry import Sample, positive, real, rule
from flatgrad.rules.placing import placed_together
from flatgrad.rules.shapes import dtype_of_first, normal_axes, shape_of

POINTS = np.array([0.0, 0.5, 0.8, 1.6, 1.9])


def slope_shapes(f: Any, *spacings: Any, axis: Any = None, edge_order: int = 1) -> Shape | list[Shape]:
    """The shape of f for each axis. A spacing is a number, or a place for each point along its axis."""
    shape = shape_of(f)
    axes = normal_axes(axis, len(shape))
    if edge_order not in (1, 2):
        raise TypeError("edge_order has to be 1 or 2")
    if len(spacings) > 1 and len(spacings) != len(axes):
        raise SizeMismatch(f"{len(spacings)} spacings for {len(axes)} axes")
    for k, spacing in enumerate(spacings):
        points = shape_of(spacing)
        if len(points) > 1 or (points and len(spacings) != len(axes)):
            raise SizeMismatch("a spacing has to be a number, or a row of points along its axis")
        if points:
            unify(points[0], shape[axes[k]])
    return shape if len(axes) == 1 else [shape] * len(axes)


def slope_dtype(f: Any, *_: Any, **__: Any) -> np.dtype[Any]:
    """That of f, whatever the spacing; whole numbers have slopes in float64."""
    dtype = dtype_of_first(f)
    return dtype if dtype.kind == "f" else np.dtype(np.float64)


@rule(
    np.gradient,
    shape=slope_shapes,
    dtype=slope_dtype,
    samples=[
        Sample(real(5)),
        Sample(real(2)),
        Sample(real(5), 0.3),
        Sample(real(5), 0.3, edge_order=2),
        Sample(real(5), POINTS),
        Sample(real(5), POINTS, edge_order=2),
        Sample(real(3), POINTS[:3], edge_order=2),
        Sample(real(3, 4)),
        Sample(real(3, 4), 0.7),
        Sample(real(3, 4), 0.7, 0.2, edge_order=2),
        Sample(real(3, 5), 0.7, POINTS),
        Sample(real(3, 5), positive(), POINTS, axis=(0, -1), edge_order=2),
        Sample(real(3, 4), axis=1),
        Sample(real(3, 4), 0.7, axis=0),
        Sample(real(5, 3), POINTS, axis=0),
        Sample(real(2, 5, 3), POINTS, axis=-2, edge_order=2),
        Sample(real(3, 3, 2), 0.5, 0.25, 2.0),
    ],
)
def grad_gradient(f, *spacings, y, grad_y, axis=None, edge_order=1):
    axes = tuple(range(f.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    spacing_of = spacings if len(spacings) == len(axes) else (spacings or (None,)) * len(axes)
    slopes = y if isinstance(y, tuple) else (y,)
    grad_slopes = grad_y if isinstance(grad_y, tuple) else (grad_y,)
    parts, places = [], []
    grad_spacing_of: Any = []
    for k in range(len(axes)):
        along, spacing, grad_slope = axes[k] % f.ndim, spacing_of[k], grad_slopes[k]
        before = (slice(None),) * along
        later, earlier, inner = before + (slice(1, None),), before + (slice(None, -1),), before + (slice(1, -1),)
        start, behind_start = before + (slice(None, 1),), before + (slice(1, 2),)
        stop, before_stop = before + (slice(-1, None),), before + (slice(-2, -1),)
        grad_inner = grad_slope[inner]
        if np.ndim(spacing) == 0:
            step = spacing
            shares = [grad_inner / 2, grad_inner / 2]
        else:
            others = tuple([other for other in range(f.ndim) if other != along])
            step = np.expand_dims(np.diff(spacing), others) if others else np.diff(spacing)
            width = step[later] + step[earlier]
            shares = [grad_inner * step[later] / width, grad_inner * step[earlier] / width]
            secant = np.diff(f, axis=along) / step
            turn = grad_inner * (secant[earlier] - secant[later]) / width**2
            stretches, stretched = [turn * step[earlier], -turn * step[later]], [later, earlier]
        receivers = [earlier, later]
        for end, beside in ((start, behind_start), (stop, before_stop)):
            if edge_order == 1:
                shares += [grad_slope[end]]
                receivers += [end]
            else:
                over = grad_slope[end] / 2 if np.ndim(spacing) == 0 else grad_slope[end] * step[end] / width[end]
                shares += [grad_slope[end] + over, -over]
                receivers += [end, beside]
            if edge_order == 2 and np.ndim(spacing) > 0:
                turn = grad_slope[end] * (secant[end] - secant[beside]) / width[end] ** 2
                stretches += [turn * step[beside], -turn * step[end]]
                stretched += [end, beside]
        grad_secant = placed_together(tuple(shares), tuple(receivers), grad_slope[later])
        grad_rise = grad_secant if spacing is None else grad_secant / step
        parts += [grad_rise, -grad_rise]
        places += [later, earlier]
        if spacing is None:
            grad_spacing_of += [None]
        elif np.ndim(spacing) == 0:
            grad_spacing_of += [-np.sum(grad_slope * slopes[k]) / spacing]
        else:
            stretches += [-grad_rise * secant]
            stretched += [before + (slice(None),)]
            grad_step = placed_together(tuple(stretches), tuple(stretched), secant)
            summed = np.sum(grad_step, axis=others) if others else grad_step
            grad_spacing_of += [placed_together((summed, -summed), (slice(1, None), slice(None, -1)), spacing)]
    grad_f = placed_together(tuple(parts), tuple(places), f)
    if len(spacings) == 1:
        total = grad_spacing_of[0]
        for k in range(1, len(axes)):
            total = total + grad_spacing_of[k]
        grad_spacings = (total,)
    else:
        grad_spacings = tuple(grad_spacing_of)
    return grad_f, grad_spacings
