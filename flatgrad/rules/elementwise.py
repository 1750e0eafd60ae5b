"""Smooth functions of NumPy and `math`, element by element: exponentials, logarithms, roots, angles.

In: nothing. Out: records in the registry. Layer: rules.

The results `y` are reused where that is cheaper. Where the formula of the books overflows or cancels, the form that
does not is used: ``hypot`` instead of squares, ``(1 - x) * (1 + x)`` instead of ``1 - x**2`` near 1.
"""

from __future__ import annotations

import math

import numpy as np

from flatgrad import nn
from flatgrad.registry import Kink, Sample, above_one, positive, real, rule, within_one
from flatgrad.rules.shapes import elementwise, same

REAL = [Sample(real(2, 3)), Sample(real())]
POSITIVE = [Sample(positive(2, 3)), Sample(positive())]
WITHIN_ONE = [Sample(within_one(2, 3)), Sample(within_one())]
ABOVE_ONE = [Sample(above_one(2, 3)), Sample(above_one())]
PAIRS = [
    Sample(real(3), real(2, 3)),
    Sample(real(2, 1), real(1, 3)),
    Sample(real(), real(3)),
    Sample(real(), positive()),
]
INFINITE_AT_ZERO = [
    Kink(
        "sqrt(0), cbrt(0), log(0)",
        "inf, as the formula says",
        (np.array([0.0]),),
        (np.array([np.inf]),),
        jax="inf",
        torch="inf",
    )
]
ZERO_PAIR = (np.array([0.0]), np.array([0.0]))


# Exponentials and logarithms.


@rule(np.exp, math.exp, shape=same, holomorphic=True, samples=REAL, scalar=math.exp)
def grad_exp(x, y, grad_y):
    grad_x = grad_y * y
    return grad_x


@rule(np.exp2, math.exp2, shape=same, holomorphic=True, samples=REAL, scalar=math.exp2)
def grad_exp2(x, y, grad_y):
    grad_x = grad_y * y * math.log(2)
    return grad_x


@rule(np.expm1, math.expm1, shape=same, holomorphic=True, samples=REAL, scalar=math.expm1)
def grad_expm1(x, y, grad_y):
    # y + 1 would lose the digits of a small result
    grad_x = grad_y * np.exp(x)
    return grad_x


@rule(np.log, shape=same, holomorphic=True, samples=POSITIVE, kinks=INFINITE_AT_ZERO, scalar=math.log)
def grad_log(x, y, grad_y):
    grad_x = grad_y / x
    return grad_x


@rule(math.log, shape=elementwise, samples=[Sample(positive()), Sample(positive(), 3.7), Sample(positive(), 10)])
def grad_log_to_base(x, base=None, y=None, grad_y=None):
    if base is None:
        grad_x = grad_y / x
        grad_base = None
    else:
        grad_x = grad_y / (x * math.log(base))
        grad_base = -grad_y * y / (base * math.log(base))
    return grad_x, grad_base


@rule(np.log2, math.log2, shape=same, holomorphic=True, samples=POSITIVE, kinks=INFINITE_AT_ZERO, scalar=math.log2)
def grad_log2(x, y, grad_y):
    grad_x = grad_y / (x * math.log(2))
    return grad_x


@rule(np.log10, math.log10, shape=same, holomorphic=True, samples=POSITIVE, kinks=INFINITE_AT_ZERO, scalar=math.log10)
def grad_log10(x, y, grad_y):
    grad_x = grad_y / (x * math.log(10))
    return grad_x


@rule(np.log1p, math.log1p, shape=same, holomorphic=True, samples=POSITIVE + WITHIN_ONE, scalar=math.log1p)
def grad_log1p(x, y, grad_y):
    grad_x = grad_y / (1 + x)
    return grad_x


def logaddexp(a: float, b: float) -> float:
    """Return log(exp(a) + exp(b)) without overflow."""
    if a == b:  # also where both are infinite
        return a + math.log(2)
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


def logaddexp2(a: float, b: float) -> float:
    """Return log2(2**a + 2**b) without overflow."""
    if a == b:  # also where both are infinite
        return a + 1
    return max(a, b) + math.log1p(math.pow(2, -abs(a - b))) / math.log(2)


