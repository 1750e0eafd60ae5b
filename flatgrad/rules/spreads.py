"""How far numbers are spread: var and std.

In: nothing. Out: their records. What is squared is centered first, as NumPy does it, so that no digits are lost. Layer: rules,
above `reductions`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, broadcast, unify
from flatgrad.registry import Kink, Sample, imaginary, real, rule
from flatgrad.rules.complex_numbers import conjugated
from flatgrad.rules.reductions import AXES, MASKED, WIDER, count_of
from flatgrad.rules.shapes import reduced_from, shape_of


def spread_over(x: Any, mean: Any = None, *, ddof: Any = 0, correction: Any = None, **named: Any) -> Shape:
    """The axes that are reduced over go; a mean that is given broadcasts to x."""
    if correction is not None and ddof:
        raise TypeError("ddof and correction are two names for one argument")
    if mean is not None:
        shape = shape_of(x)
        for size, broadened in zip(shape, broadcast([shape, shape_of(mean)]), strict=True):
            unify(size, broadened)
    return reduced_from(x, **named)


spread_over.reduces = True  # type: ignore[attr-defined]

SPREADS = [
    *AXES,
    *MASKED,
    *WIDER,
    Sample(real(2, 3), axis=1, ddof=1),
    Sample(real(5), ddof=1, keepdims=True),
    Sample(real(2, 3), axis=1, correction=1),
    Sample(real(2, 3), axis=0, mean=real(1, 3)),
    Sample(real(2, 3), mean=real(2, 1), ddof=1),
    Sample(real(2, 4), axis=1, mean=real(2, 1), where=np.array([True, False, True, True]), ddof=1),
]
COMPLEX = [
    Sample(imaginary(4)),
    Sample(imaginary(2, 3), axis=1, ddof=1),
    Sample(imaginary(2, 3), axis=0, mean=imaginary(1, 3)),
]


@rule(np.var, shape=spread_over, holomorphic=True, samples=[*SPREADS, *COMPLEX])
def grad_var(
    x, mean=None, y=None, grad_y=None, *, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None
):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    divisor = count_of(x, axis, where) - (ddof if correction is None else correction)
    if mean is None:
        mean = np.mean(x, axis=axis, dtype=dtype, keepdims=axis is not None, where=where)
    grad_x = grad_y * 2 / divisor * conjugated(x - mean)
    if np.ndim(where) > 0:
        grad_x = np.where(where, grad_x, 0)
    grad_mean = -grad_x
    return grad_x, grad_mean


@rule(
    np.std,
    shape=spread_over,
    holomorphic=True,
    samples=[*SPREADS, *COMPLEX],
    kinks=[Kink("std of equal numbers", "0", (np.array([2.0, 2.0, 2.0]),), (np.zeros(3),), jax="nan", torch="0")],
)
def grad_std(
    x, mean=None, y=None, grad_y=None, *, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None
):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    divisor = count_of(x, axis, where) - (ddof if correction is None else correction)
    if mean is None:
        mean = np.mean(x, axis=axis, dtype=dtype, keepdims=axis is not None, where=where)
    # 1 stands for a spread of 0, where the gradient is 0
    spread = y + (y == 0)
    grad_x = grad_y / (divisor * spread) * conjugated(x - mean)
    if np.ndim(where) > 0:
        grad_x = np.where(where, grad_x, 0)
    grad_mean = -grad_x
    return grad_x, grad_mean
