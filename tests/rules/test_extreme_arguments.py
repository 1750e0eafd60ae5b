"""Gradients where numbers overflow, cancel or vanish, compared with mpmath at 60 digits.

What is not finite there is not finite here; what is too large for a float is inf, what is too small 0.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from flatgrad import nn
from flatgrad.api import grad

mpmath = pytest.importorskip("mpmath")

LEAST = 5e-324
NEAR_ZERO = [0.0, -0.0, LEAST, -LEAST, 1e-300, -1e-300, 1e-160, 1e-20, -1e-8, 1e-4]
MIDDLE = [0.3, -0.7, 1.0, -1.0, 3.5, -9.0]
NEAR_ONE = [1 - 1e-15, 1 + 1e-15, 1e-10 - 1, 1 - 1e-5]
LARGE = [40.0, -40.0, 300.0, -300.0, 709.0, -745.0, 1e8, -1e8, 1e154, 1e200, -1e200, 1e300, -1e300]
EVERYWHERE = [*NEAR_ZERO, *MIDDLE, *NEAR_ONE, *LARGE]
ABOVE_ZERO = [x for x in EVERYWHERE if x > 0]
WITHIN_ONE = [x for x in EVERYWHERE if abs(x) < 1]
ABOVE_ONE = [x for x in EVERYWHERE if x > 1]
# beyond them NumPy's own sines are a matter of the machine
ANGLES = [x for x in EVERYWHERE if abs(x) <= 1e8]

# the function, its derivative for mpmath, arguments, and the absolute error that its textbook formula has:
# 1 - y**2 has no digits left where y is all but 1
EPSILON = 3e-16
ONE_ARGUMENT = {
    "np.exp(x)": (mpmath.exp, EVERYWHERE, 0),
    "np.exp2(x)": (lambda x: mpmath.log(2) * mpmath.mpf(2) ** x, EVERYWHERE, 0),
    "np.expm1(x)": (mpmath.exp, EVERYWHERE, 0),
    "np.log(x)": (lambda x: 1 / x, ABOVE_ZERO, 0),
    "np.log2(x)": (lambda x: 1 / (x * mpmath.log(2)), ABOVE_ZERO, 0),
    "np.log10(x)": (lambda x: 1 / (x * mpmath.log(10)), ABOVE_ZERO, 0),
    "np.log1p(x)": (lambda x: 1 / (1 + x), [x for x in EVERYWHERE if x > -1], 0),
    "np.sqrt(x)": (lambda x: 1 / (2 * mpmath.sqrt(x)), ABOVE_ZERO, 0),
    "np.cbrt(x)": (lambda x: 1 / (3 * mpmath.cbrt(x) ** 2), ABOVE_ZERO, 0),
    "np.square(x)": (lambda x: 2 * x, EVERYWHERE, 0),
    "np.reciprocal(x)": (lambda x: -1 / x**2, [x for x in EVERYWHERE if x], 0),
    "x**3": (lambda x: 3 * x**2, EVERYWHERE, 0),
    "x**-2": (lambda x: -2 / x**3, [x for x in EVERYWHERE if x], 0),
    "x**2.5": (lambda x: 2.5 * x**1.5, ABOVE_ZERO, 0),
    "np.sin(x)": (mpmath.cos, ANGLES, EPSILON),
    "np.cos(x)": (lambda x: -mpmath.sin(x), ANGLES, EPSILON),
    "np.tan(x)": (lambda x: mpmath.sec(x) ** 2, ANGLES, 0),
    "np.arcsin(x)": (lambda x: 1 / mpmath.sqrt(1 - x**2), WITHIN_ONE, 0),
    "np.arccos(x)": (lambda x: -1 / mpmath.sqrt(1 - x**2), WITHIN_ONE, 0),
    "np.arctan(x)": (lambda x: 1 / (1 + x**2), EVERYWHERE, 0),
    "np.sinh(x)": (mpmath.cosh, EVERYWHERE, 0),
    "np.cosh(x)": (mpmath.sinh, EVERYWHERE, 0),
    "np.tanh(x)": (lambda x: mpmath.sech(x) ** 2, EVERYWHERE, EPSILON),
    "np.arcsinh(x)": (lambda x: 1 / mpmath.sqrt(1 + x**2), EVERYWHERE, 0),
    "np.arccosh(x)": (lambda x: 1 / mpmath.sqrt(x**2 - 1), ABOVE_ONE, 0),
    "np.arctanh(x)": (lambda x: 1 / (1 - x**2), WITHIN_ONE, 0),
    "np.sinc(x)": (lambda x: (mpmath.cospi(x) - mpmath.sincpi(x)) / x if x else mpmath.mpf(0), ANGLES, 3e-14),
    "np.i0(x)": (lambda x: mpmath.besseli(1, x), [x for x in EVERYWHERE if abs(x) < 710], 0),
    "nn.sigmoid(x)": (lambda x: 1 / (2 + mpmath.exp(x) + mpmath.exp(-x)), EVERYWHERE, EPSILON),
    "nn.softplus(x)": (lambda x: 1 / (1 + mpmath.exp(-x)), EVERYWHERE, 0),
}
PAIRS = [(a, b) for a in (0.0, 1e-320, 1e-300, -1e-8, 0.7, -3.5, 40.0, 1e16, -1e200, 1e300) for b in (
    LEAST, -1e-300, 1e-8, 0.3, -0.7, 3.5, -40.0, 1e16 + 2, 1e200, -1e300)]  # fmt: skip
POWERS = [(a, b) for a in (1e-300, 1e-8, 0.7, 1.0, 3.5, 1e200) for b in (-1.5, -1e-8, 1e-300, 0.5, 1.0, 2.0, 7.3)]
TWO_ARGUMENTS = {
    "np.hypot(a, b)": (
        lambda a, b: (a / mpmath.hypot(a, b), b / mpmath.hypot(a, b)),
        # a length that is no normal number has few digits itself
        [pair for pair in PAIRS if max(map(abs, pair)) > 1e-307],
    ),
    "np.arctan2(a, b)": (lambda a, b: (b / (a**2 + b**2), -a / (a**2 + b**2)), PAIRS),
    "np.logaddexp(a, b)": (lambda a, b: (1 / (1 + mpmath.exp(b - a)), 1 / (1 + mpmath.exp(a - b))), PAIRS),
    "np.logaddexp2(a, b)": (
        lambda a, b: (1 / (1 + mpmath.mpf(2) ** (b - a)), 1 / (1 + mpmath.mpf(2) ** (a - b))),
        PAIRS,
    ),
    "np.power(a, b)": (lambda a, b: (b * a ** (b - 1), a**b * mpmath.log(a)), POWERS),
}


INF = math.inf
# arguments that are not finite, and the gradients there: the limits
NOT_FINITE = {
    "np.exp(x)": {INF: INF, -INF: 0},
    "np.expm1(x)": {INF: INF, -INF: 0},
    "np.log(x)": {INF: 0, 0.0: INF},
    "np.log1p(x)": {INF: 0, -1.0: INF},
    "np.sqrt(x)": {INF: 0, 0.0: INF},
    "np.cbrt(x)": {INF: 0, -INF: 0, 0.0: INF},
    "np.square(x)": {INF: INF, -INF: -INF},
    "np.reciprocal(x)": {INF: 0, -INF: 0, 0.0: -INF},
    "np.arctan(x)": {INF: 0, -INF: 0},
    "np.arcsinh(x)": {INF: 0, -INF: 0},
    "np.sinh(x)": {INF: INF, -INF: INF},
    "np.cosh(x)": {INF: INF, -INF: -INF},
    "np.tanh(x)": {INF: 0, -INF: 0},
    "np.arcsin(x)": {1.0: INF, -1.0: INF},
    "np.arctanh(x)": {1.0: INF, -1.0: INF},
    "nn.sigmoid(x)": {INF: 0, -INF: 0},
    "nn.softplus(x)": {INF: 1, -INF: 0},
    "np.logaddexp(x, 0.5)": {INF: 1, -INF: 0},
    "np.logaddexp2(0.5, x)": {INF: 1, -INF: 0},
    "np.fmax(x, 0.5)": {INF: 1, -INF: 0, np.nan: 0},
    "np.nan_to_num(x)": {INF: 0, -INF: 0, np.nan: 0},
}


def gradient_of(define, expression, names, arguments):
    """Return the gradients of an expression at arrays of arguments."""
    f = define(f"def f({', '.join(names)}):\n    return np.sum({expression})\n", nn=nn)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return grad(f)(*map(np.array, arguments))


def as_float(number):
    """Return a number of mpmath as a float; inf where it is too large."""
    return float(number) if mpmath.isfinite(number) and abs(number) < 2**1024 else math.copysign(math.inf, number)


def assert_close(actual, expected, places, absolute):
    """Equal to 13 digits; what is not a normal number has fewer."""
    wrong = [
        f"at {place}: {float(a)!r}, not {e!r}"
        for a, e, place in zip(actual, expected, places, strict=True)
        if not (a == e or math.isclose(a, e, rel_tol=1e-13, abs_tol=max(absolute, 1e-307)))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.fixture(autouse=True)
def many_digits():
    with mpmath.workdps(60):
        yield


@pytest.mark.parametrize(("expression", "case"), ONE_ARGUMENT.items(), ids=ONE_ARGUMENT)
def test_gradient_at_extreme_arguments(define, expression, case):
    derivative, numbers, absolute = case
    (actual,) = gradient_of(define, expression, ["x"], [numbers])
    expected = [as_float(derivative(mpmath.mpf(x))) for x in numbers]
    assert_close(actual, expected, numbers, absolute)


@pytest.mark.parametrize(("expression", "case"), TWO_ARGUMENTS.items(), ids=TWO_ARGUMENTS)
def test_gradients_at_extreme_pairs(define, expression, case):
    derivatives, pairs = case
    actual = gradient_of(define, expression, ["a", "b"], list(zip(*pairs, strict=True)))
    expected = zip(*[map(as_float, derivatives(*map(mpmath.mpf, pair))) for pair in pairs], strict=True)
    for gradient, right in zip(actual, expected, strict=True):
        assert_close(gradient, right, pairs, 0)


@pytest.mark.parametrize(("expression", "limits"), NOT_FINITE.items(), ids=NOT_FINITE)
def test_gradient_at_what_is_not_finite(define, expression, limits):
    """The gradient is the limit; nan stays nan, but where the function passes over it."""
    limits = {np.nan: np.nan} | limits
    (actual,) = gradient_of(define, expression, ["x"], [[*limits]])
    np.testing.assert_array_equal(actual, list(limits.values()))