NOTHING, HALVES = np.full(1, -np.inf), (np.full(1, 0.5), np.full(1, 0.5))
HALF_TO_EACH = [
    Kink("logaddexp(-inf, -inf)", "half to each", (NOTHING, NOTHING), HALVES, jax="nan", torch="nan"),
]


@rule(np.logaddexp, shape=elementwise, samples=PAIRS, kinks=HALF_TO_EACH, scalar=logaddexp)
def grad_logaddexp(a, b, y, grad_y):
    # inf - inf would be nan; exp(a - y) would lose the digits of a small difference of large numbers
    gap = np.where(a == b, 0, a) - np.where(a == b, 0, b)
    grad_a = grad_y * nn.sigmoid(gap)
    grad_b = grad_y * nn.sigmoid(-gap)
    return grad_a, grad_b


@rule(np.logaddexp2, shape=elementwise, samples=PAIRS, kinks=HALF_TO_EACH, scalar=logaddexp2)
def grad_logaddexp2(a, b, y, grad_y):
    gap = np.where(a == b, 0, a) - np.where(a == b, 0, b)
    grad_a = grad_y * nn.sigmoid(math.log(2) * gap)
    grad_b = grad_y * nn.sigmoid(-math.log(2) * gap)
    return grad_a, grad_b


# Powers and roots.


@rule(np.sqrt, math.sqrt, shape=same, holomorphic=True, samples=POSITIVE, kinks=INFINITE_AT_ZERO, scalar=math.sqrt)
def grad_sqrt(x, y, grad_y):
    grad_x = grad_y / (2 * y)
    return grad_x


@rule(np.cbrt, math.cbrt, shape=same, samples=REAL, kinks=INFINITE_AT_ZERO, scalar=math.cbrt)
def grad_cbrt(x, y, grad_y):
    grad_x = grad_y / (3 * y**2)
    return grad_x


@rule(np.square, shape=same, holomorphic=True, samples=REAL, scalar="{x} * {x}")
def grad_square(x, y, grad_y):
    grad_x = grad_y * 2 * x
    return grad_x


@rule(np.reciprocal, shape=same, holomorphic=True, samples=REAL, scalar="1 / {x}")
def grad_reciprocal(x, y, grad_y):
    grad_x = -grad_y * y**2
    return grad_x


@rule(
    np.hypot,
    shape=elementwise,
    samples=PAIRS,
    kinks=[Kink("hypot(0, 0)", "0", ZERO_PAIR, ZERO_PAIR, jax="half to each", torch="nan")],
    scalar=math.hypot,
)
def grad_hypot(a, b, y, grad_y):
    # 1 stands for a length of 0, where the gradient is 0
    length = y + (y == 0)
    grad_a = grad_y * (a / length)
    grad_b = grad_y * (b / length)
    return grad_a, grad_b


# Angles.


@rule(np.sin, math.sin, shape=same, holomorphic=True, samples=REAL, scalar=math.sin)
def grad_sin(x, y, grad_y):
    grad_x = grad_y * np.cos(x)
    return grad_x


@rule(np.cos, math.cos, shape=same, holomorphic=True, samples=REAL, scalar=math.cos)
def grad_cos(x, y, grad_y):
    grad_x = -grad_y * np.sin(x)
    return grad_x


@rule(np.tan, math.tan, shape=same, holomorphic=True, samples=REAL, scalar=math.tan)
def grad_tan(x, y, grad_y):
    grad_x = grad_y * (1 + y**2)
    return grad_x


@rule(np.arcsin, math.asin, shape=same, holomorphic=True, samples=WITHIN_ONE, scalar=math.asin)
def grad_arcsin(x, y, grad_y):
    grad_x = grad_y / np.sqrt((1 - x) * (1 + x))
    return grad_x


@rule(np.arccos, math.acos, shape=same, holomorphic=True, samples=WITHIN_ONE, scalar=math.acos)
def grad_arccos(x, y, grad_y):
    grad_x = -grad_y / np.sqrt((1 - x) * (1 + x))
    return grad_x


