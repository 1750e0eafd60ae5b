"""A value that is used often, never, or by way of whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad.api import emit, grad, value_and_grad, vjp
from flatgrad.differentiation.differentiate import LONGEST_SUM
from flatgrad.errors import UnsupportedError

X = np.array([0.3, -1.2, 2.5])


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("uses", [1, 2, 3, LONGEST_SUM, LONGEST_SUM + 1, 3 * LONGEST_SUM + 7])
def test_every_use_of_a_variable_counts_once(define, uses, style):
    """The gradient is the sum over all uses, however many there are."""
    lines = "\n".join(f"    y{k} = x * w[{k}]" for k in range(uses))
    f = define(f"def f(x, w):\n{lines}\n    return np.sum({' + '.join(f'y{k}' for k in range(uses))})\n")
    w = np.linspace(0.5, 2, uses)
    _, gradient = value_and_grad(f, "x", style=style)(X, w)
    np.testing.assert_allclose(gradient, np.full(3, w.sum()), rtol=1e-13)


def test_gradient_is_assigned_once(define):
    """Where a variable is used several times, its gradient is one sum."""
    f = define(
        "def f(x):\n    y = np.sin(x)\n    a = y * 2\n    b = y * y\n    c = np.exp(y)\n    return np.sum(a + b + c)\n"
    )
    for style in ("flat", "compact"):
        text = emit(f, X, style=style)
        assert text.count("grad_y = ") == 1
        assert text.count("grad_x = ") == 1


def test_same_argument_twice_in_one_operation(define):
    """x * x and x @ x use x twice in one operation."""
    for call, expected in [("np.sum(x * x)", 2 * X), ("x @ x", 2 * X), ("np.sum(np.maximum(x, x))", np.ones(3))]:
        _, (gradient,) = value_and_grad(define(f"def f(x):\n    return {call}\n"))(X)
        np.testing.assert_allclose(gradient, expected, rtol=1e-14)


def test_value_and_its_parts_may_both_be_returned(define):
    """Upstream gradients of several results are summed up, also where one result is made from another."""
    f = define("def f(x):\n    y = x * 2\n    z = np.sum(y * y)\n    return y, z\n")
    (y, z), pullback = vjp(f, X)
    (gradient,) = pullback(np.ones(3), 1.0)
    np.testing.assert_allclose(gradient, 2 + 8 * X, rtol=1e-14)
    assert z == np.sum(y * y)


def test_result_returned_twice_has_one_gradient_for_each_place(define):
    """`return y, y` has two upstream gradients, or says that it can't."""
    f = define("def f(x):\n    y = x * 2\n    return y, y\n")
    (first, second), pullback = vjp(f, X)
    (gradient,) = pullback(np.ones(3), np.full(3, 10.0))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(gradient, np.full(3, 22.0))


@pytest.mark.parametrize("style", ["flat", "compact"])
def test_parameter_that_is_not_used_has_a_zero_gradient(define, style):
    """Zeros of the parameter's shape and dtype, and 0.0 for a number."""
    f = define("def f(x, unused, number):\n    return np.sum(x)\n")
    unused = np.ones((2, 3), np.float32)
    _, gradients = value_and_grad(f, style=style)(X, unused, 1.5)
    np.testing.assert_array_equal(gradients.unused, np.zeros((2, 3), np.float32))
    assert gradients.unused.dtype == np.float32
    assert gradients.number == 0.0
    assert isinstance(gradients.number, float)


@pytest.mark.parametrize(
    "result",
    [
        "np.sum(x > 0) * 1.0",
        "np.sum(np.floor(x))",
        "float(x.shape[0])",
        "np.sum(stop_gradient(x))",
        "np.sum(x * 0 > 1) + 0.0",
    ],
)
def test_path_without_a_slope_gives_zeros(define, result):
    """Comparisons, steps and sizes pass no gradient on."""
    f = define(f"def f(x):\n    return {result}\n")
    value, (gradient,) = value_and_grad(f)(X)
    assert value == f(X)
    np.testing.assert_array_equal(gradient, np.zeros(3))
    assert gradient.dtype == X.dtype


def test_parameter_that_is_returned_as_it_is(define):
    """The gradient of x in `return x` is the upstream gradient, and has a name of its own."""
    value, pullback = vjp(define("def f(x):\n    return x\n"), X)
    np.testing.assert_array_equal(pullback(np.ones(3))[0], np.ones(3))
    np.testing.assert_array_equal(value, X)
    value, (gradient,) = value_and_grad(define("def f(x):\n    return x\n"))(2.5)
    assert (value, gradient) == (2.5, 1.0)


