"""What all ufuncs have in common: dtype=, where= with out=, and the methods reduce, accumulate and outer."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import emit, grad, value_and_grad
from flatgrad.errors import FlatgradError

STEP = 1e-6
A = np.array([[1.5, -0.7, 0.4], [2.5, 0.9, -1.3]])
B = np.array([0.0, 2.0, -0.5])
POSITIVE = np.array([0.0, 0.3, 0.7, 1.4])


def slopes(f, arguments, k):
    """Return the gradient of one argument by central differences."""
    gradient = np.zeros_like(arguments[k])
    for place in np.ndindex(gradient.shape):
        sides = []
        for step in (STEP, -STEP):
            moved = [argument.copy() for argument in arguments]
            moved[k][place] += step
            sides.append(f(*moved))
        gradient[place] = (sides[0] - sides[1]) / (2 * STEP)
    return gradient


def assert_right(f, *arguments, differences=True):
    """The value is that of the function, bit for bit, and the gradients are its derivative; in both styles."""
    for style in ("flat", "compact"):
        value, gradients = value_and_grad(f, style=style)(*arguments)
        assert np.asarray(value).tobytes() == np.asarray(f(*arguments)).tobytes()
        for k, gradient in enumerate(gradients):
            assert gradient.dtype == arguments[k].dtype
            assert np.all(np.isfinite(gradient))
            if differences:
                np.testing.assert_allclose(gradient, slopes(f, arguments, k), rtol=1e-6, atol=1e-7)


# where= and out=, at arguments where the side that is not computed has no value or no derivative

MASKED = {
    "divide": ("np.sum(np.divide(a, b, out=np.zeros_like(a), where=np.abs(b) > 0.1) ** 2)", (A, B)),
    "divide by what is masked": ("np.sum(np.divide(1.0, b, out=np.full_like(b, 3.0), where=np.abs(b) > 0.1))", (B,)),
    "log": ("-np.sum(p * np.log(p, out=np.zeros_like(p), where=p > 0.1))", (POSITIVE,)),
    "out that is used before": ("np.sum(np.sqrt(p, out=p * 2, where=p > 0.1) * p)", (POSITIVE,)),
    "out of another shape": ("np.sum(np.multiply(b, b, out=np.ones((2, 3)), where=a > 0) * a)", (A, B)),
    "power": ("np.sum(np.power(a, b, out=np.ones_like(a), where=a > 0))", (A, B)),
    "arctanh": ("np.sum(np.arctanh(p, out=np.zeros_like(p), where=p < 0.9))", (POSITIVE,)),
    "arccosh": ("np.sum(np.arccosh(p, out=np.zeros_like(p), where=p > 1.1))", (POSITIVE,)),
    "arcsin": ("np.sum(np.arcsin(p, out=np.zeros_like(p), where=p < 0.9))", (POSITIVE,)),
    "exp": ("np.sum(np.exp(1e3 * p - 300, out=np.zeros_like(p), where=p < 0.5))", (POSITIVE,)),
}


@pytest.mark.parametrize(("expression", "arguments"), MASKED.values(), ids=MASKED)
def test_only_what_is_computed_has_a_gradient(define, expression, arguments):
    """No nan, no inf and no warning comes from where the mask is false."""
    names = {1: "p" if "p" in expression.replace("np", "") else "b", 2: "a, b"}[len(arguments)]
    assert_right(define(f"def f({names}):\n    return {expression}\n"), *arguments)


def test_each_gradient_is_masked_once(define):
    """The number in the place of what is masked is safe, so that one mask, the last, is enough."""
    f = define("def f(a, b):\n    return np.sum(np.divide(a, b, out=np.zeros_like(a), where=b > 0))\n")
    backward = str(emit(f, A, A, style="compact")).partition("# backward")[2]
    assert backward.count("np.where") == 2
    assert "np.zeros_like" not in backward


def test_gradient_of_what_out_held_before(define):
    f = define("""
        def f(p, q):
            r = q * 2
            np.log(p, out=r, where=p > 0.1)
            return np.sum(r * r)
    """)
    assert_right(f, POSITIVE, POSITIVE + 1)


def test_array_that_has_another_name_is_changed(define):
    f = define("""
        def f(p):
            kept = [np.zeros_like(p)]
            logs = np.log(p, out=kept[0], where=p > 0.1)
            return np.sum(kept[0] * logs)
    """)
    assert_right(f, POSITIVE)


def test_number_that_is_masked_keeps_the_dtype(define):
    """2.0 beside float32 is no float64."""
    f = define("""
        def f(p):
            return np.sum(np.power(p, 2.0, out=np.zeros_like(p), where=p > 0.1) * np.float32(0.1))
    """)
    assert_right(f, POSITIVE.astype(np.float32), differences=False)


# dtype=


def test_calculation_in_another_dtype(define):
    f = define("""
        def f(a, b):
            return np.sum(np.multiply(np.exp(a, dtype=np.float32), 0.1, dtype="float32") + np.add(a, b, dtype=float))
    """)
    assert_right(f, A, B, differences=False)
    expected = np.exp(A.astype(np.float32)) * np.float32(0.1) + 1
    np.testing.assert_allclose(grad(f)(A, B).a, expected, rtol=1e-6)


def test_whole_numbers_in_a_calculation_with_floats(define):
    f = define("""
        def f(a):
            return np.sum(np.multiply(a, np.divide(np.arange(3), 2, dtype=np.float64)))
    """)
    assert_right(f, A)


# methods

METHODS = {
    "add.reduce": "np.sum(np.add.reduce(a) ** 2) + np.sum(np.add.reduce(a, 1, keepdims=True) ** 3)",
    "add.reduce of a row": "np.add.reduce(b) ** 2",
    "multiply.reduce": "np.sum(np.multiply.reduce(a, axis=1) ** 2) + np.multiply.reduce(a, axis=None)",
    "maximum.reduce": "np.sum(np.maximum.reduce(a, axis=-1) ** 2) + np.minimum.reduce(b) ** 2",
    "logaddexp.reduce": "np.sum(np.logaddexp.reduce(a, axis=1, keepdims=True) * a)",
    "add.accumulate": "np.sum(np.add.accumulate(a) * np.multiply.accumulate(a, axis=1))",
    "maximum.accumulate": "np.sum(np.maximum.accumulate(a, axis=1) ** 2)",
    "subtract.outer": "np.sum(np.subtract.outer(b, b[:2]) ** 3) + np.sum(np.multiply.outer(a, b) ** 2)",
    "outer of a number": "np.sum(np.add.outer(a, 2.0) ** 2)",
    "outer of a list": "np.sum(np.multiply.outer(b, [1.0, 2.0]) ** 2)",
    "outer with dtype": "np.sum(np.multiply.outer(b, np.arange(2), dtype=float) ** 2)",
    "logical_and.reduce": "np.sum(a * np.logical_and.reduce(a > -1, axis=1, keepdims=True))",
    "reduce with out": "np.sum(np.add.reduce(a, axis=0, out=b * 1) ** 2)",
    "in a loop": "sum(np.add.reduce(row) ** 2 for row in a)",
}


@pytest.mark.parametrize("expression", METHODS.values(), ids=METHODS)
def test_methods(define, expression):
    assert_right(define(f"def f(a, b):\n    return {expression} + 0 * np.sum(b) + 0 * np.sum(a)\n"), A, B + 0.1)


def test_method_under_another_name(define):
    f = define("def f(a):\n    return np.sum(running(a) ** 2)\n", running=np.maximum.accumulate)
    assert_right(f, A)


# errors

REFUSED = {
    "where without out": ("np.divide(a, 3.0, where=a > 0)", "without `out`"),
    "where that is no truth value": ("np.exp(a, out=np.ones((2, 3)), where=a)", "takes truth values, not float64"),
    "casting": ("np.exp(a, casting='unsafe')", "`casting` of np.exp has no rule"),
    "order": ("np.exp(a, order='F')", "`order` of np.exp has no rule"),
    "dtype of whole numbers": ("np.add(a, a, dtype=int)", "float64 values do not go into a calculation in int64"),
    "dtype of results": ("np.less(a, a, dtype=bool)", "do not go into a calculation in bool"),
    "no rule": ("np.subtract.reduce(a)", "`np.subtract.reduce` has no rule"),
    "not a method here": ("np.add.reduceat(a, [0, 1])", "has no rule"),
    "an option without a rule": ("np.logaddexp.reduce(a, initial=0.0)", "without the argument `initial`"),
    "where of a function without a gradient": ("a * np.isnan(a, where=a > 0)", "without `out`"),
}


@pytest.mark.parametrize(("expression", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(define, expression, message):
    f = define(f"def f(a):\n    return np.sum({expression})\n")
    with pytest.raises(FlatgradError) as caught:
        grad(f)(A)
    assert message in str(caught.value)
