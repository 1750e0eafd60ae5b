"""Polynomials fitted to points: np.polyfit.

In: nothing. Out: its record. The fit is a least-squares solution, and its gradient that of Golub and Pereyra, The differentiation
of pseudo-inverses and nonlinear least squares problems, 1973. Layer: rules, above `polynomials`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, unify
from flatgrad.registry import Sample, positive, real, rule
from flatgrad.rules.shapes import shape_of


def fitted(x: Any, values: Any, w: Any = None, *, deg: int) -> Shape:
    """A coefficient for each power up to the degree."""
    for each in (values, *(() if w is None else (w,))):
        if len(shape_of(each)) != 1:
            raise SizeMismatch("np.polyfit of several sets of values at once has no rule; fit one after the other")
        unify(shape_of(x)[0], shape_of(each)[0])
    return (deg + 1,)


X = real(6)
VALUES = np.sin(3 * X)


@rule(
    np.polyfit,
    shape=fitted,
    samples=[
        Sample(X, VALUES, deg=2),
        Sample(X, VALUES, deg=2, w=positive(3, 2).ravel()),
        Sample(X[:4], VALUES[:4], deg=1),
        Sample(X[:4], VALUES[:4], deg=0, wrt=("values",)),
    ],
)
def grad_polyfit(x, values, w=None, y=None, grad_y=None, *, deg):
    powers = np.vander(x, deg + 1) if w is None else np.expand_dims(w, 1) * np.vander(x, deg + 1)
    # columns of the same length, as np.polyfit makes them
    scale = np.sqrt(np.sum(powers**2, axis=0))
    inverse = np.linalg.pinv(powers / scale)
    grad_points = (grad_y / scale) @ inverse
    weights = inverse @ grad_points / scale
    residual = values - np.polyval(y, x)
    if w is None:
        grad_x = residual * np.polyval(np.polyder(weights), x) - grad_points * np.polyval(np.polyder(y), x)
        grad_values = grad_points
        grad_w = None
    else:
        grad_x = w * (w * residual * np.polyval(np.polyder(weights), x) - grad_points * np.polyval(np.polyder(y), x))
        grad_values = w * grad_points
        grad_w = w * residual * np.polyval(weights, x) + grad_points * residual
    return grad_x, grad_values, grad_w
