"""Sums and products along an axis that keep their steps: cumsum, cumprod, cumulative_sum, cumulative_prod.

In: these functions of NumPy. Out: their records. A running sum is differentiated by a running sum from the other end. Layer: rules,
above `orders`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, plus
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.orders import sorted_shape
from flatgrad.rules.shapes import normal_axis, shape_of
from flatgrad.rules.writing import assigned


def scanned(x: Any, *, axis: int | None = None, **_: Any) -> Shape:
    """The shape of x; all its elements in a row where no axis is given."""
    if not shape_of(x):
        raise SizeMismatch("a running sum or product of a number")
    return sorted_shape(x, axis)


SCANS = [
    Sample(real(4)),
    Sample(real(4), axis=0),
    Sample(real(2, 3)),
    Sample(real(2, 3), axis=0),
    Sample(real(2, 3), axis=1),
    Sample(real(2, 3, 2), axis=-2),
    Sample(real(2, 3), axis=1, dtype=np.float64),
]


@rule(np.cumsum, shape=scanned, linear=True, samples=SCANS)
def grad_cumsum(x, y, grad_y, *, axis=None, dtype=None):
    if x.ndim == 1:
        grad_x = np.cumsum(grad_y[::-1])[::-1]
    elif axis is None:
        grad_x = np.reshape(np.cumsum(grad_y[::-1])[::-1], np.shape(x))
    elif axis % x.ndim == 0:
        grad_x = np.cumsum(grad_y[::-1], axis=0)[::-1]
    else:
        grad_x = np.flip(np.cumsum(np.flip(grad_y, axis=axis), axis=axis), axis=axis)
    return grad_x


# Products. Dividing by x would fail at zeros, so the gradient goes back from element to element.


def recurrence(factors, terms, axis=0):
    """Return y with y[-1] = terms[-1] and y[k] = terms[k] + factors[k + 1] * y[k + 1] along an axis."""
    result = np.array(terms)
    if result.ndim == 1:
        # Python's numbers are faster than elements of an array
        y, later = result.tolist(), factors[1:].tolist()
        for k in reversed(range(len(later))):
            y[k] += later[k] * y[k + 1]
        return np.array(y, dtype=result.dtype)
    y, factors = np.moveaxis(result, axis, 0), np.moveaxis(factors, axis, 0)
    for k in reversed(range(len(y) - 1)):
        y[k] += factors[k + 1] * y[k + 1]
    return result


def accumulated(x: Any, *, axis: int | None = None, include_initial: bool = False, **_: Any) -> Shape:
    """The shape of x; the axis gets longer by one where the initial value is kept."""
    shape = shape_of(x)
    if axis is None and len(shape) != 1:
        raise TypeError("an array with several axes needs the argument axis")
    axis = normal_axis(axis or 0, len(shape))
    return (*shape[:axis], plus(shape[axis], int(include_initial)), *shape[axis + 1 :])


def _same_but_not_elementwise(x: Any, *_: Any, **__: Any) -> Shape:
    return shape_of(x)


@rule(
    np.cumprod,
    shape=scanned,
    holomorphic=True,
    samples=[*SCANS, Sample(np.array([[0.5, 0.0, 1.5, 0.0], [0.0, 2.0, 0.7, 1.1]]), axis=1)],
    kinks=[
        Kink(
            "cumprod with a zero",
            "the products of the others",
            (np.array([2.0, 0.0, 3.0]),),
            (np.array([1.0, 8.0, 0.0]),),
            jax="the products of the others",
            torch="the products of the others",
        )
    ],
)
def grad_cumprod(x, y, grad_y, *, axis=None, dtype=None):
    if axis is None:
        # the product of the elements before each one
        before = assigned(np.roll(y, 1), 1.0, index=slice(None, 1))
        grad_flat = before * recurrence(np.ravel(x) if x.ndim > 1 else x, grad_y)
        grad_x = np.reshape(grad_flat, np.shape(x)) if x.ndim > 1 else grad_flat
    else:
        first = (slice(None),) * (axis % x.ndim) + (slice(None, 1),)
        before = assigned(np.roll(y, 1, axis=axis), 1.0, index=first)
        grad_x = before * recurrence(x, grad_y, axis=axis)
    return grad_x


@rule(
    recurrence,
    shape=_same_but_not_elementwise,
    samples=[Sample(real(4), real(4) + 1), Sample(real(2, 3), real(2, 3) + 1, axis=1)],
)
def grad_recurrence(factors, terms, y, grad_y, *, axis=0):
    turned = np.roll(np.flip(factors, axis=axis), 1, axis=axis)
    grad_terms = np.flip(recurrence(turned, np.flip(grad_y, axis=axis), axis=axis), axis=axis)
    first = (slice(None),) * (axis % y.ndim) + (slice(None, 1),)
    grad_factors = assigned(np.roll(grad_terms, 1, axis=axis), 0.0, index=first) * y
    return grad_factors, grad_terms


# The names of the array API


ACCUMULATED = [
    Sample(real(4)),
    Sample(real(4), include_initial=True),
    Sample(real(2, 3), axis=0),
    Sample(real(2, 3), axis=-1, include_initial=True),
    Sample(real(2, 3, 2), axis=1, dtype=np.float64, include_initial=True),
]


@rule(np.cumulative_sum, shape=accumulated, linear=True, samples=ACCUMULATED)
def grad_cumulative_sum(x, y, grad_y, *, axis=None, dtype=None, include_initial=False):
    along = 0 if axis is None else axis % x.ndim
    if include_initial:
        grad_y = grad_y[(slice(None),) * along + (slice(1, None),)]
    if along == 0:
        grad_x = np.cumsum(grad_y[::-1], axis=axis)[::-1]
    else:
        grad_x = np.flip(np.cumsum(np.flip(grad_y, axis=axis), axis=axis), axis=axis)
    return grad_x


@rule(
    np.cumulative_prod,
    shape=accumulated,
    samples=[
        *ACCUMULATED,
        Sample(np.array([[0.5, 0.0, 1.5, 0.0], [0.0, 2.0, 0.7, 1.1]]), axis=1, include_initial=True),
    ],
)
def grad_cumulative_prod(x, y, grad_y, *, axis=None, dtype=None, include_initial=False):
    along = 0 if axis is None else axis % x.ndim
    every = (slice(None),) * along
    # the product of the elements before each one
    if include_initial:
        before = y[every + (slice(None, -1),)]
        grad_y = grad_y[every + (slice(1, None),)]
    else:
        before = assigned(np.roll(y, 1, axis=axis), 1.0, index=every + (slice(None, 1),))
    grad_x = before * recurrence(x, grad_y, axis=along)
    return grad_x
