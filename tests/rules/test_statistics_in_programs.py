"""Reductions and statistics as people write them: options that are data, lists, what is refused, what is written."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import emit, grad, vjp
from flatgrad.errors import FlatgradError

X = np.array([[0.3, 1.2, -0.7], [2.1, 0.4, 0.9]])


def test_lists_given_by_name_are_arrays(define):
    f = define("def f(x):\n    return np.average(x, weights=[1, 2, 3])")
    np.testing.assert_allclose(grad(f, wrt="x")(X[0]), np.array([1, 2, 3]) / 6)
    f = define("def f(x, a):\n    return np.trapezoid(x, x=[0.0, a, 3.0])")
    by_x, by_a = grad(f, wrt=("x", "a"))(X[0], 2.0)
    np.testing.assert_allclose(by_x, [1.0, 1.5, 0.5])
    np.testing.assert_allclose(by_a, (0.3 - -0.7) / 2)


@pytest.mark.parametrize("name", ["sum", "var", "nanstd", "max", "nanprod", "ptp"])
def test_several_axes_may_be_given_by_place(define, name):
    f = define(f"def f(x):\n    return np.sum(np.{name}(x, (0, -1)) ** 2)")
    named = define(f"def f(x):\n    return np.sum(np.{name}(x, axis=(0, -1)) ** 2)")
    x = np.stack((X, X[::-1] ** 2, X + 1))
    np.testing.assert_array_equal(grad(f, wrt="x")(x), grad(named, wrt="x")(x))


def test_sums_of_groups_meet_other_arrays(define):
    """How many groups there are is data; an array of as many fits."""
    f = define("def f(g, w, c):\n    return np.sum((np.bincount(g, weights=w, minlength=len(c)) - c) ** 2)")
    g, w, c = np.array([1, 0, 1]), X[0], np.array([0.5, 0.25, 2.0])
    rest = np.bincount(g, weights=w, minlength=3) - c
    by_w, by_c = grad(f, wrt=("w", "c"))(g, w, c)
    np.testing.assert_allclose(by_w, 2 * rest[g])
    np.testing.assert_allclose(by_c, -2 * rest)


def test_nothing_leaks_from_nan(define):
    """The mask of what is skipped comes last."""
    f = define("def f(x):\n    return np.nansum(np.log(x)) + np.nanstd(x) + np.nanprod(x, axis=0)[0]")
    x = np.array([[np.nan, 2.0], [0.5, 1.5]])
    by_x = grad(f, wrt="x")(x)
    assert by_x[0, 0] == 0 and np.all(np.isfinite(by_x))


def test_nothing_leaks_from_what_is_masked(define):
    """Where the logarithm does not count, its slope does not either."""
    f = define("def f(x):\n    return np.sum(np.log(x), where=x > 0) + np.mean(np.sqrt(x), where=x > 0)")
    with np.errstate(all="ignore"):
        by_x = grad(f, wrt="x")(np.array([0.0, 4.0, -1.0]))
    np.testing.assert_allclose(by_x, [0.0, 0.25 + 0.25, 0.0])


def test_a_slice_may_have_bounds_that_are_data(define):
    f = define("def f(x, n):\n    part = slice(len(x) - 2, len(x))\n    return np.sum(x[part] ** 2)")
    np.testing.assert_allclose(grad(f, wrt="x")(X[0], 1), [0.0, 2.4, -1.4])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("np.sum(x, where=False)", "where="),
        ("np.average(x, axis=(1, 0), weights=x.T)", "sort it"),
        ("np.var(x, ddof=1, correction=1)", "correction"),
        ("np.convolve(x[0], x[1], mode='some')", "mode='some'"),
        ("np.cumulative_sum(x)", "axis"),
        ("np.interp(x, [1.0], [2.0])", "one point"),
    ],
)
def test_refused(define, call, words):
    f = define(f"def f(x):\n    return {call}")
    with pytest.raises((FlatgradError, ValueError), match=words):
        vjp(f, X)


def test_written_as_one_would(define):
    f = define("def f(x, m):\n    return np.mean(x, axis=1, where=m)")
    text = str(emit(f, X, X > 0))
    assert "grad_x = np.where(m, grad_out[:, None] / np.sum(np.full_like(x, m), axis=1, keepdims=True), 0)" in text
    f = define("def f(x, k):\n    return np.convolve(x, k)")
    text = str(emit(f, X[0], X[1]))
    assert "grad_x = np.correlate(grad_out, k)\n    grad_k = np.correlate(grad_out, x)" in text
    f = define("def f(x):\n    return np.cov(x, rowvar=False)")
    assert "grad_x = (x - np.mean(x, axis=0)) @ (grad_out + grad_out.T) / (len(x) - 1)" in str(emit(f, X))
