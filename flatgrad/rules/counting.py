"""Weights added up by groups: np.bincount.

In: nothing. Out: its record. Layer: rules, above `creation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.graph.size import Shape, SizeMismatch, is_one, unify
from flatgrad.registry import Sample, real, rule
from flatgrad.rules.creation import identity, known_size, unknown_size
from flatgrad.rules.shapes import shape_of


def binned(x: Any, weights: Any = None, minlength: Any = 0) -> Shape:
    """A number for each group up to the last one: how many there are is data, but the same for the same groups."""
    groups = shape_of(x)
    if len(groups) != 1:
        raise SizeMismatch(f"groups of rank {len(groups)}, where a row is needed")
    if weights is not None:
        (size,) = shape_of(weights)
        unify(size, groups[0])
    least = known_size(minlength)
    may_be_one = least is None or least == 0 or is_one(least) is not False
    return (unknown_size(("bincount", identity(x), identity(minlength)), may_be_one=may_be_one),)


GROUPS = np.array([2, 0, 2, 1, 4])


@rule(
    np.bincount,
    shape=binned,
    linear=True,
    samples=[
        Sample(GROUPS, real(5), wrt=("weights",)),
        Sample(GROUPS, weights=real(5), minlength=7, wrt=("weights",)),
    ],
)
def grad_bincount(x, weights=None, minlength=None, y=None, grad_y=None):
    grad_weights = grad_y[x]
    return grad_weights
