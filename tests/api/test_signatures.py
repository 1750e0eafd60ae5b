"""Emitted code belongs to a signature: what a call changes in it makes new code, and nothing else does."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import flatgrad.arguments
from flatgrad.api import emit, grad, value_and_grad, vjp
from flatgrad.calling.specialise import clear_memory
from flatgrad.errors import FlatgradError, SignatureError

RNG = np.random.default_rng(3)


@pytest.fixture
def emissions(monkeypatch):
    """Return a list that grows by one with each emission."""
    made = []
    original = flatgrad.arguments.emit

    def counted(*args, **kwargs):
        emitted = original(*args, **kwargs)
        made.append(emitted)
        return emitted

    monkeypatch.setattr(flatgrad.arguments, "emit", counted)
    clear_memory()
    return made


def spread(a, b):
    return np.sum((a * b) ** 2)


def by_hand(a, b):
    gradients = []
    for one, other in ((a, b), (b, a)):
        gradient = 2 * a * b * other
        gradient = gradient.sum(axis=tuple(range(gradient.ndim - np.ndim(one))))
        axes = tuple(k for k, size in enumerate(np.shape(one)) if size == 1)
        gradients.append(gradient.sum(axis=axes, keepdims=True))
    return gradients


def test_a_number_in_a_text_decides():
    """What is written for one number is not used for another."""

    def f(x, n, m):
        name = f"W{n}"
        scale = 3.0 if m in (1, 3) else 1.0
        return scale * (np.sum(x) if name == "W1" else x[0])

    gradient = grad(f, wrt="x")
    for n, m in ((1, 3), (2, 3), (2, 2), (1, 2)):
        found = gradient(np.array([0.5, 1.5, 2.5]), n, m)
        np.testing.assert_array_equal(found, (3.0 if m == 3 else 1.0) * (np.ones(3) if n == 1 else np.eye(3)[0]))


def test_code_is_written_once_for_all_sizes(emissions):
    """Sizes other than 1 are not part of the signature."""
    with_gradients = value_and_grad(spread)
    for n, m in ((3, 4), (7, 2), (5, 5), (2, 3), (0, 3)):
        a, b = RNG.normal(size=(n, m)), RNG.normal(size=m)
        value, gradients = with_gradients(a, b)
        assert value == spread(a, b)
        for gradient, expected in zip(gradients, by_hand(a, b), strict=True):
            np.testing.assert_allclose(gradient, expected, rtol=1e-12)
    assert len(emissions) == 1


def test_axis_of_length_one_is_another_signature(emissions):
    """What broadcasts is known when code is written: axes of length 1 make code of their own."""
    with_gradients = value_and_grad(spread)
    for _ in range(2):
        for shape in ((3, 4), (1, 4), (3, 1), (1, 1), (4,), (1,)):
            a, b = RNG.normal(size=(3, 4)), RNG.normal(size=shape)
            _, gradients = with_gradients(a, b)
            for gradient, expected in zip(gradients, by_hand(a, b), strict=True):
                np.testing.assert_allclose(gradient, expected, rtol=1e-12)
    assert len(emissions) == 6


def test_dtype_and_rank_are_part_of_the_signature(emissions):
    """float32 arguments have float32 gradients, also behind a call with float64."""
    with_gradients = value_and_grad(spread)
    for dtype in (np.float64, np.float32, np.float16, np.float64):
        a, b = RNG.normal(size=(3, 4)).astype(dtype), RNG.normal(size=4).astype(dtype)
        value, gradients = with_gradients(a, b)
        assert value.dtype == dtype
        assert [gradient.dtype for gradient in gradients] == [dtype, dtype]
    assert len(emissions) == 3
    value, gradients = with_gradients(2.0, 3.0)
    assert (value, *gradients) == (36.0, 36.0, 24.0)
    assert all(isinstance(gradient, float) for gradient in gradients)


def test_kinds_of_numbers_are_told_apart():
    """Python numbers take on the dtype of the arrays that they meet, NumPy's do not."""

    def f(x, s):
        return np.sum(x * s)

    x = np.ones(3, np.float32)
    for s in (2.0, 2, np.float32(2), np.float64(2), np.array(2.0)):
        value, gradients = value_and_grad(f)(x, s)
        assert value.dtype == f(x, s).dtype
        assert gradients.x.dtype == np.float32
        assert np.asarray(gradients.s).dtype == (np.asarray(s).dtype if not isinstance(s, int) else np.float64)
        assert gradients.s == 3.0


