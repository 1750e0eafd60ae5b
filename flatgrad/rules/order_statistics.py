"""Order statistics: median, quantile, percentile, and the forms that leave out nan.

In: these functions of NumPy. Out: their records. A quantile is an element of the array in its order, or lies on the line between
two of them: its gradient goes to these. Where elements are equal they are in the stable order. Layer: rules, above `orders`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, inline, question, real, rule
from flatgrad.rules.placing import placed, placed_along_axis, placed_together, scattered
from flatgrad.rules.reductions import flat_axes, unflat_axes
from flatgrad.rules.shapes import reduced, shape_of
from flatgrad.rules.stable_order import stable_order

TIES = Kink(
    "median with ties",
    "the stable permutation",
    (np.array([2.0, 2.0, 1.0]),),
    (np.array([1.0, 0.0, 0.0]),),
    jax="the stable permutation",
    torch="shared equally",
)


@rule(
    np.median,
    shape=reduced,
    samples=[
        Sample(real(5)),
        Sample(real(4)),
        Sample(real(4), keepdims=True),
        Sample(real(4), axis=-1, keepdims=True),
        Sample(real(3, 4)),
        Sample(real(3, 4), keepdims=True),
        Sample(real(3, 4), axis=0),
        Sample(real(3, 4), axis=-1, keepdims=True),
        Sample(real(3, 2, 3), axis=(0, 2)),
        Sample(real(3, 2, 3), axis=(2, 1), keepdims=True),
    ],
    kinks=[
        TIES,
        Kink(
            "median of an even number of elements",
            "half to each of the two in the middle",
            (np.array([3.0, 2.0, 2.0, 1.0]),),
            (np.array([0.0, 0.5, 0.5, 0.0]),),
            jax="half to each of the two in the middle",
            torch="the lower one",
        ),
    ],
)
def grad_median(x, y, grad_y, *, axis=None, keepdims=False):
    if x.ndim == 1:
        order = stable_order(x)
        # one or two of them
        middle = order[(len(x) - 1) // 2 : len(x) // 2 + 1]
        grad_x = placed(grad_y / len(middle), middle, x)
    elif axis is None:
        flat = np.ravel(x)
        order = stable_order(flat)
        middle = order[(len(flat) - 1) // 2 : len(flat) // 2 + 1]
        share = (np.reshape(grad_y, ()) if keepdims else grad_y) / len(middle)
        grad_flat = placed(share, middle, flat)
        grad_x = np.reshape(grad_flat, np.shape(x))
    elif isinstance(axis, tuple):
        flat = flat_axes(x, axis)
        order = stable_order(flat)
        middle = order[..., (np.shape(flat)[-1] - 1) // 2 : np.shape(flat)[-1] // 2 + 1]
        share = np.reshape(grad_y, (*np.shape(flat)[:-1], 1)) / np.shape(middle)[-1]
        grad_x = unflat_axes(scattered(share, middle, -1, flat), x, axis)
    else:
        order = stable_order(x, axis=axis)
        places = np.arange((np.shape(x)[axis] - 1) // 2, np.shape(x)[axis] // 2 + 1)
        middle = np.take(order, places, axis=axis)
        share = (grad_y if keepdims else np.expand_dims(grad_y, axis)) / len(places)
        grad_x = scattered(share, middle, axis, x)
    return grad_x


# Quantiles. The methods are those of Hyndman and Fan, Sample quantiles in statistical packages, 1996, and NumPy's own five.

# at q * (n + a) + b in the order of n elements
CONTINUOUS = {
    "linear": (-1, 0),
    "interpolated_inverted_cdf": (0, -1),
    "hazen": (0, -0.5),
    "weibull": (1, -1),
    "median_unbiased": (1 / 3, -2 / 3),
    "normal_unbiased": (1 / 4, -5 / 8),
}
METHODS = (
    *CONTINUOUS, "lower", "higher", "nearest", "midpoint", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
)  # fmt: skip


def quantile_shape(
    x: Any, q: Any, *, axis: int | tuple[int, ...] | None = None, method: str = "linear", keepdims: bool = False
) -> Shape:
    """The axes of q, then those that are not reduced over."""
    if method not in METHODS:
        raise TypeError(f"method={method!r}; known are {', '.join(METHODS)}")
    return shape_of(q) + reduced(x, axis, keepdims=keepdims)


@question
def line_of(method: str) -> tuple[float, float] | None:
    """Return a and b of q * (n + a) + b, which is the place of a quantile; None for methods that make steps."""
    return CONTINUOUS.get(method)


@question
def rounding_of(method: str) -> Callable[..., Any]:
    """Return the function that makes the place of an element of q * (n - 1)."""
    rounding: dict[str, Callable[..., Any]] = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}
    return rounding[method]


@inline
def whole(place):
    """Return places as whole numbers."""
    return int(place) if np.ndim(place) == 0 else place.astype(int)


@inline
def between(q, count, method):
    """Return two places in the order of `count` elements that a quantile lies between, how far it is from the first one, and
    how fast q moves it; nothing but one place where it is an element itself."""
    last = count - 1
    upper, fraction, slope = None, None, None
    line = line_of(method)
    if line is not None:
        slope = last if method == "linear" else count + line[0]
        place = q * last if method == "linear" else np.clip(q * slope + line[1], 0, last)
        lower, upper = np.floor(place), np.ceil(place)
        fraction = place - lower
    elif method == "midpoint":
        lower, upper = np.floor(q * last), np.ceil(q * last)
        fraction = 0.5
    elif method == "averaged_inverted_cdf":
        place = q * count - 1
        lower, upper = np.maximum(np.ceil(place), 0), np.minimum(np.floor(place) + 1, last)
        fraction = 0.5
    elif method == "inverted_cdf":
        lower = np.maximum(np.ceil(q * count - 1), 0)
    elif method == "closest_observation":
        lower = np.maximum(np.round(q * count) - 1, 0)
    else:
        lower = rounding_of(method)(q * last)
    return whole(lower), upper if upper is None else whole(upper), fraction, slope


@inline
def grad_flat_quantile(flat, q, grad_y, count, method):
    """Return the gradients of a vector and of q, where the first `count` elements in the order count."""
    order = stable_order(flat)
    lower, upper, fraction, slope = between(q, count, method)
    low = order[lower]
    if upper is None:
        grad_flat = placed(grad_y, low, flat)
    else:
        high = order[upper]
        grad_flat = placed_together((grad_y * (1 - fraction), grad_y * fraction), (low, high), flat)
    grad_q = np.zeros_like(grad_y) if slope is None else grad_y * slope * (flat[high] - flat[low])
    return grad_flat, grad_q


@inline
def grad_row_quantile(rows, q, grad_y, count, method):
    """Return the gradients of an array and of q along the last axis; `count` may differ from row to row."""
    order = stable_order(rows)
    q_size = np.size(q)
    kept = np.shape(rows)[:-1]
    if np.ndim(q) == 0:
        share = np.reshape(grad_y, (*kept, 1))
    else:
        share = np.moveaxis(np.reshape(grad_y, (q_size, *kept)), 0, -1)
    lower, upper, fraction, slope = between(np.ravel(q), count, method)
    low = order[..., lower] if lower.ndim == 1 else np.take_along_axis(order, lower, axis=-1)
    if upper is None:
        grad_rows = placed_along_axis(share, low, -1, rows)
    else:
        high = order[..., upper] if upper.ndim == 1 else np.take_along_axis(order, upper, axis=-1)
        shares = np.concatenate((share * (1 - fraction), share * fraction), axis=-1)
        grad_rows = placed_along_axis(shares, np.concatenate((low, high), axis=-1), -1, rows)
    if slope is None:
        grad_q = np.zeros_like(q)
    else:
        rise = np.take_along_axis(rows, high, axis=-1) - np.take_along_axis(rows, low, axis=-1)
        grad_q = np.reshape(np.sum(np.reshape(share * slope * rise, (-1, q_size)), axis=0), np.shape(q))
    return grad_rows, grad_q


QUARTILES = np.array([0.22, 0.71])
# not at an element, where the slope by q changes
QUANTILES = [
    Sample(real(6), 0.37),
    Sample(real(6), 0.37, keepdims=True),
    Sample(real(3, 4), 0.37),
    Sample(real(3, 4), 0.61, axis=0),
    Sample(real(3, 4), 0.61, axis=-1, keepdims=True),
    Sample(real(3, 2, 3), 0.37, axis=(0, 2)),
    Sample(real(6), QUARTILES),
    Sample(real(3, 4), QUARTILES, keepdims=True),
    Sample(real(3, 4), QUARTILES, axis=0),
    Sample(real(3, 4), QUARTILES, axis=1, keepdims=True),
    Sample(real(3, 2, 3), np.array([[0.22, 0.71]]), axis=(0, 2)),
    Sample(real(6), 0.99, method="weibull"),
    *(Sample(real(6), 0.37, method=method) for method in CONTINUOUS),
    *(Sample(real(6), 0.37, method=method, wrt=("x",)) for method in METHODS if method not in CONTINUOUS),
    *(
        Sample(real(3, 5), QUARTILES, method=method, axis=1, wrt=("x",))
        for method in ("nearest", "midpoint", "weibull")
    ),
    Sample(real(6), 0.5, method="averaged_inverted_cdf", wrt=("x",)),
]


@inline
@rule(
    np.quantile,
    shape=quantile_shape,
    samples=QUANTILES,
    kinks=[
        Kink(
            "quantile with ties",
            "the stable permutation",
            (np.array([2.0, 2.0, 1.0]), 0.75),
            (np.array([0.5, 0.5, 0.0]), 0.0),
            jax="the stable permutation",
            torch="the stable permutation",
        ),
        Kink(
            "quantile at an element",
            "q moves nothing",
            (np.array([1.0, 2.0, 4.0]), 0.5),
            (np.array([0.0, 1.0, 0.0]), 0.0),
            jax="0",
            torch="0",
        ),
    ],
)
def grad_quantile(x, q, y, grad_y, *, axis=None, method="linear", keepdims=False):
    if x.ndim == 1:
        share = np.reshape(grad_y, np.shape(q)) if keepdims else grad_y
        grad_x, grad_q = grad_flat_quantile(x, q, share, len(x), method)
    elif axis is None:
        flat = np.ravel(x)
        share = np.reshape(grad_y, np.shape(q)) if keepdims else grad_y
        grad_flat, grad_q = grad_flat_quantile(flat, q, share, len(flat), method)
        grad_x = np.reshape(grad_flat, np.shape(x))
    elif isinstance(axis, tuple):
        rows = flat_axes(x, axis)
        grad_rows, grad_q = grad_row_quantile(rows, q, grad_y, np.shape(rows)[-1], method)
        grad_x = unflat_axes(grad_rows, x, axis)
    elif axis % x.ndim == x.ndim - 1:
        grad_x, grad_q = grad_row_quantile(x, q, grad_y, np.shape(x)[-1], method)
    else:
        rows = np.moveaxis(x, axis, -1)
        grad_rows, grad_q = grad_row_quantile(rows, q, grad_y, np.shape(rows)[-1], method)
        grad_x = np.moveaxis(grad_rows, -1, axis)
    return grad_x, grad_q


@rule(
    np.percentile,
    shape=quantile_shape,
    samples=[
        Sample(real(6), 37.5),
        Sample(real(3, 4), 61.5, axis=0),
        Sample(real(3, 4), 100 * QUARTILES, axis=-1),
        Sample(real(6), 37.5, method="nearest", wrt=("x",)),
    ],
)
def grad_percentile(x, q, y, grad_y, *, axis=None, method="linear", keepdims=False):
    grad_x, grad_fraction = grad_quantile(x, q / 100, y, grad_y, axis=axis, method=method, keepdims=keepdims)
    grad_q = grad_fraction / 100
    return grad_x, grad_q


# What is not a number is left out: it comes last in the order.

HOLES = np.array([[0.5, np.nan, 2.5, 1.25], [1.5, 0.75, np.nan, np.nan], [-0.5, 0.25, 1.75, -1.5]])


@inline
@rule(
    np.nanquantile,
    shape=quantile_shape,
    samples=[
        Sample(HOLES[0], 0.37),
        Sample(HOLES, 0.37),
        Sample(HOLES, 0.37, keepdims=True),
        Sample(HOLES, 0.61, axis=0),
        Sample(HOLES, QUARTILES, axis=-1, keepdims=True),
        Sample(np.stack((HOLES, HOLES[::-1] + 0.1)), QUARTILES, axis=(0, 2)),
        Sample(HOLES, QUARTILES, axis=1, method="hazen"),
        Sample(HOLES, 0.61, axis=1, method="higher", wrt=("x",)),
    ],
)
def grad_nanquantile(x, q, y, grad_y, *, axis=None, method="linear", keepdims=False):
    if x.ndim == 1:
        share = np.reshape(grad_y, np.shape(q)) if keepdims else grad_y
        grad_x, grad_q = grad_flat_quantile(x, q, share, np.count_nonzero(~np.isnan(x)), method)
    elif axis is None:
        flat = np.ravel(x)
        share = np.reshape(grad_y, np.shape(q)) if keepdims else grad_y
        grad_flat, grad_q = grad_flat_quantile(flat, q, share, np.count_nonzero(~np.isnan(flat)), method)
        grad_x = np.reshape(grad_flat, np.shape(x))
    else:
        rows = flat_axes(x, axis) if isinstance(axis, tuple) else np.moveaxis(x, axis, -1)
        # at least 1, so that there is a place where all is nan
        count = np.maximum(np.count_nonzero(~np.isnan(rows), axis=-1, keepdims=True), 1)
        if np.ndim(q) > 0 and q.dtype == np.float32:
            count = count.astype(np.float32)
        grad_rows, grad_q = grad_row_quantile(rows, q, grad_y, count, method)
        grad_x = unflat_axes(grad_rows, x, axis) if isinstance(axis, tuple) else np.moveaxis(grad_rows, -1, axis)
    return grad_x, grad_q


@rule(
    np.nanpercentile,
    shape=quantile_shape,
    samples=[Sample(HOLES, 41.5), Sample(HOLES, 61.5, axis=0), Sample(HOLES, 100 * QUARTILES, axis=-1)],
)
def grad_nanpercentile(x, q, y, grad_y, *, axis=None, method="linear", keepdims=False):
    grad_x, grad_fraction = grad_nanquantile(x, q / 100, y, grad_y, axis=axis, method=method, keepdims=keepdims)
    grad_q = grad_fraction / 100
    return grad_x, grad_q


@rule(
    np.nanmedian,
    shape=reduced,
    samples=[
        Sample(HOLES[0]),
        Sample(HOLES),
        Sample(HOLES, axis=0),
        Sample(HOLES, axis=-1, keepdims=True),
        Sample(np.stack((HOLES, HOLES[::-1] + 0.1)), axis=(0, 2)),
        Sample(real(4)),
    ],
    kinks=[TIES],
)
def grad_nanmedian(x, y, grad_y, *, axis=None, keepdims=False):
    grad_x, _ = grad_nanquantile(x, 0.5, y, grad_y, axis=axis, keepdims=keepdims)
    return grad_x
