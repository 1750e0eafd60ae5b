"""Gradients are summed back to the shapes of their variables, for every way in which one shape spreads over another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from flatgrad.api import value_and_grad, vjp
from flatgrad.registry import positive, real

LARGE = [(4, 3), (2, 4, 3)]
SMALL = [
    (),
    (1,),
    (3,),
    (1, 1),
    (1, 3),
    (4, 1),
    (4, 3),
    (1, 1, 1),
    (2, 1, 1),
    (1, 4, 1),
    (1, 1, 3),
    (2, 4, 1),
    (2, 1, 3),
]
PAIRS = [
    (large, small)
    for large in LARGE
    for small in SMALL
    # what spreads to a rank that it does not have is the other pair
    if len(small) <= len(large)
]
STYLES = ("flat", "compact")
FORMS = ["a * b", "b * a", "a / b", "b - a", "np.maximum(a, b)", "np.where(a > b, a, b)", "np.arctan2(a, b)"]


def array(shape, numbers):
    return np.asarray(numbers(*shape)) if shape else np.asarray(numbers(1))[0]


@pytest.mark.parametrize(("large", "small"), PAIRS, ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_gradient_has_the_shape_of_its_variable(define, slopes, form, large, small):
    """Each gradient is that of central differences, in the shape of its variable, whatever is spread over what."""
    f = define(f"def f(a, b, w):\n    y = {form}\n    return np.sum(w * y)\n")
    arguments = [array(large, real), array(small, positive), array(np.broadcast_shapes(large, small), positive)]
    expected = [slopes(f, arguments, place) for place in range(2)]
    for style in STYLES:
        _, gradients = value_and_grad(f, ("a", "b"), style=style)(*arguments)
        for gradient, right, argument in zip(gradients, expected, arguments, strict=False):
            assert np.shape(gradient) == np.shape(argument)
            np.testing.assert_allclose(gradient, right, rtol=1e-7, atol=1e-8, err_msg=style)


@pytest.mark.parametrize(
    ("a", "b"), [((4, 1), (1, 3)), ((4, 1), (3,)), ((2, 1, 3), (4, 1)), ((2, 1, 1), (1, 4, 3))], ids=str
)
def test_both_sides_may_spread(define, slopes, a, b):
    """A row and a column make a matrix: both gradients are sums, along different axes."""
    f = define("def f(a, b, w):\n    return np.sum(w * (a * b))\n")
    arguments = [array(a, real), array(b, positive), array(np.broadcast_shapes(a, b), positive)]
    for style in STYLES:
        _, gradients = value_and_grad(f, style=style)(*arguments)
        for place, (gradient, argument) in enumerate(zip(gradients, arguments, strict=True)):
            assert gradient.shape == argument.shape
            np.testing.assert_allclose(gradient, slopes(f, arguments, place), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("large", "small"), PAIRS, ids=str)
def test_a_function_that_is_not_a_sum_spreads_as_well(define, large, small):
    """With an upstream gradient of the result's shape, `vjp` sums it back; a sum spreads exactly nothing else."""
    f = define("def f(a, b):\n    return a + b\n")
    a, b = array(large, real), array(small, positive)
    value, pullback = vjp(f, a, b)
    upstream = positive(*np.shape(value))
    grad_a, grad_b = pullback(upstream)
    np.testing.assert_array_equal(grad_a, upstream)
    assert np.shape(grad_b) == np.shape(b)
    extra = upstream.sum(axis=tuple(range(len(large) - len(small))))
    kept = tuple(axis for axis, size in enumerate(np.shape(b)) if size == 1)
    np.testing.assert_allclose(grad_b, extra.sum(axis=kept, keepdims=True).reshape(np.shape(b)), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("large", "small"), PAIRS[:7], ids=str)
def test_dtype_survives_the_sum(define, large, small, dtype):
    """The narrower of two arrays gets its gradient in its own dtype."""
    f = define("def f(a, b):\n    return np.sum(a * b)\n")
    a, b = np.asarray(array(large, real), np.float64), np.asarray(array(small, positive), dtype)[()]
    _, (grad_a, grad_b) = value_and_grad(f)(a, b)
    assert (grad_a.dtype, grad_b.dtype) == (a.dtype, b.dtype)


def test_one_function_serves_axes_of_length_one_and_others(define):
    """Code is written anew where an axis has length 1: the same function is called with all mixtures in turn."""
    f = define("def f(a, b):\n    return np.sum((a * b) ** 2)\n")
    with_gradients = value_and_grad(f)
    for n, m, k, j in itertools.product((1, 4), (1, 3), (1, 4), (1, 3)):
        a, b = real(n, m), positive(k, j)
        _, (grad_a, grad_b) = with_gradients(a, b)
        spread = 2 * a * b * np.ones(np.broadcast_shapes(a.shape, b.shape))
        for gradient, part, other in ((grad_a, a, b), (grad_b, b, a)):
            axes = tuple(axis for axis in range(2) if part.shape[axis] == 1)
            np.testing.assert_allclose(gradient, (spread * other).sum(axis=axes, keepdims=True), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_python_numbers_in_complex_programs_lose_nothing(define, dtype):
    """A Python number that becomes complex keeps the imaginary part of its gradient, in single precision too."""
    f = define("def f(x, t):\n    return np.sum((np.exp(-0.5j * t * x) * x).imag)\n")
    x = np.asarray(real(3), dtype)
    _, (grad_x, grad_t) = value_and_grad(f)(x, 0.7)
    assert grad_x.dtype == dtype and isinstance(grad_t, float)
    rtol = 10 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(grad_t, np.sum(-0.5 * x**2 * np.cos(0.35 * x)), rtol=rtol)
    np.testing.assert_allclose(grad_x, -np.sin(0.35 * x) - 0.35 * x * np.cos(0.35 * x), rtol=rtol)


def test_sum_of_a_loop_that_becomes_a_float64(define):
    """The gradient of a sum that starts as a Python number is one, though the sum ends as a float64."""
    f = define(
        "def f(rows):\n    s = 0.0\n    for x in rows:\n        s += np.sum(x) + np.log(2 * np.pi)\n    return s\n"
    )
    rows = np.asarray(real(2, 3), np.float32)
    _, (grad_rows,) = value_and_grad(f)(rows)
    assert grad_rows.dtype == np.float32
    np.testing.assert_array_equal(grad_rows, np.ones((2, 3)))
