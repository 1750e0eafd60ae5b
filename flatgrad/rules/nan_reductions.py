"""Reductions and running sums that skip nan: nansum, nanmean, nanvar, nanstd, nanmax, nanmin, nanprod, nancumsum, nancumprod.

In: nothing. Out: their records. An element that is nan has the gradient 0, and the mask comes last, so that nothing of it
leaks. Layer: rules, above `reductions`, `spreads` and `scans`.
"""

from __future__ import annotations

import numpy as np

from flatgrad.registry import Kink, Sample, inline, real, rule
from flatgrad.rules.reductions import AXES, FROM_ABOVE, FROM_BELOW, MASKED, STARTED, WIDER, count_of, product_of_others
from flatgrad.rules.scans import SCANS, recurrence, scanned
from flatgrad.rules.shapes import reduced_from
from flatgrad.rules.spreads import SPREADS, spread_over
from flatgrad.rules.static import is_constant
from flatgrad.rules.writing import assigned

WITH_NAN = np.array([[np.nan, 1.5, 0.7], [0.4, np.nan, -1.3], [2.0, 0.9, 1.1]])
NOT_ALL = np.array([[True, True, True], [True, False, True], [False, True, True]])
NANS = [
    Sample(WITH_NAN),
    Sample(WITH_NAN, axis=0),
    Sample(WITH_NAN, axis=-1, keepdims=True),
    Sample(WITH_NAN, axis=1, where=NOT_ALL),
]
IN_A_ROW = np.array([0.5, np.nan, 1.5, np.nan, -0.7])
ROW_WITH_NAN = (np.array([np.nan, 2.0, 3.0]),)


def _skipping(name, gradients, torch=""):
    return Kink(f"{name} of nan", "0", ROW_WITH_NAN, (np.array(gradients),), jax="0", torch=torch)


@inline
def elements_kept(x, where):
    """Tell which elements count."""
    return ~np.isnan(x) if np.ndim(where) == 0 else where & ~np.isnan(x)


@rule(
    np.nansum,
    shape=reduced_from,
    samples=[*AXES, *MASKED, *STARTED, *WIDER, *NANS],
    kinks=[_skipping("nansum", [0.0, 1.0, 1.0], torch="0")],
)
def grad_nansum(x, initial=None, y=None, grad_y=None, *, axis=None, dtype=None, keepdims=False, where=True):
    grad_initial = grad_y
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    left_out = np.isnan(x) if np.ndim(where) == 0 else np.isnan(x) | ~where
    grad_x = np.where(left_out, 0, grad_y)
    return grad_x, grad_initial


@rule(
    np.nanmean,
    shape=reduced_from,
    samples=[*AXES, *MASKED, *WIDER, *NANS],
    kinks=[_skipping("nanmean", [0.0, 0.5, 0.5], torch="0")],
)
def grad_nanmean(x, y, grad_y, *, axis=None, dtype=None, keepdims=False, where=True):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    kept = elements_kept(x, where)
    count = count_of(x, axis, kept)
    grad_x = np.where(kept, grad_y / count, 0)
    return grad_x


@rule(
    np.nanvar,
    shape=spread_over,
    samples=[*SPREADS, *NANS],
    kinks=[_skipping("nanvar", [0.0, -0.5, 0.5])],
)
def grad_nanvar(
    x, mean=None, y=None, grad_y=None, *, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None
):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    kept = elements_kept(x, where)
    count = count_of(x, axis, kept)
    divisor = count - (ddof if correction is None else correction)
    if mean is None:
        mean = np.nanmean(x, axis=axis, dtype=dtype, keepdims=axis is not None, where=where)
    grad_x = np.where(kept, grad_y * 2 / divisor * (x - mean), 0)
    grad_mean = -grad_x
    return grad_x, grad_mean


@rule(
    np.nanstd,
    shape=spread_over,
    samples=[*SPREADS, *NANS],
    kinks=[
        Kink(
            "nanstd of equal numbers",
            "0",
            (np.array([2.0, np.nan, 2.0]),),
            (np.zeros(3),),
            jax="nan",
        )
    ],
)
def grad_nanstd(
    x, mean=None, y=None, grad_y=None, *, axis=None, dtype=None, ddof=0, keepdims=False, where=True, correction=None
):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    kept = elements_kept(x, where)
    count = count_of(x, axis, kept)
    divisor = count - (ddof if correction is None else correction)
    if mean is None:
        mean = np.nanmean(x, axis=axis, dtype=dtype, keepdims=axis is not None, where=where)
    # 1 stands for a spread of 0, where the gradient is 0
    spread = y + (y == 0)
    grad_x = np.where(kept, grad_y / (divisor * spread) * (x - mean), 0)
    grad_mean = -grad_x
    return grad_x, grad_mean


