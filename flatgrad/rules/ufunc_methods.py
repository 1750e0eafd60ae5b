"""The methods reduce and accumulate of ufuncs: np.add.reduce, np.maximum.accumulate, np.logaddexp.reduce.

In: these methods. Out: records of those that are no other function of NumPy, and the names of those that are. Layer: rules,
above `reductions` and `scans`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.placing import placed, placed_along_axis
from flatgrad.rules.scans import recurrence
from flatgrad.rules.shapes import normal_axis, reduced, shape_of
from flatgrad.rules.writing import assigned

# what NumPy calls for these functions; the methods go along axis 0 where no axis is given
AS_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.add.reduce: np.sum,
    np.multiply.reduce: np.prod,
    np.maximum.reduce: np.max,
    np.minimum.reduce: np.min,
    np.logical_and.reduce: np.all,
    np.logical_or.reduce: np.any,
    np.add.accumulate: np.cumsum,
    np.multiply.accumulate: np.cumprod,
}


def accumulated(x: Any, *, axis: int = 0) -> Shape:
    """The shape of x."""
    shape = shape_of(x)
    normal_axis(axis, len(shape))
    return shape


def reduced_first(x: Any, *, axis: int | tuple[int, ...] | None = 0, keepdims: bool = False) -> Shape:
    """The axes that are reduced over go, the first one where none is given."""
    return reduced(x, axis, keepdims=keepdims)


ACCUMULATED = [Sample(real(5)), Sample(real(4, 3)), Sample(real(2, 5), axis=1), Sample(real(2, 4, 2), axis=-2)]
REDUCED = [
    Sample(real(4)),
    Sample(real(2, 3)),
    Sample(real(2, 3), axis=1),
    Sample(real(2, 3), axis=-1, keepdims=True),
    Sample(real(2, 3, 2), axis=(0, 2)),
    Sample(real(2, 3), axis=None),
]
AT_TIES = (np.array([1.0, 3.0, 3.0, 2.0]),), (np.array([1.0, 1.0, 2.0, 0.0]),)
AT_LOW_TIES = (-AT_TIES[0][0],), AT_TIES[1]
LAST, HALF = "the last of the equal ones", "half to each of the equal ones"


@rule(np.fmin.accumulate, shape=accumulated, samples=ACCUMULATED)
@rule(np.fmax.accumulate, shape=accumulated, samples=ACCUMULATED)
@rule(
    np.minimum.accumulate,
    shape=accumulated,
    samples=ACCUMULATED,
    kinks=[Kink("minimum.accumulate with ties", LAST, *AT_LOW_TIES, jax=HALF, torch=LAST)],
)
@rule(
    np.maximum.accumulate,
    shape=accumulated,
    samples=ACCUMULATED,
    kinks=[Kink("maximum.accumulate with ties", LAST, *AT_TIES, jax=HALF, torch=LAST)],
)
def grad_running_extreme(x, y, grad_y, *, axis=0):
    if x.ndim == 1:
        latest = np.maximum.accumulate(np.where(x == y, np.arange(len(x)), 0))
        grad_x = placed(grad_y, latest, x)
    else:
        behind = tuple(range(1, x.ndim - axis % x.ndim))
        places = np.expand_dims(np.arange(np.shape(x)[axis]), behind) if behind else np.arange(np.shape(x)[axis])
        latest = np.maximum.accumulate(np.where(x == y, places, 0), axis=axis)
        grad_x = placed_along_axis(grad_y, latest, axis, x)
    return grad_x


@rule(
    np.logaddexp.reduce,
    shape=reduced_first,
    samples=REDUCED,
    kinks=[Kink("logaddexp.reduce of all -inf", "0", (np.full(2, -np.inf),), (np.zeros(2),), jax="nan", torch="nan")],
)
def grad_logaddexp_reduce(x, y, grad_y, *, axis=0, keepdims=False):
    # -inf - -inf is nan; exp(-inf - 0) is the 0 that is wanted
    shift = np.where(y == -np.inf, 0, y)
    if axis is not None and not keepdims:
        shift = np.expand_dims(shift, axis)
        grad_y = np.expand_dims(grad_y, axis)
    grad_x = grad_y * np.exp(x - shift)
    return grad_x


@rule(np.logaddexp.accumulate, shape=accumulated, samples=ACCUMULATED)
def grad_logaddexp_accumulate(x, y, grad_y, *, axis=0):
    shift = np.where(y == -np.inf, 0, y)
    first = (slice(None),) * (axis % x.ndim) + (slice(None, 1),)
    earlier = assigned(np.roll(y, 1, axis=axis), -np.inf, index=first)
    # what comes back from all the later sums
    grad_sum = recurrence(np.exp(earlier - shift), grad_y, axis=axis)
    grad_x = grad_sum * np.exp(x - shift)
    return grad_x


@rule(
    np.hypot.reduce,
    shape=reduced_first,
    samples=REDUCED,
    kinks=[Kink("hypot.reduce of zeros", "0", (np.zeros(2),), (np.zeros(2),), jax="nan", torch="0")],
)
def grad_hypot_reduce(x, y, grad_y, *, axis=0, keepdims=False):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    # 1 stands for a length of 0, where the gradient is 0
    length = y + (y == 0)
    grad_x = grad_y * (x / length)
    return grad_x
