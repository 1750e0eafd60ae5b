"""Gradients compared with central differences and complex steps: right ones pass, wrong ones are caught, and it says why."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import warnings

import numpy as np
import pytest

import flatgrad
from flatgrad.checks.differences import DIFFERS, NOT_CHECKED, NOT_DIFFERENTIABLE, PASSED, compared


def mean_squared_error(w, X, y):
    residual = X @ w - y
    return np.mean(residual**2)


def log_sum_exp(x):
    highest = np.max(x)
    return highest + np.log(np.sum(np.exp(x - highest)))


def softmax(x):
    e = np.exp(x - np.max(x, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def layer(X, W, b):
    return np.tanh(X @ W + b)


def gaussian(x, mu, sigma):
    return np.sum(-0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma))


def poisson(w, X, counts):
    rate = X @ w
    return np.sum(np.exp(rate) - counts * rate)


def logistic(w, X, labels):
    z = X @ w
    return np.mean(np.logaddexp(0, z) - labels * z)


def lasso(w, X, y):
    return np.mean((X @ w - y) ** 2) + 1e-6 * np.sum(np.abs(w))


def huber(x):
    size = np.abs(x)
    return np.sum(np.where(size < 1, 0.5 * x**2, size - 0.5))


def relu_layer(X, W):
    return np.sum(np.maximum(X @ W, 0))


def congruence(A, B):
    return A @ B @ A.T


def wave(x, frequency):
    return np.mean(np.sin(frequency * x) * np.exp(-x))


def quotient(a, b):
    return np.sum(a / b)


def product(X, w):
    return X @ w


def two_values(x, y):
    return x * y, np.sum(x**3)


def cases(seed, dtype=np.float64):
    """Give functions with arguments."""
    generator = np.random.default_rng(seed)

    def normal(*shape, scale=1.0):
        return np.asarray(scale * generator.normal(size=shape), dtype)

    yield mean_squared_error, (normal(3), normal(5, 3), normal(5))
    yield mean_squared_error, (normal(3, scale=1e4), normal(5, 3, scale=1e-3), normal(5, scale=1e3))
    yield log_sum_exp, (normal(7, scale=10),)
    yield softmax, (normal(3, 4, scale=3),)
    yield layer, (normal(3, 2), normal(2, 4), normal(4))
    yield gaussian, (normal(9), 1, 2.5)
    yield poisson, (normal(3), normal(5, 3), generator.poisson(3, 5))
    yield logistic, (normal(3), normal(5, 3, scale=5), generator.integers(0, 2, 5))
    yield lasso, (normal(3), normal(5, 3), normal(5))
    yield huber, (normal(52),)
    yield relu_layer, (normal(9, 6), normal(6, 2))
    yield congruence, (normal(3, 3), normal(3, 3))
    yield wave, (normal(6), 300.0)
    yield quotient, (normal(5), normal(5) + np.asarray(3, dtype))
    yield two_values, (normal(4), float(generator.normal()))


WITHOUT_ONE_NUMBER = (layer, softmax, congruence, product, two_values)
differentiated = functools.cache(flatgrad.value_and_grad)


def check(function, *args, spoiled=lambda gradients: gradients):
    """Compare what flatgrad gives for a function, after it has been spoiled."""
    arguments = inspect.signature(function).bind(*args).arguments
    names = tuple(name for name, each in arguments.items() if np.asarray(each).dtype.kind == "f" or name == "mu")
    if function in WITHOUT_ONE_NUMBER:
        value, pullback = flatgrad.vjp(function, *args, wrt=names)

        def gradients(*upstream):
            return spoiled(dict(zip(names, pullback(*upstream), strict=True)))
    else:
        value, found = differentiated(function, names)(*args)
        gradients = spoiled(dict(zip(names, found, strict=True)))
    return compared(lambda each: function(**each), arguments, value, gradients, function.__name__)


def by_hand(function, gradients, **arguments):
    """Compare gradients that are given."""
    return compared(lambda each: function(**each), arguments, function(**arguments), gradients)


def scaled(factor):
    return lambda gradients: {name: each * factor for name, each in gradients.items()}


def verdicts(result):
    return {row.name: row.verdict for row in result.rows}


@pytest.mark.parametrize("seed", range(30))
def test_right_gradients_pass(seed):
    """No false alarm: every row of every function passes, whatever the scale of its arguments."""
    for function, args in cases(seed):
        result = check(function, *args)
        assert set(verdicts(result).values()) == {PASSED}, result


@pytest.mark.parametrize("seed", range(3))
def test_right_gradients_pass_in_single_precision(seed):
    """Gradients of float32 are compared with derivatives in double precision, as closely as float32 allows."""
    for function, args in cases(seed, np.float32):
        result = check(function, *args)
        assert result, result


@pytest.mark.parametrize("factor", [1.001, 1.00001, 0.99999, -1])
def test_a_wrong_factor_is_caught(factor):
    """A gradient that is off by 1 in 100,000 is seen in every parameter of every function."""
    for function, args in cases(0):
        result = check(function, *args, spoiled=scaled(factor))
        assert not result
        assert {row.verdict for row in result.rows[1:]} == {DIFFERS}, result


def test_a_wrong_factor_is_caught_in_single_precision():
    """One in a thousand is far from what float32 explains, but for what magnifies the rounding of its arguments."""
    for function, args in cases(0, np.float32):
        assert function is wave or not check(function, *args, spoiled=scaled(1.001)), function


def test_one_wrong_element_of_ten_thousand_is_caught():
    """Elements that are not compared on their own take part in a direction."""
    x = np.random.default_rng(0).normal(size=(100, 100))
    for place in ((0, 0), (37, 82), (99, 99)):
        gradient = 2 * x
        gradient[place] *= 1.01
        result = by_hand(lambda x: np.sum(x**2), {"x": gradient}, x=x)
        assert verdicts(result)["x"] == DIFFERS


def test_a_transposed_gradient_is_caught():
    """By its numbers where the shape fits, by its shape elsewhere."""
    generator = np.random.default_rng(0)
    w, y = generator.normal(size=3), generator.normal(size=3)

    def spoiled(gradients):
        return {**gradients, "X": gradients["X"].T}

    square = check(mean_squared_error, w, generator.normal(size=(3, 3)), y, spoiled=spoiled)
    assert verdicts(square) == {"value": PASSED, "w": PASSED, "X": DIFFERS, "y": PASSED}
    oblong = check(mean_squared_error, w, generator.normal(size=(5, 3)), generator.normal(size=5), spoiled=spoiled)
    assert "X: the gradient has the shape (3, 5)" in str(oblong)


def test_swapped_gradients_are_caught():
    """Each parameter has to have its own."""
    x, y = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    result = by_hand(lambda x, y: np.sum(x * y**2), {"x": 2 * x * y, "y": y**2}, x=x, y=y)
    assert verdicts(result) == {"value": PASSED, "x": DIFFERS, "y": DIFFERS}


def test_a_gradient_of_another_dtype_is_caught():
    """A gradient has the dtype of its argument."""
    result = by_hand(lambda x: np.sum(x), {"x": np.ones(2)}, x=np.ones(2, np.float32))
    assert "the gradient is of float64, and the argument of float32" in str(result)


def test_large_arrays_take_few_calls():
    """The number of calls does not grow with the size."""
    x = np.random.default_rng(0).normal(size=100_000)
    calls = []

    def f(x):
        calls.append(x)
        return np.mean(x**2 + np.abs(x))

    result = by_hand(f, {"x": (2 * x + np.sign(x)) / x.size}, x=x)
    assert len(calls) < 1000
    assert result and "16 of 100000, 8 directions" in str(result)


def test_complex_steps_count_only_where_they_can_be_trusted():
    """np.abs of a complex number has a slope of 0 to a complex step: no alarm for the right gradient, no pass for 0."""
    x = np.array([1.5, -0.5])
    right = by_hand(lambda x: np.sum(x**2 + 1e-3 * np.abs(x)), {"x": 2 * x + 1e-3 * np.sign(x)}, x=x)
    assert right.rows[1].method == "central differences" and right
    assert "no complex step: the function is not analytic as it computes" in str(right)
    wrong = by_hand(lambda x: np.sum(x**2 + 1e-3 * np.abs(x)), {"x": 2 * x}, x=x)
    assert verdicts(wrong)["x"] == DIFFERS
    for function in (lambda x: np.logaddexp(0, x).sum(), lambda x: np.sum(np.asarray(x, float))):
        assert "the function does not take complex numbers" in str(by_hand(function, {"x": x}, x=x))
    assert by_hand(lambda x: np.sum(np.exp(x)), {"x": np.exp(x)}, x=x).rows[1].method == "complex step"


def test_kinks_count_neither_way():
    """At a kink there is no derivative to compare with; the other elements still count."""
    x = np.array([1.0, 0.0, -2.0])
    result = by_hand(lambda x: np.sum(np.abs(x)), {"x": np.sign(x)}, x=x)
    assert result and verdicts(result)["x"] == NOT_DIFFERENTIABLE
    assert "x: at [1]: left and right differ: -1 and 1 (1 of 3 comparisons)" in str(result)
    assert not by_hand(lambda x: np.sum(np.abs(x)), {"x": np.array([1.0, 0.0, 1.0])}, x=x)
    tie = by_hand(lambda x: np.max(x), {"x": np.array([0.5, 0.5])}, x=np.ones(2))
    assert tie and verdicts(tie)["x"] == NOT_DIFFERENTIABLE
    step = by_hand(lambda x: np.floor(x), {"x": 0.0}, x=2.0)
    assert "the value jumps" in str(step)


def test_a_kink_nearby_is_no_kink():
    """Steps get smaller until they don't reach it; for what rounding can't tell from a kink, there is no verdict."""
    assert verdicts(by_hand(lambda x: np.abs(x), {"x": 1.0}, x=1e-5))["x"] == PASSED
    assert verdicts(by_hand(lambda x: np.abs(x), {"x": 0.0}, x=1e-5))["x"] == DIFFERS
    x = np.random.default_rng(0).normal(size=20_000)
    assert verdicts(by_hand(lambda x: np.sum(np.maximum(x, 0)), {"x": (x > 0) * 1.0}, x=x))["x"] == PASSED


def test_one_kink_does_not_hide_the_other_elements_of_a_large_array():
    """A kink spoils its own group of elements only."""
    x = np.random.default_rng(0).normal(size=1000)
    x[123] = 0
    right = by_hand(lambda x: np.sum(np.abs(x)), {"x": np.sign(x)}, x=x)
    assert right and "(1 of 24 comparisons)" in str(right)
    assert not by_hand(lambda x: np.sum(np.abs(x)), {"x": 1.01 * np.sign(x)}, x=x)


def test_infinite_derivatives():
    """An infinite gradient is right where differences grow without bound, and wrong elsewhere."""
    x = np.array([4.0, 0.0])
    assert verdicts(by_hand(lambda x: np.sum(np.sqrt(x)), {"x": np.array([0.25, np.inf])}, x=x))["x"] == PASSED
    assert verdicts(by_hand(lambda x: np.sum(np.sqrt(x)), {"x": np.array([0.25, 0])}, x=x))["x"] == DIFFERS
    assert verdicts(by_hand(lambda x: np.sum(np.sqrt(x)), {"x": np.array([np.inf, np.inf])}, x=x))["x"] == DIFFERS
    for gradient, verdict in ((np.inf, PASSED), (-np.inf, DIFFERS), (1.0, DIFFERS)):
        assert verdicts(by_hand(lambda x: np.cbrt(x), {"x": gradient}, x=0.0))["x"] == verdict


@pytest.mark.parametrize("size", [2, 1000])
def test_nan_is_never_right(size):
    """A nan in the gradient differs from a number, also where the array is too large to look at each element."""
    x = np.linspace(1, 2, size)
    gradient = 2 * x
    gradient[size // 3] = np.nan
    assert verdicts(by_hand(lambda x: np.sum(x**2), {"x": gradient}, x=x))["x"] == DIFFERS
    assert verdicts(by_hand(lambda x: np.abs(x), {"x": np.nan}, x=0.0))["x"] == DIFFERS


def test_a_value_that_is_not_finite_is_not_checked():
    """Differences of nan or inf say nothing, and nothing compared is not passed."""
    for number in (np.nan, np.inf):
        result = by_hand(lambda x: x * 2.0, {"x": 2.0}, x=number)
        assert verdicts(result) == {"value": PASSED, "x": NOT_CHECKED} and not result


def test_the_value_is_compared_bit_for_bit():
    """The last bit counts, the sign of a zero counts, and a nan is a nan."""
    for value, ours, verdict in [
        (1.0, np.nextafter(1.0, 2), DIFFERS),
        (0.0, -0.0, DIFFERS),
        (np.nan, -np.nan, PASSED),
        (np.ones(2), np.ones(2, np.float32), DIFFERS),
        ((1.0, np.ones(2)), (1.0, np.ones(2)), PASSED),
        ((1.0, np.ones(2)), (1.0,), DIFFERS),
    ]:
        result = compared(lambda each, value=value: value, {"x": 1.0}, ours, lambda *upstream: {})
        assert verdicts(result) == {"value": verdict}


@pytest.mark.parametrize("stride", [1, 2, -1, -3])
def test_the_order_in_memory_is_kept(stride):
    """BLAS may round otherwise for another layout: the value is computed on arguments laid out as the user's."""
    whole = np.random.default_rng(0).normal(size=(301, 40))
    X, w = whole[::stride, ::2], whole[0, ::-2]
    seen = []
    compared(lambda each: seen.append(each["X"].strides) or 1.0, {"X": X, "w": w}, 1.0, {})
    assert seen == [X.strides] * 2
    assert check(product, X, w).rows[0].verdict == PASSED