@pytest.mark.parametrize(
    "statements",
    [
        "y = x.astype(np.int64)\n    return np.sum(y * 1.0)",
        "return np.sum(x.astype(int) * w)",
        "return np.sum(np.array(x, dtype=np.int32) * w)",
    ],
)
def test_gradient_through_whole_numbers_is_an_error_or_zero(define, statements):
    """A cast to whole numbers is a step: its slope is 0, or the error says at which line there is none."""
    f = define(f"def f(x, w):\n    {statements}\n")
    try:
        _, gradients = value_and_grad(f)(X, np.ones(3))
    except UnsupportedError as error:
        (problem,) = error.problems
        assert problem.line == 7, "the line of the cast"
    else:
        np.testing.assert_array_equal(gradients.x, np.zeros(3))


def test_integer_arrays_take_part_without_a_gradient(define):
    """Whole numbers scale, index and count, and have the gradient None."""
    f = define("def f(x, k, i):\n    return np.sum(x[i] * k)\n")
    k, i = np.array([2, 3]), np.array([0, 2])
    _, gradients = value_and_grad(f)(X, k, i)
    np.testing.assert_array_equal(value_and_grad(f, "x")(X, k, i)[1], [2, 0, 3])
    assert gradients._fields == ("x",)
    _, gradients = value_and_grad(f, ("k", "x"))(X, k, i)
    assert gradients.k is None


def test_python_int_is_a_real_number(define):
    """Mathematics knows no difference between 2 and 2.0."""
    f = define("def f(x, n):\n    return np.sum(x) * n\n")
    _, gradients = value_and_grad(f)(X, 3)
    np.testing.assert_allclose(gradients.n, X.sum())
    _, gradients = value_and_grad(define("def f(a, b):\n    return a * b\n"))(2, 3)
    assert gradients == (3, 2)
    assert all(isinstance(gradient, float) for gradient in gradients)


@pytest.mark.parametrize("operation", ["a // b", "a % b", "round(a) * b", "int(a) * b", "abs(a) * b"])
def test_whole_numbers_of_python_on_the_path(define, slopes, operation):
    """Operations on Python ints that stay ints have the derivative of the function on real numbers."""
    f = define(f"def f(a, b):\n    return {operation}\n")
    value, (grad_a, grad_b) = value_and_grad(f)(7, 3)
    assert value == f(7, 3)
    assert type(value) is type(f(7, 3))
    expected = {"a // b": (0, 0), "a % b": (1, -2), "round(a) * b": (0, 7), "int(a) * b": (0, 7), "abs(a) * b": (3, 7)}
    assert (grad_a, grad_b) == expected[operation]


def test_lists_of_elements_that_overlap_add_up(define):
    """Only single elements with different numbers are known to be apart: rows of two lists may be the same."""
    f = define("def f(x):\n    return np.sum(x[[0, 1]] * 2.0) + np.sum(x[[1, 2]] * 3.0) + x[0] * 5.0\n")
    np.testing.assert_array_equal(grad(f, "x")(np.ones(4)), [7.0, 5.0, 3.0, 0.0])


PICKS = [
    "0", "1", "-1", "-4", "[0, 1]", "[1, 2]", "[0, 0]", "[-1, 3]", "1:", "::2", "i", "m", "None", "...", "[0, 3], 1",
    "0, 1", "0, -1", "0, 2", "(0, 1), (1, 2)", ":, 0", ":, [0, 2]", "i, j", "np.arange(4), j",
]  # fmt: skip


@pytest.mark.parametrize("first", PICKS)
def test_elements_picked_in_two_ways_add_up(define, first):
    """Whatever two indices have in common gets both gradients."""
    x = np.arange(12.0).reshape(4, 3)
    others = np.array([2, 0, 2, 1]), np.array([0, 1, 1, 2]), np.array([True, False, True, True])
    for second in PICKS:
        f = define(f"def f(x, i, j, m):\n    return np.sum(x[{first}] * 2.0) + np.sum(x[{second}] * 3.0)\n")
        expected = np.zeros_like(x)
        for element in np.ndindex(x.shape):
            # f is linear: a step of 1 gives its slope exactly
            unit = np.zeros_like(x)
            unit[element] = 1.0
            expected[element] = f(unit, *others)
        np.testing.assert_array_equal(grad(f, "x")(x, *others), expected)
