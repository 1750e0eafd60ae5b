"""Functions made of pieces: abs, maximum, minimum, fmax, fmin, where, clip, sign, rounding.

In: nothing. Out: records in the registry. Layer: rules.

Between the pieces the derivative does not exist; each record declares what is chosen there.
"""

from __future__ import annotations

import math

import numpy as np

from flatgrad.registry import Kink, Sample, imaginary, no_gradient, real, rule
from flatgrad.rules.shapes import elementwise, same
from flatgrad.rules.static import is_constant

PAIRS = [Sample(real(3), real(2, 3)), Sample(real(2, 1), real(1, 3)), Sample(real(3), 0), Sample(0.5, real(3))]
NUMBERS = [Sample(real(), 0.25), Sample(0.25, real()), Sample(real(), -2)]


@rule(
    np.abs,
    abs,
    np.fabs,
    math.fabs,
    shape=same,
    holomorphic=True,
    samples=[Sample(real(2, 3)), Sample(real())],
    kinks=[Kink("abs(0)", "0", (np.array([0.0]),), (np.array([0.0]),), jax="1", torch="0")],
    scalar=abs,
)
def grad_abs(x, y, grad_y):
    if np.iscomplexobj(x):
        # 1 stands for a size of 0, where the gradient is 0
        size = y + (y == 0)
        grad_x = grad_y * np.conj(x / size)
    else:
        grad_x = grad_y * np.sign(x)
    return grad_x


TIE = (np.array([3.0]), np.array([3.0])), (np.array([0.5]), np.array([0.5]))


def maximum(a: float, b: float) -> float:
    """Return the larger of two numbers; nan where one of them is nan."""
    return a if a >= b or math.isnan(a) else b


@rule(max, shape=elementwise, samples=NUMBERS)
@rule(
    np.maximum,
    shape=elementwise,
    samples=PAIRS,
    kinks=[
        Kink("maximum(x, x)", "half to each", *TIE, jax="half to each", torch="half to each"),
        Kink(
            "relu: maximum(x, 0) at 0",
            "0",
            (np.array([0.0]), 0),
            (np.array([0.0]), None),
            jax="1/2",
            torch="1, as clamp(x, min=0)",
        ),
        Kink(
            "maximum(x, c) with a constant c, at c",
            "0",
            (3.0, np.array([3.0])),
            (None, np.array([0.0])),
            jax="1/2",
            torch="1/2",
        ),
    ],
    scalar=maximum,
)
def grad_maximum(a, b, y, grad_y):
    if is_constant(a) or is_constant(b):
        grad_a = grad_y * (a > b)
        grad_b = grad_y * (b > a)
    else:
        grad_a = grad_y * (a > b) + grad_y / 2 * (a == b)
        grad_b = grad_y * (b > a) + grad_y / 2 * (a == b)
    return grad_a, grad_b


def minimum(a: float, b: float) -> float:
    """Return the smaller of two numbers; nan where one of them is nan."""
    return a if a <= b or math.isnan(a) else b


@rule(min, shape=elementwise, samples=NUMBERS)
@rule(
    np.minimum,
    shape=elementwise,
    samples=PAIRS,
    kinks=[
        Kink("minimum(x, x)", "half to each", *TIE, jax="half to each", torch="half to each"),
        Kink(
            "minimum(x, c) with a constant c, at c",
            "0",
            (np.array([3.0]), 3),
            (np.array([0.0]), None),
            jax="1/2",
            torch="1/2",
        ),
    ],
    scalar=minimum,
)
def grad_minimum(a, b, y, grad_y):
    if is_constant(a) or is_constant(b):
        grad_a = grad_y * (a < b)
        grad_b = grad_y * (b < a)
    else:
        grad_a = grad_y * (a < b) + grad_y / 2 * (a == b)
        grad_b = grad_y * (b < a) + grad_y / 2 * (a == b)
    return grad_a, grad_b


# fmax and fmin pass over a nan: the other one is the result.
AT_NAN = (np.array([np.nan]), np.array([3.0])), (np.array([0.0]), np.array([1.0]))


@rule(
    np.fmax,
    shape=elementwise,
    samples=PAIRS,
    kinks=[
        Kink("fmax(x, x)", "half to each", *TIE, jax="all to the second", torch="all to the first"),
        Kink("fmax(nan, x)", "all to x", *AT_NAN, jax="all to x", torch="all to x"),
    ],
)
def grad_fmax(a, b, y, grad_y):
    if is_constant(a) or is_constant(b):
        grad_a = grad_y * ((a > b) | np.isnan(b))
        grad_b = grad_y * ((b > a) | np.isnan(a))
    else:
        grad_a = grad_y * ((a > b) | np.isnan(b)) + grad_y / 2 * (a == b)
        grad_b = grad_y * ((b > a) | np.isnan(a)) + grad_y / 2 * (a == b)
    return grad_a, grad_b


@rule(
    np.fmin,
    shape=elementwise,
    samples=PAIRS,
    kinks=[
        Kink("fmin(x, x)", "half to each", *TIE, jax="all to the second", torch="all to the first"),
        Kink("fmin(nan, x)", "all to x", *AT_NAN, jax="all to x", torch="all to x"),
    ],
)
def grad_fmin(a, b, y, grad_y):
    if is_constant(a) or is_constant(b):
        grad_a = grad_y * ((a < b) | np.isnan(b))
        grad_b = grad_y * ((b < a) | np.isnan(a))
    else:
        grad_a = grad_y * ((a < b) | np.isnan(b)) + grad_y / 2 * (a == b)
        grad_b = grad_y * ((b < a) | np.isnan(a)) + grad_y / 2 * (a == b)
    return grad_a, grad_b