def test_a_value_that_changes_from_call_to_call():
    """Where the function is not a function of its arguments nothing else is said."""
    numbers = itertools.count()
    result = compared(lambda each: each["x"] + next(numbers), {"x": 1.0}, 1.0, {"x": 1.0})
    assert not result
    assert "the function gives different values for the same arguments" in str(result)
    assert len(result.rows) == 1


def test_arguments_are_not_modified():
    """Also where the function modifies what it is given; a read-only array is no obstacle."""

    def modifying(x, y):
        x *= 2
        return np.sum(x) + y[0]

    x = np.arange(3.0)
    x.flags.writeable = False
    y = [1.0]
    result = compared(lambda each: modifying(**each), {"x": x, "y": y}, 7.0, {"x": np.full(3, 2.0)})
    assert result, result
    np.testing.assert_array_equal(x, np.arange(3.0))


def test_kinds_of_numbers():
    """Python numbers, scalars and arrays without axes reach the function as what they are; ints as floats."""
    for number in (3.0, 3, np.float64(3), np.array(3.0), np.float32(3)):
        seen = set()

        def square(x, seen=seen):
            seen.add(type(x))
            return x * x

        assert by_hand(square, {"x": np.asarray(6, np.asarray(number * 1.0).dtype)[()]}, x=number)
        expected = {int: {int, float, complex}, float: {float, complex}, np.ndarray: {np.ndarray}}
        others = {type(number), np.float64, np.complex128}
        assert seen == expected.get(type(number), others)


