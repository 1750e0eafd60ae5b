"""Python numbers, whole ones too, where functions of arrays are expected: they are real numbers with a gradient."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import value_and_grad

# each with its slope by y at y = 2, times x
SLOPES = {
    "np.asarray(y, dtype=np.float64)": 1,
    "np.array(y, dtype=float)": 1,
    "np.array([[y]], dtype=np.float32)": 1,
    "np.multiply(y, 3.0, dtype=np.float64)": 3,
    "np.mean(y)": 1,
    "np.average(y)": 1,
    "np.sum(y, dtype=float)": 1,
    "np.prod(y, dtype=float)": 1,
    "np.nanprod(y, dtype=float)": 1,
    "np.cbrt(y)": 2 ** (-2 / 3) / 3,
}


@pytest.mark.parametrize("style", ["flat", "compact"])
@pytest.mark.parametrize("number", [2, 2.0, np.float64(2)], ids=repr)
@pytest.mark.parametrize("expression", SLOPES)
def test_a_number_has_its_gradient(define, expression, number, style):
    """The gradient of a whole number is not cut to a whole number."""
    f = define(f"def f(x, y):\n    return np.sum({expression} * x)\n")
    value, gradients = value_and_grad(f, style=style)(0.75, number)
    assert value == f(0.75, number)
    np.testing.assert_allclose(gradients.y, 0.75 * SLOPES[expression], rtol=1e-15)


@pytest.mark.parametrize(
    "arguments", [(0.7, np.float32([1.5, 0.3])), (np.float32([1.5, 0.3]), 0.7), (2.0, np.float32(0.7))]
)
def test_outer_makes_arrays_of_numbers(define, arguments):
    """A number does not take on the dtype of the array there, as it does elsewhere."""
    f = define("def f(x, y):\n    return np.sum(np.multiply.outer(x, y))\n")
    value, gradients = value_and_grad(f)(*arguments)
    assert value.dtype == f(*arguments).dtype == np.float64
    assert value == f(*arguments)
    for gradient, argument, other in zip(gradients, arguments, arguments[::-1], strict=True):
        np.testing.assert_allclose(gradient, np.full_like(argument, np.sum(other), dtype=np.float64), rtol=1e-7)
