"""Sums, products and differences along an axis that keep their steps: cumsum, cumprod, diff.

In: these functions of NumPy. Out: their records. A running sum is differentiated by a running sum from the other end. Layer: rules,
above `orders`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, minus, plus
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.orders import sorted_shape
from flatgrad.rules.placing import placed_together
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
    y, factors = np.moveaxis(result, axis, 0), np.moveaxis(factors, axis, 0)
    for k in reversed(range(len(y) - 1)):
        y[k] += factors[k + 1] * y[k + 1]
    return result


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


# Differences


def diff_shape(x: Any, *ends: Any, n: int = 1, axis: int = -1) -> Shape:
    """The axis gets shorter by one for each difference that is taken."""
    shape = shape_of(x)
    if not shape:
        raise SizeMismatch("a difference of a number")
    if n > 1 and ends:
        raise TypeError("prepend and append go with n=1 only")
    axis = normal_axis(axis, len(shape))
    size = shape[axis]
    for end in ends:
        size = plus(size, shape_of(end)[axis] if shape_of(end) else 1)
    size = minus(size, n)
    return (*shape[:axis], max(size, 0) if isinstance(size, int) else size, *shape[axis + 1 :])


@rule(
    np.diff,
    shape=diff_shape,
    linear=True,
    samples=[
        Sample(real(4)),
        Sample(real(5), n=2),
        Sample(real(2, 3)),
        Sample(real(4, 3), axis=0, n=3),
        Sample(real(4), prepend=real()),
        Sample(real(4), append=real()),
        Sample(real(2, 3), prepend=real(), append=1.5),
        Sample(real(3, 2), append=real(2, 2), axis=0),
        Sample(real(4), prepend=real(2), append=0),
        Sample(real(2, 3), prepend=0, append=real(2, 2)),
        Sample(real(2, 3), prepend=real(1, 3), axis=0),
    ],
)
def grad_diff(x, prepend=None, append=None, y=None, grad_y=None, *, n=1, axis=-1):
    along = (slice(None),) * (axis % x.ndim)
    first, later = along + (slice(None, 1),), along + (slice(1, None),)
    earlier, last = along + (slice(None, -1),), along + (slice(-1, None),)
    if n != 1:
        # y is a sum of parts of x, times binomial coefficients of alternating signs
        ways = [math.prod(range(n - k + 1, n + 1)) // math.prod(range(1, k + 1)) for k in range(n + 1)]
        parts = tuple([(-1) ** (n - k) * ways[k] * grad_y for k in range(n + 1)])
        places = tuple([along + (slice(k if k > 0 else None, k - n if k < n else None),) for k in range(n + 1)])
        grad_x = placed_together(parts, places, x)
        grad_prepend, grad_append = None, None
    elif prepend is None and append is None:
        grad_x = placed_together((grad_y, -grad_y), (later, earlier), x)
        grad_prepend, grad_append = None, None
    elif append is None and np.ndim(prepend) == 0:
        grad_x = -np.diff(grad_y, axis=axis, append=0)
        grad_prepend, grad_append = -grad_y[first], None
    elif prepend is None and np.ndim(append) == 0:
        grad_x = -np.diff(grad_y, axis=axis, prepend=0)
        grad_prepend, grad_append = None, grad_y[last]
    elif prepend is not None and append is not None and np.ndim(prepend) == 0 and np.ndim(append) == 0:
        grad_x = grad_y[earlier] - grad_y[later]
        grad_prepend, grad_append = -grad_y[first], grad_y[last]
    else:
        none = np.zeros_like(x[first])
        grad_whole = np.concatenate((none, grad_y), axis=axis) - np.concatenate((grad_y, none), axis=axis)
        start = 0 if prepend is None else 1 if np.ndim(prepend) == 0 else np.shape(prepend)[axis]
        three = np.split(grad_whole, [start, start + np.shape(x)[axis]], axis=axis)
        grad_prepend, grad_x, grad_append = three[0], three[1], three[2]
    if grad_x.dtype != y.dtype:
        grad_x = grad_x.astype(y.dtype)
    return grad_x, grad_prepend, grad_append
