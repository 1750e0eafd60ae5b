"""np.where: the gradient of the side that is taken, whatever the other side is there.

The other side may be nan or inf, with a derivative that is, at every place where it is not taken.
"""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad.api import value_and_grad

X = np.array([0.0, 1.5, -2.0, 4.0])
ROWS = np.array([[0.0, 0.0], [2.0, 3.0]])
TAKEN = X > 0
NEVER = np.zeros(4, dtype=bool)
PICKED = np.array([False, True])
LOG = np.array([0, 1 / 1.5, 0, 0.25])

# the function's parameters, its statements, the arguments, and the gradients of the floats among them
CASES = {
    "one side": ("x", "return np.sum(np.where(x > 0, np.log(x), 0.0))", [X], [LOG]),
    "other side": ("x", "return np.sum(np.where(x <= 0, 0.0, np.log(x)))", [X], [LOG]),
    "one of several": (
        "x",
        "return np.sum(np.select([x < 0, x > 0], [-x, np.log(x)], 2.0))",
        [X],
        [LOG - [0, 0, 1, 0]],
    ),
    "the rest of several": ("x", "return np.sum(np.select([x <= 0], [0.0], np.log(x)))", [X], [LOG]),
    "the first that holds": (
        "x",
        "return np.sum(np.select([x == 0, x >= 0], [x, np.log(x)]))",
        [X],
        [LOG + [1, 0, 0, 0]],
    ),
    "chosen by numbers": ("x, k", "return np.sum(np.choose(k, [x, np.log(x)]))", [X, TAKEN + 0], [LOG + [1, 0, 1, 0]]),
    "both sides": (
        "x",
        "return np.sum(np.where(x > 0, np.log(x), np.sqrt(-x)))",
        [np.array([1.5, -2.0, 4.0])],
        [np.array([1 / 1.5, -0.5 / np.sqrt(2), 0.25])],
    ),
    "a nan turned into a number": (
        "x",
        "return np.sum(np.nan_to_num(np.log(x), nan=0.0, neginf=0.0))",
        [np.array([0.0, 1.5, 4.0])],
        [np.array([0, 1 / 1.5, 0.25])],
    ),
    "what a mask picks": ("x", "return np.sum(np.log(x)[x > 0])", [X], [LOG]),
    "what two masks pick": (
        "x",
        "y = np.log(x)\n    return np.sum(y[x > 2]) + np.sum(y[x > 0])",
        [X],
        [LOG + [0, 0, 0, 0.25]],
    ),
    "what a mask picks beside the whole": (
        "x",
        "y = x * x\n    return np.sum(np.sqrt(y)[x > 0]) + np.sum(y)",
        [X],
        [2 * X + TAKEN],
    ),
    "what is written over": ("x", "y = np.log(x)\n    y[x <= 0] = 0.0\n    return np.sum(y)", [X], [LOG]),
    "what is written over by data": (
        "x",
        "y = np.log(x * x)\n    y[x <= 0] = x[x <= 0]\n    return np.sum(y)",
        [X],
        [2 * LOG + [1, 0, 1, 0]],
    ),
    "the sigmoid linear unit": (
        "x",
        "s = 1 / (1 + np.exp(-np.log(x)))\n    return np.sum(np.where(x > 0, np.log(x) * s, 0.0))",
        [np.array([0.0, 1.0, -2.0])],
        [np.array([0, 0.5, 0])],
    ),
    "greatest without nan": (
        "x",
        "return np.nanmax(np.sqrt(x))",
        [np.array([1.0, -2.0, 4.0])],
        [np.array([0, 0, 0.25])],
    ),
    "least without nan": ("x", "return np.nanmin(np.log(x))", [np.array([1.0, -2.0, 4.0])], [np.array([1.0, 0, 0])]),
    "running sum without nan": (
        "x",
        "return np.sum(np.nancumsum(np.sqrt(x)))",
        [np.array([1.0, -2.0, 4.0])],
        [np.array([1.5, 0, 0.25])],
    ),
    "chain": (
        "x",
        "return np.sum(np.where(x > 0, np.tan(np.sqrt(np.log(1 / (x * x * x)) ** 2)), 0.0))",
        [np.array([0.0, np.exp(0.25), -2.0])],
        [np.array([0, 3 * np.exp(-0.25) / np.cos(0.75) ** 2, 0])],
    ),
    "nested in the other side": (
        "x",
        "return np.sum(np.where(x > 0, np.where(x > 2, 1 / x, np.log(x)), 3 * x))",
        [X],
        [np.array([3, 1 / 1.5, 3, -1 / 16])],
    ),
    "nested in one side": (
        "x",
        "return np.sum(np.where(x <= 0, 3 * x, np.where(x > 2, np.log(x), 1 / x)))",
        [X],
        [np.array([3, -1 / 1.5**2, 3, 0.25])],
    ),
    "nested in the argument": (
        "x",
        "return np.sum(np.where(x > 0, np.log(np.where(x > 0, x, 0.0)), 0.0))",
        [X],
        [LOG],
    ),
    "through a sum": ("x", "return np.where(x[0] > 0, np.sum(np.log(x)), x[1])", [X], [np.array([0, 1.0, 0, 0])]),
    "through a mean": ("x", "return np.where(x[0] > 0, np.mean(np.log(x)), x[1])", [X], [np.array([0, 1.0, 0, 0])]),
    "through a sum over an axis": (
        "x, c",
        "return np.sum(np.where(c, np.log(np.sum(x, axis=1)), 0.0))",
        [ROWS, PICKED],
        [np.array([[0, 0], [0.2, 0.2]])],
    ),
    "through a sum that keeps its axis": (
        "x, c",
        "return np.sum(np.where(c[:, None], np.log(np.sum(x, axis=1, keepdims=True)), 0.0))",
        [ROWS, PICKED],
        [np.array([[0, 0], [0.2, 0.2]])],
    ),
    "inside a sum": (
        "x, c",
        "return np.sum(np.where(c, np.sum(np.log(x), axis=1), 0.0))",
        [ROWS, PICKED],
        [np.array([[0, 0], [1 / 2, 1 / 3]])],
    ),
    "inside a mean": (
        "x, c",
        "return np.sum(np.where(c, np.mean(np.sqrt(x), axis=1), 0.0))",
        [ROWS, PICKED],
        [np.array([[0, 0], [1 / 4 / np.sqrt(2), 1 / 4 / np.sqrt(3)]])],
    ),
    "column that is broadcast": (
        "x, c",
        "return np.sum(np.where(c[:, None], np.log(np.sum(x, axis=1, keepdims=True)), x))",
        [ROWS, PICKED],
        [np.array([[1, 1], [0.4, 0.4]])],
    ),
    "condition that is broadcast": (
        "x, c",
        "return np.sum(np.where(c[:, None], np.log(x), 1.0))",
        [ROWS, PICKED],
        [np.array([[0, 0], [1 / 2, 1 / 3]])],
    ),
    "number that is broadcast and never taken": (
        "x, s, c",
        "return np.sum(np.where(c, np.sqrt(s), x))",
        [X, 0.0, NEVER],
        [np.ones(4), 0.0],
    ),
    "number that is broadcast and taken": (
        "x, s, c",
        "return np.sum(np.where(c, np.sqrt(s), x))",
        [X, 4.0, TAKEN],
        [1.0 - TAKEN, 0.5],
    ),
    "number beside a number": ("s, c", "return np.sum(np.where(c, np.sqrt(s), 1.0))", [0.0, NEVER], [0.0]),
    "numbers only": ("s", "return np.where(s > 0, np.log(s), 1.0)", [0.0], [0.0]),
    "the same twice": (
        "x",
        "return np.sum(np.where(x > 0, 1 / x, 1.0) * np.where(x > 0, 1 / x, 1.0))",
        [X],
        [np.array([0, -2 / 1.5**3, 0, -2 / 64])],
    ),
    "scaled": ("x", "return np.sum(np.where(x > 0, 2 * np.log(x) / 4, 0.0))", [X], [LOG / 2]),
    "gate before it": (
        "x",
        "y = np.where(x > 0, np.log(x), 0.0)\n    return np.sum(y * y)",
        [X],
        [2 * LOG * np.log(np.where(X > 0, X, 1))],
    ),
    "product of two rows": (
        "x, c",
        "return np.sum(np.where(c, np.log(x) * np.sqrt(x), 0.0))",
        [np.array([0.0, 1.0, 4.0]), np.array([False, True, True])],
        [np.array([0, 1, 0.5 + np.log(4) / 4])],
    ),
    "reversed": ("x", "return np.sum(np.where(x > 0, np.log(x[::-1])[::-1], 0.0))", [X], [LOG]),
    "reshaped": ("x", "return np.sum(np.where(x > 0, np.log(x.reshape(2, 2)).reshape(4), 0.0))", [X], [LOG]),
    "transposed": (
        "x, c",
        "return np.sum(np.where(c, np.log(x.T), 0.0))",
        [ROWS, np.array([[False, True], [False, True]])],
        [np.array([[0, 0], [1 / 2, 1 / 3]])],
    ),
}


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("case", CASES)
def test_only_the_side_that_is_taken_has_a_gradient(define, case, style):
    """nan and inf of the side that is not taken reach no gradient."""
    parameters, statements, arguments, expected = CASES[case]
    f = define(f"def f({parameters}):\n    {statements}\n")
    with np.errstate(all="ignore"):
        value, gradients = value_and_grad(f, style=style)(*arguments)
        np.testing.assert_array_equal(value, f(*arguments))
    found = [gradient for gradient in gradients if gradient is not None]
    for gradient, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(gradient, right, rtol=1e-12, atol=0)


def test_gradient_of_the_side_that_is_taken_may_be_inf(define):
    """The mask hides nothing of the side that counts: sqrt at 0 has the slope inf."""
    f = define("def f(x):\n    return np.sum(np.where(x >= 0, np.sqrt(x), 0.0))\n")
    with np.errstate(divide="ignore"):
        _, (gradient,) = value_and_grad(f)(np.array([0.0, 4.0]))
    np.testing.assert_array_equal(gradient, [np.inf, 0.25])


def test_value_outside_of_the_condition_still_counts(define):
    """What is used beside np.where keeps its own gradient there, nan or not."""
    f = define("def f(x):\n    y = 1 / x\n    return np.sum(np.where(x > 2, y, 0.0)) + np.sum(y)\n")
    _, (gradient,) = value_and_grad(f)(np.array([1.0, 4.0]))
    np.testing.assert_allclose(gradient, [-1, -2 / 16], rtol=1e-14)
