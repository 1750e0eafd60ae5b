"""Arithmetic of Python and of NumPy: ``+ - * / // **`` and the sign.

In: nothing. Out: records in the registry. Layer: rules.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from flatgrad.registry import Kink, Sample, no_gradient, positive, real, rule
from flatgrad.rules.shapes import elementwise, same

PAIRS = [
    Sample(real(3), real(2, 3)),
    Sample(real(2, 1), real(1, 3)),
    Sample(real(), real(3)),
    Sample(real(), positive()),
    Sample(-7.3, 2.1),
]
RATIOS = [
    Sample(real(3), positive(2, 3)),
    Sample(real(2, 1), positive(1, 3)),
    Sample(real(), positive(3)),
    Sample(real(), positive()),
    Sample(-7.3, 2.1),
]


@rule(operator.add, np.add, shape=elementwise, samples=PAIRS, scalar="{a} + {b}", linear=True)
def grad_add(a, b, y, grad_y):
    grad_a = grad_y
    grad_b = grad_y
    return grad_a, grad_b


@rule(operator.sub, np.subtract, shape=elementwise, samples=PAIRS, scalar="{a} - {b}", linear=True)
def grad_subtract(a, b, y, grad_y):
    grad_a = grad_y
    grad_b = -grad_y
    return grad_a, grad_b


@rule(operator.mul, np.multiply, shape=elementwise, holomorphic=True, samples=PAIRS, scalar="{a} * {b}")
def grad_multiply(a, b, y, grad_y):
    grad_a = grad_y * b
    grad_b = grad_y * a
    return grad_a, grad_b


@rule(operator.truediv, np.divide, shape=elementwise, holomorphic=True, samples=RATIOS, scalar="{a} / {b}")
def grad_divide(a, b, y, grad_y):
    grad_a = grad_y / b
    grad_b = -grad_y * y / b
    return grad_a, grad_b


@rule(
    operator.pow,
    pow,
    np.power,
    np.float_power,
    math.pow,
    shape=elementwise,
    holomorphic=True,
    samples=[
        Sample(positive(3), real(2, 3)),
        Sample(positive(2, 1), real(1, 3)),
        Sample(positive(), real(3)),
        Sample(positive(), real()),
        Sample(real(3), 3),
        Sample(real(3), -2),
        Sample(real(3), 2.0, wrt=("a",)),
        Sample(2, real(3)),
        Sample(-1.3, 3),
        Sample(real(3), np.array([3, -2, 1])),
        Sample(real(3), np.array([3.0, -2.0, 1.0]), wrt=("a",)),
        Sample(np.array([2, 5, 3]), real(3)),
    ],
    kinks=[
        Kink("x**0", "0", (np.array([0.0, 2.0]), 0), (np.array([0.0, 0.0]), None), jax="0", torch="0"),
        Kink(
            "power(0, 0)",
            "0",
            (np.array([0.0]), np.array([0.0])),
            (np.array([0.0]), np.array([0.0])),
            jax="nan; 0",
            torch="0",
        ),
        Kink(
            "power(0, 2) to the exponent",
            "0",
            (np.array([0.0]), np.array([2.0])),
            (np.array([0.0]), np.array([0.0])),
            jax="0",
            torch="0",
        ),
        Kink(
            "power(-2, 3) to the exponent",
            "nan",
            (np.array([-2.0]), np.array([3.0])),
            (np.array([12.0]), np.array([np.nan])),
            jax="nan",
            torch="nan",
        ),
    ],
    scalar="{a} ** {b}",
)
def grad_power(a, b, y, grad_y):
    # the comparisons count as 1 where they hold: a**0 has no slope, and 0**b gives the exponent none
    grad_a = grad_y * b * a ** (b - (b != 0))
    grad_b = grad_y * y * np.log(a + (a == 0))
    return grad_a, grad_b


@rule(operator.neg, np.negative, shape=same, samples=[Sample(real(3)), Sample(real())], scalar="-{x}", linear=True)
def grad_negative(x, y, grad_y):
    grad_x = -grad_y
    return grad_x


@rule(operator.pos, np.positive, shape=same, samples=[Sample(real(3)), Sample(real())], scalar="+{x}", linear=True)
def grad_positive(x, y, grad_y):
    grad_x = grad_y
    return grad_x


# Steps: the slope is 0 wherever there is one.
WHOLE = np.array([4.0, -3.0]), np.array([2.0, 1.5])
no_gradient(
    operator.floordiv,
    shape=elementwise,
    samples=RATIOS,
    kinks=[Kink("a // b", "0", WHOLE, (np.zeros(2), np.zeros(2)), jax="0", torch="an error")],
)
no_gradient(np.floor_divide, shape=elementwise, samples=RATIOS, scalar="{x1} // {x2}")