@rule(
    np.nanmin,
    shape=reduced_from,
    samples=[*AXES, *FROM_ABOVE, *NANS[:3]],
    kinks=[
        Kink(
            "nanmin with ties",
            "shared equally",
            (np.array([1.0, np.nan, 1.0, 3.0]),),
            (np.array([0.5, 0.0, 0.5, 0.0]),),
            jax="shared equally",
        )
    ],
)
@rule(
    np.nanmax,
    shape=reduced_from,
    samples=[*AXES, *FROM_BELOW, *NANS[:3]],
    kinks=[
        Kink(
            "nanmax with ties",
            "shared equally",
            (np.array([1.0, np.nan, 3.0, 3.0]),),
            (np.array([0.0, 0.0, 0.5, 0.5]),),
            jax="shared equally",
        )
    ],
)
def grad_nan_extreme(x, initial=None, y=None, grad_y=None, *, axis=None, keepdims=False, where=True):
    if axis is not None and not keepdims:
        y = np.expand_dims(y, axis)
        grad_y = np.expand_dims(grad_y, axis)
    # nan is not equal to anything
    chosen = x == y if np.ndim(where) == 0 else (x == y) & where
    ties = np.sum(np.full_like(x, chosen), axis=axis, keepdims=axis is not None)
    # 1 stands for no element
    count = ties + (ties == 0)
    if initial is None:
        grad_initial = None
        grad_x = np.where(chosen, grad_y / count, 0)
    elif is_constant(initial):
        grad_initial = grad_y * (y == initial)
        grad_x = np.where(chosen, grad_y * (y != initial) / count, 0)
    else:
        # half to each where an element and the initial number are equal
        grad_initial = np.where(ties > 0, grad_y / 2, grad_y) * (y == initial)
        grad_x = np.where(chosen, (grad_y - grad_initial) / count, 0)
    return grad_x, grad_initial


@rule(
    np.nanprod,
    shape=reduced_from,
    samples=[*AXES, *MASKED, *STARTED, *WIDER, *NANS, Sample(real(), initial=1.5)],
    kinks=[_skipping("nanprod", [0.0, 3.0, 2.0])],
)
def grad_nanprod(x, initial=None, y=None, grad_y=None, *, axis=None, dtype=None, keepdims=False, where=True):
    if axis is not None and not keepdims:
        grad_y = np.expand_dims(grad_y, axis)
    kept = elements_kept(x, where)
    grad_product = grad_y if initial is None else grad_y * initial
    others = 1 if np.ndim(x) == 0 else product_of_others(np.where(kept, x, 1), axis=axis)
    grad_x = np.where(kept, grad_product * others, 0)
    grad_initial = grad_y * np.nanprod(x, axis=axis, dtype=dtype, keepdims=axis is not None, where=where)
    return grad_x, grad_initial


# Running sums and products


@rule(
    np.nancumsum,
    shape=scanned,
    samples=[*SCANS, Sample(IN_A_ROW), Sample(WITH_NAN), Sample(WITH_NAN, axis=1)],
)
def grad_nancumsum(x, y, grad_y, *, axis=None, dtype=None):
    if x.ndim == 1:
        grad_sum = np.cumsum(grad_y[::-1])[::-1]
    elif axis is None:
        grad_sum = np.reshape(np.cumsum(grad_y[::-1])[::-1], np.shape(x))
    else:
        grad_sum = np.flip(np.cumsum(np.flip(grad_y, axis=axis), axis=axis), axis=axis)
    grad_x = np.where(np.isnan(x), 0, grad_sum)
    return grad_x


@rule(
    np.nancumprod,
    shape=scanned,
    samples=[*SCANS, Sample(IN_A_ROW), Sample(WITH_NAN), Sample(WITH_NAN, axis=1)],
)
def grad_nancumprod(x, y, grad_y, *, axis=None, dtype=None):
    factors = np.where(np.isnan(x), 1, x)
    if axis is None:
        # the product of the elements before each one
        before = assigned(np.roll(y, 1), 1.0, index=slice(None, 1))
        grad_flat = before * recurrence(np.ravel(factors) if x.ndim > 1 else factors, grad_y)
        grad_product = np.reshape(grad_flat, np.shape(x)) if x.ndim > 1 else grad_flat
    else:
        first = (slice(None),) * (axis % x.ndim) + (slice(None, 1),)
        before = assigned(np.roll(y, 1, axis=axis), 1.0, index=first)
        grad_product = before * recurrence(factors, grad_y, axis=axis)
    grad_x = np.where(np.isnan(x), 0, grad_product)
    return grad_x
