"""What rules ask about their inputs when the code is written: is it a constant, how many elements go into a reduction.

In: the inputs of a rule. Out: a bool or an int. Layer: above `registry` and `shapes`, below the rule files.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flatgrad.registry import Sample, no_gradient, real
from flatgrad.rules.shapes import no_axes


def is_constant(value: Any) -> bool:
    """Tell whether a value is a number that is known when the code is written.

    The front end answers for the values of a graph; called on arrays and numbers, it takes Python numbers for constants.
    """
    # np.float64 is a subclass of float, and comes out of arrays
    return isinstance(value, int | float) and not isinstance(value, np.generic)


def axes_count(x: Any, axis: int | tuple[int, ...] | None = None) -> int:
    """Return the number of elements that a reduction of `x` over `axis` takes together."""
    if axis is None:
        return int(np.size(x))
    count = 1
    for one in axis if isinstance(axis, tuple) else (axis,):
        count *= np.shape(x)[one]
    return count


no_gradient(
    axes_count,
    shape=no_axes,
    samples=[Sample(real(2, 3)), Sample(real(2, 3), axis=-1), Sample(real(2, 3), axis=(0, 1))],
)
