"""Numbers at equal distances: arange, linspace, logspace, geomspace.

In: these functions of NumPy. Out: their records. How many numbers there are does not change with the ends by a little, so it has no
gradient. Layer: rules, above `creation`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, broadcast, derived, minus
from flatgrad.graph.values import Constant, Value
from flatgrad.registry import Sample, inline, positive, real, rule
from flatgrad.rules.creation import dtype_like, extent, identity, size_of_number, unknown_size
from flatgrad.rules.shapes import normal_axis, shape_of

# A given distance


def range_shape(start: Any, stop: Any = None, step: Any = None, **_: Any) -> Shape:
    """As many numbers as there are from the start to the stop; their number is data where these are."""
    if any(part is not None and shape_of(part) for part in (start, stop, step)):
        raise SizeMismatch("np.arange goes from number to number")
    step = 1 if step is None else step
    bounds = (0, start, step) if stop is None else (start, stop, step)
    start, stop, step = (part.number if isinstance(part, Constant) else part for part in bounds)
    if not any(isinstance(part, Value) for part in (start, stop, step)):
        return (max(math.ceil((stop - start) / step), 0),)
    low, high = extent(start), extent(stop)
    if low is not None and high is not None and step == 1:
        length = minus(high, low)
        return (max(length, 0) if isinstance(length, int) else length,)
    if isinstance(low, int) and high is not None and isinstance(step, int) and step:
        return (derived(("arange", low, step), high, lambda number: len(range(low, number, step))),)
    return (unknown_size(("arange", identity(start), identity(stop), identity(step))),)


def range_dtype(start: Any, stop: Any = None, step: Any = None, *, dtype: Any = None) -> np.dtype[Any]:
    """The dtype asked for, or the one that start, stop and step fit into."""
    if dtype is not None:
        return dtype_like(start, dtype)
    ones = [_one_like(part) for part in (start, stop, step) if part is not None]
    found: np.dtype[Any] = np.arange(*ones).dtype
    return found


def _one_like(part: Any) -> Any:
    if not isinstance(part, Value):
        return type(part)(1)
    return {"f": 1.0, "i": 1}[part.dtype.kind] if part.type.weak else part.dtype.type(1)


@rule(
    np.arange,
    shape=range_shape,
    dtype=range_dtype,
    linear=True,
    samples=[
        Sample(real(), 3.5, wrt=("start",)),
        Sample(0.5, 2.3, 0.4, wrt=("start", "step")),
        Sample(2.5, -1.2, -0.7, wrt=("start", "step")),
        Sample(1.5, 2, 1, wrt=("start",)),
        Sample(2.3),
    ],
)
def grad_arange(start, stop=None, step=None, y=None, grad_y=None, *, dtype=None):
    grad_start = np.zeros_like(start) if stop is None else np.sum(grad_y)
    places = np.arange(len(y)) if y.dtype == np.float64 else np.arange(len(y)).astype(y.dtype)
    grad_step = np.sum(grad_y * places)
    return grad_start, grad_step


# Given ends


def spaced(
    start: Any, stop: Any, num: Any = 50, *, retstep: bool = False, axis: int = 0, **_: Any
) -> Shape | list[Shape]:
    """The ends broadcast, and a new axis of so many elements between them; behind that, the distance, where it is asked for."""
    between = broadcast([shape_of(start), shape_of(stop)])
    place = normal_axis(axis, len(between) + 1)
    shape = (*between[:place], size_of_number(num), *between[place:])
    return [shape, between] if retstep else shape


def spaced_powers(start: Any, stop: Any, num: Any = 50, base: Any = 10.0, *, axis: int = 0, **_: Any) -> Shape:
    """The same, for powers of one number."""
    if shape_of(base):
        raise TypeError("base has to be a number")
    (shape,) = [spaced(start, stop, num, axis=axis)]
    assert isinstance(shape, tuple)
    return shape


@inline
def totals_at_ends(gradient, endpoint, axis):
    """Return the sums of gradients along an axis, weighted by how near each is to the start, and to the stop."""
    ramp = np.linspace(0, 1, np.shape(gradient)[axis], endpoint=endpoint)
    weights = ramp if gradient.dtype == np.float64 else ramp.astype(gradient.dtype)
    if gradient.ndim == 1:
        at_start, at_stop = np.sum(gradient * (1 - weights)), np.sum(gradient * weights)
    else:
        along = (0, axis % gradient.ndim)
        at_start, at_stop = np.tensordot(1 - weights, gradient, axes=along), np.tensordot(weights, gradient, axes=along)
    return at_start, at_stop


@rule(
    np.linspace,
    shape=spaced,
    linear=True,
    samples=[
        Sample(real(), 2.5, 5),
        Sample(real(), 2.5, num=5),
        Sample(0.5, real(), num=4, endpoint=False),
        Sample(0.5, real(), num=1),
        Sample(0.5, real()),
        Sample(real(3), real(3) + 1, num=4),
        Sample(real(2, 1), real(3), num=4, axis=-1),
        Sample(0.5, real(3), num=4, axis=1, endpoint=False),
        Sample(0.5, real(), num=4, retstep=True),
        Sample(0.5, real(3), num=4, retstep=True, endpoint=False),
        Sample(0.5, real(), num=4, dtype=np.float64),
    ],
)
def grad_linspace(start, stop, num=None, y=None, grad_y=None, *, endpoint=True, retstep=False, dtype=None, axis=0):
    if retstep:
        at_start, at_stop = totals_at_ends(grad_y[0], endpoint, axis)
        distances = np.shape(grad_y[0])[axis] - 1 if endpoint else np.shape(grad_y[0])[axis]
        grad_start, grad_stop = at_start - grad_y[1] / distances, at_stop + grad_y[1] / distances
    else:
        grad_start, grad_stop = totals_at_ends(grad_y, endpoint, axis)
    return grad_start, grad_stop


@rule(
    np.logspace,
    shape=spaced_powers,
    samples=[
        Sample(real(), 1.5, 5),
        Sample(real(), 1.5, num=4, base=2.0),
        Sample(real(), 1.5, num=4, endpoint=False),
        Sample(0.5, real(3) / 2, num=4, axis=-1),
        Sample(0.5, real(), 3),
    ],
)
def grad_logspace(start, stop, num=None, base=None, y=None, grad_y=None, *, endpoint=True, dtype=None, axis=0):
    grad_exponent = grad_y * y * np.log(10.0 if base is None else base)
    grad_start, grad_stop = totals_at_ends(grad_exponent, endpoint, axis)
    exponents = np.linspace(start, stop, np.shape(y)[axis], endpoint=endpoint, axis=axis)
    grad_base = np.sum(grad_y * y * exponents) / base if base is not None else None
    return grad_start, grad_stop, grad_base


@rule(
    np.geomspace,
    shape=spaced,
    samples=[
        Sample(positive(), 2.5, 5),
        Sample(positive(), 2.5, num=4, endpoint=False),
        Sample(-0.5, -2.5, num=4),
        Sample(positive(3), positive(3) + 1, num=4, axis=-1),
        Sample(0.5, positive(2, 1), num=4, axis=1),
    ],
)
def grad_geomspace(start, stop, num=None, y=None, grad_y=None, *, endpoint=True, dtype=None, axis=0):
    # y is start**(1 - ramp) * stop**ramp
    at_start, at_stop = totals_at_ends(grad_y * y, endpoint, axis)
    grad_start, grad_stop = at_start / start, at_stop / stop
    return grad_start, grad_stop