def test_what_can_not_be_checked():
    """An int that has to be one, and what is not a real number, are named and left alone."""
    x = np.arange(4.0)
    result = by_hand(
        lambda x, n, mode, mask: np.sum(x[:n]),
        {"x": np.array([1.0, 1, 0, 0]), "n": 0.0, "mode": None, "mask": None},
        x=x, n=2, mode="a", mask=x > 1,
    )  # fmt: skip
    assert result
    assert verdicts(result) == {
        "value": PASSED, "x": PASSED, "n": NOT_CHECKED, "mode": NOT_CHECKED, "mask": NOT_CHECKED,
    }  # fmt: skip
    assert "n: the function needs an int (TypeError: slice indices must be integers" in str(result)


def test_empty_arrays():
    """There is nothing to compare but the shape."""
    assert by_hand(lambda x: np.sum(x), {"x": np.zeros((0, 3))}, x=np.zeros((0, 3)))
    assert not by_hand(lambda x: np.sum(x), {"x": np.zeros((3, 0))}, x=np.zeros((0, 3)))


def test_edges_of_the_domain():
    """Steps that leave the domain are not used, whether the function gives nan there or raises."""
    assert by_hand(lambda x: np.sum(np.log(x)), {"x": 1 / np.array([1e-9, 2.0])}, x=np.array([1e-9, 2.0])).passed
    result = by_hand(lambda x: math.log(x), {"x": 1e6}, x=1e-6)
    assert result.passed and result.rows[1].verdict == PASSED
    assert not by_hand(lambda x: math.log(x), {"x": 1.001e6}, x=1e-6)


