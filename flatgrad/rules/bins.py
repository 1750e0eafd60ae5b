"""The bounds of bins: np.histogram_bin_edges.

In: nothing. Out: its record. The bounds go from the least to the greatest element, in equal steps. Layer: rules.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.containers import leaves
from flatgrad.graph.size import Shape, plus
from flatgrad.registry import Kink, Sample, real, rule
from flatgrad.rules.creation import identity, size_of_number, unknown_size
from flatgrad.rules.shapes import shape_of


def bin_bounds(x: Any, bins: Any = 10, range: Any = None, **_: Any) -> Shape:
    """One bound more than there are bins; how many those are may be data."""
    if isinstance(bins, str):
        return (unknown_size(("bins", bins, identity(x), tuple(map(identity, leaves(range))))),)
    if shape_of(bins):
        return shape_of(bins)
    return (plus(size_of_number(bins), 1),)


@rule(
    np.histogram_bin_edges,
    shape=bin_bounds,
    samples=[
        Sample(real(7), 4),
        Sample(real(2, 3)),
        Sample(real(7), "sturges", second=False),
        Sample(real(7), np.array([-1.0, 0.5, 2.0])),
        Sample(real(7), 3, (-1.5, 0.5)),
    ],
    kinks=[
        Kink(
            "histogram_bin_edges with several least elements",
            "shared equally",
            (np.array([1.0, 3.0, 1.0]), 2),
            (np.array([0.75, 1.5, 0.75]), None),
            jax="shared equally",
            torch="no derivative",
        )
    ],
)
def grad_histogram_bin_edges(x, bins=10, range=None, y=None, grad_y=None, *, weights=None):
    if bins is not None and not isinstance(bins, int | str):
        grad_x, grad_range, grad_bins = np.zeros_like(x), None, grad_y
    else:
        ramp = np.arange(len(y), dtype=y.dtype) / (len(y) - 1)
        grad_first, grad_last = np.sum(grad_y * (1 - ramp)), np.sum(grad_y * ramp)
        if range is None:
            least, greatest = np.full_like(x, x == np.min(x)), np.full_like(x, x == np.max(x))
            grad_x = grad_first / np.sum(least) * least + grad_last / np.sum(greatest) * greatest
            grad_range, grad_bins = None, None
        else:
            grad_x, grad_range, grad_bins = np.zeros_like(x), (grad_first, grad_last), None
    return grad_x, grad_bins, grad_range