@rule(np.arctan, math.atan, shape=same, holomorphic=True, samples=REAL, scalar=math.atan)
def grad_arctan(x, y, grad_y):
    grad_x = grad_y / (1 + x**2)
    return grad_x


@rule(
    np.arctan2,
    math.atan2,
    shape=elementwise,
    samples=PAIRS,
    kinks=[Kink("arctan2(0, 0)", "0", ZERO_PAIR, ZERO_PAIR, jax="nan", torch="0")],
    scalar=math.atan2,
)
def grad_arctan2(a, b, y, grad_y):
    radius = np.hypot(a, b)
    # 1 stands for a radius of 0, where the gradient is 0
    length = radius + (radius == 0)
    grad_a = grad_y * (b / length) / length
    grad_b = -grad_y * (a / length) / length
    return grad_a, grad_b


@rule(np.degrees, np.rad2deg, math.degrees, shape=same, samples=REAL, scalar=math.degrees, linear=True)
def grad_degrees(x, y, grad_y):
    grad_x = np.degrees(grad_y)
    return grad_x


@rule(np.radians, np.deg2rad, math.radians, shape=same, samples=REAL, scalar=math.radians, linear=True)
def grad_radians(x, y, grad_y):
    grad_x = np.radians(grad_y)
    return grad_x


def sinc(x: float) -> float:
    """Return sin(pi * x) / (pi * x), which is 1 at 0."""
    angle = math.pi * x
    return math.sin(angle) / angle if angle else 1.0


@rule(
    np.sinc,
    shape=same,
    samples=REAL + [Sample(np.array([1e-9, 1e-3, 0.01]))],
    kinks=[Kink("sinc(0)", "0", (np.array([0.0]),), (np.array([0.0]),), jax="0", torch="0")],
    scalar=sinc,
)
def grad_sinc(x, y, grad_y):
    angle = math.pi * x
    # near 0 the two terms cancel, and the series takes over
    square = angle * angle
    series = angle * (square * (1 / 30 - square / 840) - 1 / 3)
    slope = (np.cos(angle) - y) / (angle + (angle == 0))
    grad_x = grad_y * math.pi * np.where(np.abs(angle) < 0.03, series, slope)
    return grad_x


# Hyperbolic functions and the error function.


@rule(np.sinh, math.sinh, shape=same, holomorphic=True, samples=REAL, scalar=math.sinh)
def grad_sinh(x, y, grad_y):
    grad_x = grad_y * np.cosh(x)
    return grad_x


@rule(np.cosh, math.cosh, shape=same, holomorphic=True, samples=REAL, scalar=math.cosh)
def grad_cosh(x, y, grad_y):
    grad_x = grad_y * np.sinh(x)
    return grad_x


@rule(np.tanh, math.tanh, shape=same, holomorphic=True, samples=REAL, scalar=math.tanh)
def grad_tanh(x, y, grad_y):
    grad_x = grad_y * (1 - y**2)
    return grad_x


@rule(np.arcsinh, math.asinh, shape=same, samples=REAL, scalar=math.asinh)
def grad_arcsinh(x, y, grad_y):
    grad_x = grad_y / np.hypot(1, x)
    return grad_x


@rule(np.arccosh, math.acosh, shape=same, holomorphic=True, samples=ABOVE_ONE, scalar=math.acosh)
def grad_arccosh(x, y, grad_y):
    grad_x = grad_y / (np.sqrt(x - 1) * np.sqrt(x + 1))
    return grad_x


@rule(np.arctanh, math.atanh, shape=same, holomorphic=True, samples=WITHIN_ONE, scalar=math.atanh)
def grad_arctanh(x, y, grad_y):
    grad_x = grad_y / ((1 - x) * (1 + x))
    return grad_x


@rule(math.erf, shape=same, samples=[Sample(real())])
def grad_erf(x, y, grad_y):
    grad_x = grad_y * 2 / math.sqrt(math.pi) * math.exp(-(x**2))
    return grad_x


@rule(math.erfc, shape=same, samples=[Sample(real())])
def grad_erfc(x, y, grad_y):
    grad_x = -grad_y * 2 / math.sqrt(math.pi) * math.exp(-(x**2))
    return grad_x