CHOICE = np.array([True, False, True])


@rule(
    np.where,
    shape=elementwise,
    holomorphic=True,
    samples=[
        Sample(CHOICE, imaginary(2, 3), imaginary(3)),
        Sample(CHOICE, real(2, 3), real(3)),
        Sample(CHOICE, real(2, 1), 0.25),
        Sample(CHOICE, 0.0, real(3), wrt=("other",)),
        Sample(True, real(), 0.25),
    ],
    kinks=[
        Kink(
            "where(c, a, b) with nan or inf in the side that is not taken",
            "the taken side only",
            (np.array([True, False]), np.array([1.0, np.nan]), np.array([np.inf, 2.0])),
            (None, np.array([1.0, 0.0]), np.array([0.0, 1.0])),
            jax="nan",
            torch="nan",
        )
    ],
    scalar="{x} if {condition} else {other}",
)
def grad_where(condition, x, other, y, grad_y):
    grad_x = np.where(condition, grad_y, 0)
    grad_other = np.where(condition, 0, grad_y)
    return grad_x, grad_other


def clip(a: float, a_min: float | None = None, a_max: float | None = None) -> float:
    """Return the number moved into the bounds; a bound may be None, and nan wins as it does in NumPy."""
    if a_min is not None and (a < a_min or math.isnan(a_min)):
        a = a_min
    if a_max is not None and (a > a_max or math.isnan(a_max)):
        a = a_max
    return a


BOUND = np.array([1.0])


@rule(
    np.clip,
    shape=elementwise,
    samples=[
        Sample(real(2, 3), -0.5, 0.75),
        Sample(real(3), np.array([-0.5, 0.25, -1.0]), np.array([[0.5], [0.3]])),
        Sample(real(3), -0.5, None),
        Sample(real(3), None, 0.5),
        Sample(real(3), a_min=None, a_max=0.25),
        Sample(real(), -0.25, 0.25),
    ],
    kinks=[
        Kink("clip(x, c, d) at c", "1", (BOUND, 1, 2), (BOUND, None, None), jax="1/2", torch="1"),
        Kink("clip(x, c, d) at d", "1", (BOUND, 0, 1), (BOUND, None, None), jax="1/2", torch="1"),
        Kink(
            "clip(x, c, d) at c, to c",
            "0",
            (BOUND, BOUND, BOUND + 1),
            (BOUND, BOUND - 1, BOUND - 1),
            jax="1/2",
            torch="0",
        ),
    ],
    scalar=clip,
)
def grad_clip(a, a_min=None, a_max=None, y=None, grad_y=None):
    if a_min is None and a_max is None:
        grad_a = grad_y
        grad_a_min = None
        grad_a_max = None
    elif a_max is None:
        grad_a = grad_y * (a >= a_min)
        grad_a_min = grad_y * (a < a_min)
        grad_a_max = None
    elif a_min is None:
        grad_a = grad_y * (a <= a_max)
        grad_a_min = None
        grad_a_max = grad_y * (a > a_max)
    else:
        # where the bounds are the wrong way round, the upper one wins
        grad_a = grad_y * ((a >= a_min) & (a <= a_max))
        grad_a_min = grad_y * ((a < a_min) & (a_min <= a_max))
        grad_a_max = grad_y * ((a > a_max) | (a_min > a_max))
    return grad_a, grad_a_min, grad_a_max


# Steps: the slope is 0 wherever there is one.


def floor(x: float) -> float:
    """Return the largest whole number that is not above x, as a float; inf and nan stay."""
    return float(math.floor(x)) if math.isfinite(x) else x


def ceil(x: float) -> float:
    """Return the smallest whole number that is not below x, as a float; inf and nan stay."""
    return float(math.ceil(x)) if math.isfinite(x) else x


def trunc(x: float) -> float:
    """Return x without its fraction, as a float; inf and nan stay."""
    return float(math.trunc(x)) if math.isfinite(x) else x


def round_half_to_even(x: float, decimals: int = 0) -> float:
    """Return the nearest number with so many decimals, as a float; halves go to the even one."""
    return float(round(x, decimals))


STEPS = [Sample(real(2, 3)), Sample(real())]
AT_STEPS = (np.array([-1.5, 0.0, 0.5, 1.0]),), (np.zeros(4),)
no_gradient(
    np.sign,
    shape=same,
    samples=STEPS,
    kinks=[Kink("sign(0)", "0", *AT_STEPS, jax="0", torch="0")],
    # the sum keeps nan, and makes 0.0 of -0.0 as NumPy does
    scalar="1.0 if {x} > 0 else -1.0 if {x} < 0 else {x} + 0.0",
)
no_gradient(
    np.floor,
    shape=same,
    samples=STEPS,
    kinks=[Kink("floor, ceil, trunc, round at a step", "0", *AT_STEPS, jax="0", torch="0")],
    scalar=floor,
)
no_gradient(np.ceil, shape=same, samples=STEPS, scalar=ceil)
no_gradient(np.trunc, np.fix, shape=same, samples=STEPS, scalar=trunc)
no_gradient(np.rint, np.round, np.around, shape=same, samples=STEPS, scalar=round_half_to_even)
no_gradient(round, math.floor, math.ceil, math.trunc, shape=same, samples=[Sample(real())])