def test_layout_of_an_array_does_not_matter(emissions):
    """Strided, transposed, read-only and Fortran-ordered arrays are arrays."""
    with_gradients = value_and_grad(spread)
    a, b = RNG.normal(size=(3, 4)), RNG.normal(size=4)
    fixed = a.copy()
    fixed.flags.writeable = False
    expected = by_hand(a, b)
    for same in (a, np.asfortranarray(a), a.T.copy().T, np.repeat(a, 2, axis=0)[::2], fixed):
        _, gradients = with_gradients(same, b)
        np.testing.assert_allclose(gradients.a, expected[0], rtol=1e-13)
    assert len(emissions) == 1


def test_static_arguments_are_part_of_the_signature(emissions):
    """Text, truth values, None and tuples choose the code; equal ones of other types are told apart."""

    def f(x, mode="sum", flag=False, axis=None, shape=(2, 3)):
        y = np.sum(x, axis=axis) if mode == "sum" else np.mean(x, axis=axis)
        z = x.reshape(shape)
        return np.sum(y) * 2 + np.sum(z[0]) if flag else np.sum(y)

    x = RNG.normal(size=(2, 3))
    with_gradients = value_and_grad(f)
    calls = [
        {},
        {"mode": "mean"},
        {"flag": True},
        {"axis": 0},
        {"axis": (0, 1)},
        {"flag": True, "shape": (3, 2)},
        {"axis": 1},
    ]
    for _ in range(2):
        for kwargs in calls:
            assert with_gradients(x, **kwargs)[0] == f(x, **kwargs)
    assert len(emissions) == len(calls)


def test_number_that_decides_the_code_is_pinned(emissions):
    """A Python int that is used as an axis is part of the signature by its value, others are not."""

    def f(x, axis, k):
        return np.sum(np.max(x, axis=axis)) * k

    x = RNG.normal(size=(2, 3))
    with_gradients = value_and_grad(f)
    for axis in (0, 1, -1, 0):
        for k in (2, 3):
            value, gradients = with_gradients(x, axis, k)
            assert value == f(x, axis, k)
            expected = np.where(x == np.max(x, axis=axis, keepdims=True), k, 0)
            np.testing.assert_array_equal(gradients.x, expected)
    assert len(emissions) == 3


@pytest.mark.parametrize("wrt", ["w", ("x", "w")])
def test_real_number_that_decides_the_code_has_no_gradient(wrt):
    """What depends on it would be lost: naming it in wrt is an error, not a gradient of None."""

    def replaced(x, w):
        return np.sum(np.nan_to_num(x, nan=w) ** 2)

    x = np.array([1.0, np.nan])
    np.testing.assert_array_equal(grad(replaced, wrt="x")(x, 3.0), [2.0, 0.0])
    with pytest.raises(SignatureError, match="wrt names `w`, whose value decides what code is written"):
        grad(replaced, wrt=wrt)(x, 3.0)


def test_size_that_decides_the_code_is_pinned(emissions):
    """np.split into equal parts, and sizes that may come out as 1, need numbers: code is written for each."""

    def parts(x):
        a, b, c = np.split(x, 3)
        return np.sum(a * b * c)

    def neighbours(x, y):
        return np.sum(x[1:] * y)

    for n in (3, 6, 9, 6):
        x = RNG.normal(size=n)
        value, (gradient,) = value_and_grad(parts)(x)
        assert value == parts(x)
        a, b, c = np.split(x, 3)
        np.testing.assert_allclose(gradient, np.concatenate([b * c, a * c, a * b]))
    with_gradients = value_and_grad(neighbours)
    for n in (2, 3, 5, 2, 3):
        for y in (RNG.normal(size=n - 1), RNG.normal(size=4) if n == 2 else RNG.normal(size=1)):
            x = RNG.normal(size=n)
            value, gradients = with_gradients(x, y)
            assert value == neighbours(x, y)
            grad_y = x[1:] * np.ones(np.broadcast_shapes(x[1:].shape, y.shape))
            np.testing.assert_allclose(gradients.y, grad_y if y.size > 1 or n == 2 and y.size == 1 else [grad_y.sum()])
            grad_x = np.broadcast_to(y, np.broadcast_shapes(x[1:].shape, y.shape))
            np.testing.assert_allclose(gradients.x, [0, *(grad_x if n > 2 else [grad_x.sum()])])


