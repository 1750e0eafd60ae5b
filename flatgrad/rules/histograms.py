"""Weights added up in bins: np.histogram.

In: this function of NumPy. Out: its record. Which bin an element falls into changes by steps only; its weight counts, and so do the
bounds of the bins where densities are asked for. Layer: rules, above `bins`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, minus
from flatgrad.graph.values import Value
from flatgrad.registry import Sample, inline, positive, rule
from flatgrad.rules.bins import bin_bounds, grad_histogram_bin_edges
from flatgrad.rules.static import is_zero

inline(grad_histogram_bin_edges)


def heights_and_bounds(x: Any, bins: Any = 10, range: Any = None, weights: Any = None, **_: Any) -> list[Shape]:
    """A height for each bin, and the bounds."""
    (bounds,) = bin_bounds(x, bins, range)
    return [(minus(bounds, 1),), (bounds,)]


def dtypes_of_both(
    x: Any, bins: Any = 10, range: Any = None, weights: Any = None, *, density: Any = None
) -> list[np.dtype[Any]]:
    """Densities and bounds are floats; what is added up has the dtype of the weights, what is counted is whole."""
    one = np.ones(1, x.dtype)
    weight = None if weights is None else np.ones(1, weights.dtype)
    given = np.arange(2, dtype=bins.dtype) if isinstance(bins, Value) and bins.rank else 1
    return [part.dtype for part in np.histogram(one, given, weights=weight, density=bool(density))]


@inline
def bin_of_each(x, bounds):
    """Return the bin that each element falls into, and whether there is one; the last bin has its upper bound too."""
    place = np.searchsorted(bounds, x, side="right") - 1
    place = np.where(x == bounds[-1], len(bounds) - 2, place)
    inside = (place >= 0) & (place < len(bounds) - 1)
    return np.where(inside, place, 0), inside


ELEMENTS = np.array([0.3, 1.7, -0.4, 0.9, 1.25, 2.6, 0.2])


@rule(
    np.histogram,
    shape=heights_and_bounds,
    dtype=dtypes_of_both,
    samples=[
        Sample(ELEMENTS, 4),
        Sample(ELEMENTS, 3, (-0.5, 2.0), weights=positive(7), wrt=("weights",)),
        Sample(ELEMENTS, np.array([-1.0, 0.5, 1.0, 2.0]), weights=positive(7)),
        Sample(ELEMENTS, 3, weights=positive(7), density=True, second=False),
        Sample(ELEMENTS[:6].reshape(2, 3), 4, density=True, second=False),
    ],
)
def grad_histogram(x, bins=10, range=None, weights=None, y=None, grad_y=None, *, density=None):
    heights, bounds = y
    grad_heights, grad_bounds = grad_y
    grad_weights: Any = None
    if density and not is_zero(grad_heights):
        widths = np.diff(bounds)
        grad_widths = -grad_heights * heights / widths
        grad_bounds = grad_bounds - np.diff(grad_widths, prepend=0, append=0)
        if weights is not None:
            place, inside = bin_of_each(x, bounds)
            total = np.sum(np.where(inside, weights, 0))
            grad_sums = (grad_heights / widths - np.sum(grad_heights * heights)) / total
            grad_weights = np.where(inside, grad_sums[place], 0)
    elif weights is not None:
        place, inside = bin_of_each(x, bounds)
        grad_weights = np.where(inside, grad_heights[place], 0)
    if is_zero(grad_bounds):
        grad_x, grad_bins, grad_range = np.zeros_like(x), None, None
    else:
        grad_x, grad_bins, grad_range = grad_histogram_bin_edges(x, bins, range, bounds, grad_bounds)
    return grad_x, grad_bins, grad_range, grad_weights
