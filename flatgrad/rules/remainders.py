"""What is left of a division: ``%``, np.remainder, np.fmod, divmod, math.remainder.

In: these functions of Python and NumPy. Out: their records. A remainder is a minus a whole number of times b; that number
is constant between the jumps. Layer: rules.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, positive, real, rule
from flatgrad.rules.shapes import elementwise

RATIOS = [
    Sample(real(3), positive(2, 3)),
    Sample(real(2, 1), positive(1, 3)),
    Sample(real(), positive(3)),
    Sample(real(3), -0.7),
    Sample(real(), positive()),
    Sample(-7.3, 2.1),
]
AT_A_JUMP = (np.array([6.0]), np.array([2.0])), (np.array([1.0]), np.array([-3.0]))


def two_results(a: Any, b: Any) -> list[Shape]:
    """A quotient and a remainder, of the shape that the arguments broadcast to."""
    return [elementwise(a, b)] * 2


@rule(
    operator.mod,
    np.remainder,
    shape=elementwise,
    samples=RATIOS,
    kinks=[Kink("a % b at a multiple of b", "the slope on the right", *AT_A_JUMP, jax="the same", torch="the same")],
    scalar="{a} % {b}",
)
def grad_remainder(a, b, y, grad_y):
    grad_a = grad_y
    grad_b = -grad_y * (a // b)
    return grad_a, grad_b


@rule(
    np.fmod,
    math.fmod,
    shape=elementwise,
    samples=RATIOS,
    kinks=[Kink("fmod(a, b) at a multiple of b", "away from 0", *AT_A_JUMP, jax="the same", torch="the same")],
    scalar=math.fmod,
)
def grad_fmod(a, b, y, grad_y):
    grad_a = grad_y
    # a / b may be rounded up to the next whole number, (a - y) / b is one
    grad_b = -grad_y * np.rint((a - y) / b)
    return grad_a, grad_b


@rule(math.remainder, shape=elementwise, samples=RATIOS)
def grad_ieee_remainder(a, b, y, grad_y):
    grad_a = grad_y
    grad_b = -grad_y * round((a - y) / b)
    return grad_a, grad_b


@rule(divmod, np.divmod, shape=two_results, samples=RATIOS)
def grad_divmod(a, b, y, grad_y):
    grad_a = grad_y[1]
    grad_b = -grad_y[1] * y[0]
    return grad_a, grad_b
