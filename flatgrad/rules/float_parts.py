"""Numbers taken apart and put together: modf, frexp, ldexp, copysign, heaviside, nan_to_num, nextafter, spacing.

In: these functions of NumPy and `math`. Out: their records. Layer: rules.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flatgrad.graph.size import Shape
from flatgrad.registry import Kink, Sample, no_gradient, real, rule
from flatgrad.rules.shapes import elementwise, same, shape_of

REAL = [Sample(real(2, 3)), Sample(real())]


def two_of_the_same(x: Any) -> list[Shape]:
    """Two numbers for each element."""
    return [shape_of(x)] * 2


@rule(
    np.copysign,
    math.copysign,
    shape=elementwise,
    samples=[
        Sample(real(3), real(2, 3), wrt=("a",)),
        Sample(real(2, 1), real(1, 3), wrt=("a",)),
        Sample(real(), -0.25, wrt=("a",)),
    ],
    kinks=[
        Kink(
            "copysign(0, b)",
            "0",
            (np.array([0.0]), np.array([-1.0])),
            (np.array([0.0]), None),
            jax="the sign of b",
            torch="0",
        )
    ],
    scalar=math.copysign,
)
def grad_copysign(a, b, y, grad_y):
    grad_a = grad_y * np.sign(a) * np.copysign(1, b)
    return grad_a


@rule(np.modf, math.modf, shape=two_of_the_same, samples=REAL)
def grad_modf(x, y, grad_y):
    """y is the fraction and the whole part, which is constant between the jumps."""
    grad_x = grad_y[0]
    return grad_x


# ldexp(x, n) is x * 2**n, and frexp finds the n that brings x between 1/2 and 1: y is what x becomes, and n.


@rule(np.frexp, shape=two_of_the_same, samples=REAL)
def grad_frexp(x, y, grad_y):
    grad_x = np.ldexp(grad_y[0], -y[1])
    return grad_x


@rule(math.frexp, shape=two_of_the_same, samples=[Sample(real())])
def grad_math_frexp(x, y, grad_y):
    grad_x = math.ldexp(grad_y[0], -y[1])
    return grad_x


EXPONENTS = np.array([1, -2, 3])


@rule(np.ldexp, shape=elementwise, samples=[Sample(real(3), 4), Sample(real(2, 3), EXPONENTS)])
def grad_ldexp(x, exponent, y, grad_y):
    grad_x = np.ldexp(grad_y, exponent)
    return grad_x


@rule(math.ldexp, shape=elementwise, samples=[Sample(real(), -3)])
def grad_math_ldexp(x, exponent, y, grad_y):
    grad_x = math.ldexp(grad_y, exponent)
    return grad_x


@rule(
    np.heaviside,
    shape=elementwise,
    samples=[Sample(np.array([-1.5, 0.0, 0.7]), real(2, 3), wrt=("middle",))],
    kinks=[
        Kink("heaviside(x, h) at x = 0", "0", (np.zeros(1), np.ones(1)), (None, np.ones(1)), jax="0", torch="an error")
    ],
)
def grad_heaviside(x, middle, y, grad_y):
    grad_middle = grad_y * (x == 0)
    return grad_middle


@rule(np.nextafter, math.nextafter, shape=elementwise, samples=[Sample(real(2, 3), 3.0, wrt=("x",)), Sample(real(), 3)])
def grad_nextafter(x, towards, y, grad_y):
    grad_x = grad_y
    return grad_x


def with_numbers_for_nan(x: Any, *, copy: Any = True, **_: Any) -> Shape:
    """The shape of x, which is not changed itself."""
    if copy is not True:
        raise TypeError("copy=False changes the argument: write x[...] = np.nan_to_num(x)")
    return shape_of(x)


NOT_FINITE = np.array([np.nan, np.inf, -np.inf, 1.5])


@rule(
    np.nan_to_num,
    shape=with_numbers_for_nan,
    elementwise=True,
    samples=[*REAL, Sample(real(3), nan=1.0, posinf=2.5, neginf=-2.5)],
    kinks=[
        Kink(
            "nan_to_num(x) where x is nan or infinite",
            "0",
            (NOT_FINITE,),
            (np.array([0.0, 0.0, 0.0, 1.0]),),
            jax="0",
            torch="0",
        )
    ],
)
def grad_nan_to_num(x, y, grad_y, *, copy=True, nan=0.0, posinf=None, neginf=None):
    grad_x = np.where(np.isfinite(x), grad_y, 0)
    return grad_x


no_gradient(np.spacing, math.ulp, shape=same, samples=REAL)