def test_rows_are_unpacked_by_their_number():
    """`a, b, c = x` needs the number of rows, which the arguments tell."""

    def f(x):
        a, b, c = x
        return np.sum(a * b) + np.sum(c)

    for x in (RNG.normal(size=3), RNG.normal(size=(3, 2))):
        value, (gradient,) = value_and_grad(f)(x)
        assert value == f(x)
        np.testing.assert_allclose(gradient, np.stack([x[1], x[0], np.ones_like(x[0])]))


def test_code_is_written_anew_when_a_global_changes(define, emissions):
    """What a name stands for is looked at again at each call: stale constants give wrong numbers."""
    f = define(
        """
        k = 2.0
        table = np.array([1.0, 2.0])
        options = ["a", "b"]
        def f(x):
            return np.sum(x * k * table) if "a" in options else np.sum(x)
        """
    )
    x = np.array([1.0, 10.0])
    with_gradients = value_and_grad(f)
    namespace = f.__globals__

    def check(count):
        for _ in range(2):
            value, (gradient,) = with_gradients(x)
            assert value == f(x)
            factor = namespace["k"] * namespace["table"] if "a" in namespace["options"] else np.ones(2)
            np.testing.assert_array_equal(gradient, factor)
        assert len(emissions) == count

    check(1)
    namespace["k"] = 3.0
    check(2)
    namespace["table"][0] = 5.0
    check(3)
    namespace["table"] = np.array([7.0, 7.0])
    check(4)
    namespace["options"].remove("a")
    check(5)
    namespace["unrelated"] = 1
    check(5)


def test_closure_is_looked_at_again(emissions):
    """A changed closure variable is seen, and functions of two closures do not share their code."""

    def make(k):
        def f(x):
            return x * k

        def change(other):
            nonlocal k
            k = other

        return f, change

    (first, change), (second, _) = make(2.0), make(3.0)
    slope, other = grad(first), grad(second)
    assert (slope(1.0).x, other(1.0).x) == (2.0, 3.0)
    change(5.0)
    assert (slope(1.0).x, other(1.0).x) == (5.0, 3.0)


def test_a_global_function_that_is_replaced_is_seen(define):
    """A name that stood for np.sin and now stands for np.cos makes new code."""
    f = define("g = np.sin\ndef f(x):\n    return g(x)\n")
    slope = grad(f, "x")
    assert slope(0.5) == pytest.approx(np.cos(0.5))
    f.__globals__["g"] = np.cos
    assert slope(0.5) == pytest.approx(-np.sin(0.5))


def test_vjp_and_value_and_grad_of_one_signature(emissions):
    """Forward and backward functions and the joint one are different code for the same arguments."""
    a, b = RNG.normal(size=(3, 4)), RNG.normal(size=4)
    value, gradients = value_and_grad(spread)(a, b)
    same, pullback = vjp(spread, a, b)
    assert value == same
    for one, other in zip(gradients, pullback(1.0), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_failed_emission_is_tried_again(define):
    """An error leaves nothing behind that would hide the next call's."""
    f = define("def f(x):\n    return undefined * x\n")
    with_gradients = value_and_grad(f)
    for _ in range(2):
        with pytest.raises(FlatgradError, match="`undefined` is not defined"):
            with_gradients(1.0)
    f.__globals__["undefined"] = 3.0
    assert with_gradients(2.0) == (6.0, (3.0,))


def test_source_depends_on_nothing_but_the_signature():
    """Two emissions, and emissions for other sizes, give the same bytes."""
    a, b = RNG.normal(size=(3, 4)), RNG.normal(size=4)
    assert emit(spread, a, b) == emit(spread, a, b)
    assert emit(spread, a, b) == emit(spread, RNG.normal(size=(9, 2)), RNG.normal(size=2))


@pytest.mark.parametrize("kind", [np.matrix, np.ma.MaskedArray])
def test_array_with_an_algebra_of_its_own_is_refused(kind):
    """The operators of a matrix and of a masked array mean something else, also after a call with a plain array."""

    def f(x):
        return np.sum(x * x)

    plain = np.ones((2, 2))
    gradient = value_and_grad(f, "x")
    np.testing.assert_array_equal(gradient(plain)[1], 2 * plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        with pytest.raises(SignatureError, match=kind.__name__):
            gradient(kind(plain))