def test_a_function_that_insists_on_single_precision():
    """What can't be widened is compared as it is."""

    def f(x):
        if x.dtype not in (np.float32, np.complex64):
            raise TypeError("float32, please")
        return np.sum(x * x)

    x = np.array([1.5, -0.25], np.float32)
    assert by_hand(f, {"x": 2 * x}, x=x)
    assert not by_hand(f, {"x": -2 * x}, x=x)


def test_errors_of_the_function_are_passed_on():
    """At the user's own arguments an error is the user's to see."""
    with pytest.raises(ZeroDivisionError):
        compared(lambda each: 1 / each["x"], {"x": 0.0}, 0.0, {"x": 0.0})


def test_nothing_is_printed_and_no_warning_shown(capsys):
    """Hundreds of calls don't repeat what the function prints, and leave NumPy's and Python's settings as they were."""

    def talking(x):
        print("hello")
        warnings.warn("careful", stacklevel=1)
        return np.sqrt(x)

    settings = np.geterr()
    with np.errstate(divide="ignore"):
        assert compared(lambda each: talking(**each), {"x": 1e-9}, np.sqrt(1e-9), {"x": 0.5 / np.sqrt(1e-9)})
    assert capsys.readouterr().out == ""
    assert np.geterr() == settings


def test_the_table():
    """It says what was compared, with what, the largest difference and where, and what is allowed."""
    x, y = np.array([[1.0, 2.0]]), np.array([0.0, 1.0])
    result = by_hand(lambda x, y: np.sum(x**2) + np.sum(np.abs(y)), {"x": x * [2, 3], "y": np.sign(y)}, x=x, y=y)
    assert str(result).splitlines() == [
        "check of the function: not passed",
        "value: bit for bit what the function returns",
        "gradients, against derivatives computed from the function alone; `allowed` is what their errors explain:",
        "gradient  shape   compared  largest difference                    allowed  with          verdict",
        "x         (1, 2)  2 of 2    2.0e+00 (relative 3.3e-01) at [0, 1]  6.0e-08  complex step  differs",
        "y         (2,)    2 of 2                                                                 not differentiable here",
        "x: at [0, 1]: the emitted code gives 6, complex step 4 (1 of 2 comparisons)",
        "y: at [0]: left and right differ: -1 and 1 (1 of 2 comparisons)",
        "y: no complex step: the function is not analytic as it computes",
    ]
    assert repr(result) == str(result)


def test_a_shape_that_depends_on_data():
    """Where a step changes the shape of the value there is nothing to subtract."""

    def gradients(upstream):
        gradient = np.zeros(2)
        gradient[1:] = upstream
        return {"x": gradient}

    x = np.array([-1e-3, 2.0])
    result = compared(lambda each: each["x"][each["x"] > 0], {"x": x}, x[1:], gradients)
    assert verdicts(result) == {"value": PASSED, "x": PASSED}


def test_what_oscillates_between_the_steps():
    """Steps may agree with one another and be wrong: a smaller one tells."""
    x = np.random.default_rng(3).normal(size=10) * 10
    for frequency in (30.0, 300.0, 3000.0):
        slope = np.cos(frequency * x) * frequency
        assert verdicts(by_hand(lambda x, f=frequency: np.sum(np.sin(f * x)), {"x": slope}, x=x))["x"] == PASSED
        # math.sin takes no complex step
        result = by_hand(lambda x, f=frequency: math.sin(f * x), {"x": slope[0]}, x=x[0])
        assert verdicts(result)["x"] == PASSED
