"""Differences of neighbours and what is made of them: diff, ediff1d, gradient, trapezoid.

In: these functions of NumPy. Out: their records. A step between two neighbours passes its gradient on to the later one, and with
a minus to the earlier one. Layer: rules, above `placing`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, count, minus, plus, unify
from flatgrad.registry import Sample, imaginary, positive, real, rule
from flatgrad.rules.placing import placed_together
from flatgrad.rules.shapes import normal_axis, shape_of


def diff_shape(x: Any, *ends: Any, n: int = 1, axis: int = -1) -> Shape:
    """The axis gets shorter by one for each difference that is taken."""
    shape = shape_of(x)
    if not shape:
        raise SizeMismatch("a difference of a number")
    axis = normal_axis(axis, len(shape))
    if n == 0:
        # nothing is put at the ends either
        return shape
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
        Sample(real(4), n=2, prepend=real(), append=0),
        Sample(real(2, 3), n=3, prepend=real(2, 2)),
        Sample(real(3, 2), n=2, append=real(1, 2), axis=0),
        Sample(real(2, 3), n=0),
        Sample(real(4), n=0, prepend=0, append=1.5, wrt=("x",)),
    ],
)
def grad_diff(x, prepend=None, append=None, y=None, grad_y=None, *, n=1, axis=-1):
    along = (slice(None),) * (axis % x.ndim)
    first, later = along + (slice(None, 1),), along + (slice(1, None),)
    earlier, last = along + (slice(None, -1),), along + (slice(-1, None),)
    if n == 0:
        grad_x = grad_y
        grad_prepend = None if prepend is None else np.zeros_like(prepend)
        grad_append = None if append is None else np.zeros_like(append)
    elif n != 1 and prepend is None and append is None:
        # y is a sum of parts of x, times binomial coefficients of alternating signs
        ways = [math.prod(range(n - k + 1, n + 1)) // math.prod(range(1, k + 1)) for k in range(n + 1)]
        signed = [way if (n - k) % 2 == 0 else -way for k, way in enumerate(ways)]
        parts = tuple([grad_y if way == 1 else -grad_y if way == -1 else way * grad_y for way in signed])
        places = tuple([along + (slice(k if k > 0 else None, k - n if k < n else None),) for k in range(n + 1)])
        grad_x = placed_together(parts, places, x)
        grad_prepend, grad_append = None, None
    elif prepend is None and append is None:
        grad_x = placed_together((grad_y, -grad_y), (later, earlier), x)
        grad_prepend, grad_append = None, None
    elif n == 1 and append is None and np.ndim(prepend) == 0:
        grad_x = -np.diff(grad_y, axis=axis, append=0)
        grad_prepend, grad_append = -grad_y[first], None
    elif n == 1 and prepend is None and np.ndim(append) == 0:
        grad_x = -np.diff(grad_y, axis=axis, prepend=0)
        grad_prepend, grad_append = None, grad_y[last]
    elif n == 1 and prepend is not None and append is not None and np.ndim(prepend) == 0 and np.ndim(append) == 0:
        grad_x = grad_y[earlier] - grad_y[later]
        grad_prepend, grad_append = -grad_y[first], grad_y[last]
    else:
        none = (np.zeros_like(x[first]),) * n
        place = axis % x.ndim
        turned = np.diff(np.concatenate(none + (grad_y,) + none, axis=place), n=n, axis=axis)
        start = 0 if prepend is None else 1 if np.ndim(prepend) == 0 else np.shape(prepend)[axis]
        stop = np.shape(x)[axis] if prepend is None else start + np.shape(x)[axis]
        three = np.split(turned if n % 2 == 0 else -turned, [start, stop], axis=place)
        grad_prepend, grad_x, grad_append = three[0], three[1], three[2]
    if grad_x.dtype != y.dtype:
        grad_x = grad_x.astype(y.dtype)
    return grad_x, grad_prepend, grad_append


def flat_diff_shape(x: Any, to_end: Any = None, to_begin: Any = None) -> Shape:
    """All elements in a row, one less, and what is put before and behind."""
    size = minus(count(shape_of(x)), 1)
    size = max(size, 0) if isinstance(size, int) else size
    for end in (to_begin, to_end):
        size = size if end is None else plus(size, count(shape_of(end)))
    return (size,)


@rule(
    np.ediff1d,
    shape=flat_diff_shape,
    linear=True,
    samples=[
        Sample(real(4)),
        Sample(real(2, 3)),
        Sample(real(4), to_begin=real()),
        Sample(real(4), to_end=real(2)),
        Sample(real(2, 2), to_end=real(2), to_begin=real(1, 3)),
    ],
)
def grad_ediff1d(x, to_end=None, to_begin=None, y=None, grad_y=None):
    start = None if to_begin is None else np.size(to_begin)
    stop = np.size(x) - 1 if to_begin is None else np.size(to_begin) + np.size(x) - 1
    steps = grad_y if to_begin is None and to_end is None else grad_y[start:stop]
    flat = x if x.ndim == 1 else np.ravel(x)
    grad_flat = placed_together((steps, -steps), (slice(1, None), slice(None, -1)), flat)
    grad_x = grad_flat if x.ndim == 1 else np.reshape(grad_flat, np.shape(x))
    if to_begin is None or np.ndim(to_begin) == 1:
        grad_to_begin = None if to_begin is None else grad_y[:start]
    else:
        grad_to_begin = grad_y[0] if np.ndim(to_begin) == 0 else np.reshape(grad_y[:start], np.shape(to_begin))
    if to_end is None or np.ndim(to_end) == 1:
        grad_to_end = None if to_end is None else grad_y[stop:]
    else:
        grad_to_end = grad_y[-1] if np.ndim(to_end) == 0 else np.reshape(grad_y[stop:], np.shape(to_end))
    return grad_x, grad_to_end, grad_to_begin


# The area under a line


def area_shape(values: Any, x: Any = None, dx: Any = None, *, axis: int = -1) -> Shape:
    """The axis goes; the places are a row of as many, or have the shape of the values."""
    shape = shape_of(values)
    axis = normal_axis(axis, len(shape))
    if dx is not None and shape_of(dx):
        raise SizeMismatch("dx has to be a number; steps that differ are given by x")
    if x is not None:
        places = shape_of(x)
        if len(places) != len(shape) and len(places) != 1:
            raise SizeMismatch(f"places of rank {len(places)} for values of rank {len(shape)}")
        for place, size in zip(places, shape if len(places) == len(shape) else (shape[axis],), strict=True):
            unify(size, place)
    return shape[:axis] + shape[axis + 1 :]


@rule(
    np.trapezoid,
    shape=area_shape,
    holomorphic=True,
    samples=[
        Sample(imaginary(4)),
        Sample(imaginary(2, 3), x=real(3)),
        Sample(real(4), imaginary(4)),
        Sample(real(4)),
        Sample(real(4), dx=0.3),
        Sample(real(2, 3), axis=0),
        Sample(real(4), real(4)),
        Sample(real(2, 3), x=real(3)),
        Sample(real(3, 2), x=real(3), axis=0),
        Sample(real(2, 3, 2), x=real(3), axis=1),
        Sample(real(2, 3), x=positive(2, 3)),
        Sample(real(2, 3), dx=0.7, axis=-2),
    ],
)
def grad_trapezoid(values, x=None, dx=None, y=None, grad_y=None, *, axis=-1):
    along = (slice(None),) * (axis % values.ndim)
    later, earlier = along + (slice(1, None),), along + (slice(None, -1),)
    others = tuple([k for k in range(values.ndim) if k != axis % values.ndim])
    rest = others[0] if len(others) == 1 else others
    share = grad_y / 2 if values.ndim == 1 else np.expand_dims(grad_y / 2, axis)
    if x is not None:
        steps = np.diff(x) if np.ndim(x) == 1 else np.diff(x, axis=axis)
        half = share * (steps if np.ndim(x) == values.ndim else np.expand_dims(steps, rest))
    else:
        half = share if dx is None else share * dx
    if np.iscomplexobj(half) and not np.iscomplexobj(values):
        half = half.real
    grad_values = placed_together((half, half), (later, earlier), values)
    grad_dx = grad_y * np.trapezoid(values, axis=axis)
    grad_steps = share * (values[later] + values[earlier])
    if np.iscomplexobj(grad_steps) and not np.iscomplexobj(x):
        grad_steps = grad_steps.real
    if x is None:
        grad_x = None
    elif np.ndim(x) == values.ndim:
        grad_x = placed_together((grad_steps, -grad_steps), (later, earlier), x)
    else:
        summed = np.sum(grad_steps, axis=rest)
        grad_x = placed_together((summed, -summed), (slice(1, None), slice(None, -1)), x)
    return grad_values, grad_x, grad_dx
