"""The modified Bessel function np.i0, and the one of order 1 that is its derivative.

In: np.i0. Out: its record. The source of `i1` is copied into modules that need it: NumPy has none. Layer: rules.
"""

from __future__ import annotations

import numpy as np

from flatgrad.registry import Sample, real, rule
from flatgrad.rules.shapes import same

BOTH_SIDES = [Sample(real(2, 3)), Sample(np.array([-3.1, 1e-3, 4.7]))]


def i1(x):
    """Modified Bessel function of order 1: the mean of sinh(x * cos(t)) * cos(t) over a quarter of a turn."""
    total = np.zeros_like(x)
    for cosine in np.cos((np.arange(64) + 0.5) * np.pi / 128).tolist():
        total += np.sinh(x * cosine) * cosine
    return total / 64


@rule(np.i0, shape=same, samples=BOTH_SIDES)
def grad_i0(x, y, grad_y):
    grad_x = grad_y * i1(x)
    return grad_x


@rule(i1, shape=same, samples=[*BOTH_SIDES, Sample(np.array([0.0, 1e-310, 0.5]))])
def grad_i1(x, y, grad_y):
    """DLMF 10.29.1; `i1` is the midpoint rule for DLMF 10.32.3, which has all digits wherever i0(x) is finite."""
    ratio = np.where(np.abs(x) < 1e-9, 0.5, y / (x + (x == 0)))
    grad_x = grad_y * (np.i0(x) - ratio)
    return grad_x
