"""Straight lines between known points: np.interp.

In: nothing. Out: its record. Layer: rules, above `placing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, is_one, unify
from flatgrad.registry import Kink, Sample, real, rule, within_one
from flatgrad.rules.placing import placed_together
from flatgrad.rules.shapes import shape_of


def interpolated(x: Any, xp: Any, fp: Any, *_: Any, **__: Any) -> Shape:
    """A number for each number of x; the points are two rows of as many."""
    points, values = shape_of(xp), shape_of(fp)
    if len(points) != 1 or len(values) != 1:
        raise SizeMismatch(f"points of ranks {len(points)} and {len(values)}, where two rows are needed")
    if is_one(unify(points[0], values[0])):
        raise SizeMismatch("a line through one point; two at least are needed")
    return shape_of(x)


POINTS = np.array([-1.6, -0.7, 0.1, 0.6, 1.2])
KNOTS = np.array([0.0, 1.0, 3.0])
LEVELS = np.array([0.0, 2.0, 8.0])


@rule(
    np.interp,
    shape=interpolated,
    elementwise=False,
    samples=[
        Sample(within_one(4), POINTS, real(5)),
        Sample(within_one(2, 3), POINTS, real(5)),
        Sample(real(), POINTS, real(5)),
        Sample(real(6), POINTS, real(5)),
        Sample(real(6), POINTS, real(5), left=real(), right=0.25),
        Sample(real(6) * 2, POINTS, real(5), right=real()),
        Sample(real(6) * 2, POINTS, real(5), period=2.5),
        Sample(real(4), POINTS[[3, 0, 4, 2, 1]] * 2, real(5), period=-3.3),
    ],
    kinks=[
        Kink(
            "interp at a knot",
            "the slope behind it",
            (np.array([0.0, 1.0]), KNOTS, LEVELS),
            (np.array([2.0, 3.0]), None, None),
            jax="the slope behind it",
        ),
        Kink(
            "interp at the last knot",
            "the slope before it",
            (np.array([3.0]), KNOTS, LEVELS),
            (np.array([3.0]), None, None),
            jax="the slope before it",
        ),
    ],
)
def grad_interp(x, xp, fp, left=None, right=None, y=None, grad_y=None, *, period=None):
    if period is None:
        knots, levels = xp, fp
    else:
        # as np.interp does it: one period in order, and one more point at each end
        x = np.mod(x, abs(period))
        wrapped = np.mod(xp, abs(period))
        order = np.argsort(wrapped)
        order = np.concatenate((order[-1:], order, order[:1]))
        knots = wrapped[order]
        knots = np.concatenate((knots[:1] - abs(period), knots[1:-1], knots[-1:] + abs(period)))
        levels = fp[order]
    before = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    width = knots[before + 1] - knots[before]
    slope = (levels[before + 1] - levels[before]) / width
    part = np.clip((x - knots[before]) / width, 0, 1)
    grad_level = grad_y
    if left is not None and period is None:
        grad_level = np.where(x < xp[0], 0, grad_level)
    if right is not None and period is None:
        grad_level = np.where(x > xp[-1], 0, grad_level)
    grad_x = np.where((x >= knots[0]) & (x <= knots[-1]), grad_y * slope, 0)
    places = (before, before + 1) if period is None else (order[before], order[before + 1])
    grad_fp = placed_together((grad_level * (1 - part), grad_level * part), places, fp)
    grad_xp = placed_together((grad_x * (part - 1), -grad_x * part), places, xp)
    grad_left = np.where(x < xp[0], grad_y, 0) if period is None else np.zeros_like(grad_y)
    grad_right = np.where(x > xp[-1], grad_y, 0) if period is None else np.zeros_like(grad_y)
    return grad_x, grad_xp, grad_fp, grad_left, grad_right
