"""Arrays that meet in a branch or from turn to turn of a loop, and whose sizes may or may not be equal."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad import api
from flatgrad.errors import FlatgradError, ShapeError

U = np.array([0.4, -1.5, 2.0])
W = np.array([0.3, 0.2, -0.7])
LONGER = np.array([0.3, 0.2, -0.7, 1.1])

# functions of two arrays and a number; that of a branch, of a loop, of a helper, of what is returned
PROGRAMS = {
    "branch": """
        def f(u, w, s):
            y = u * u
            if s > 0:
                y = w * s
            return np.sum(y**2)
        """,
    "loop": """
        def f(u, w, s):
            y = u * u
            t = 0.0
            while t < 5:
                t = t + np.sum(y**2) + 1
                y = w * s
            return t + np.sum(y)
        """,
    "branch in a loop": """
        def f(u, w, s):
            for e in u:
                if e > 0:
                    u = np.tanh(w) * s
            return np.sum(u * u)
        """,
    "changed in a loop": """
        def f(u, w, s):
            y = u * u
            if s > 0:
                y = w * s
            while np.sum(y) < 3:
                y = y + u**2
            for e in u:
                y = w * e
            return np.sum(y)
        """,
    "found equal later": """
        def f(u, w, s):
            y = u * u
            if s > 0:
                y = w * s
            z = u * w
            return np.sum(y * z)
        """,
    "helper": """
        def f(u, w, s):
            return np.sum(chosen(u, w, s) ** 2)

        def chosen(u, w, s):
            if s > 0:
                return w * s
            return u * u
        """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_sizes_that_agree_are_taken_to_be_equal(define, slopes, name):
    """One text serves all sizes that are equal; where they are not, the code is written for these numbers."""
    f = define(PROGRAMS[name])
    differentiated = api.grad(f)
    for u, w in ((U, W), (LONGER, LONGER + 0.1)):
        expected = slopes(f, {"u": u, "w": w, "s": 0.8})
        for gradient, wanted in zip(differentiated(u, w, 0.8), expected.values(), strict=True):
            np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)
    assert str(api.emit(f, U, W, 0.8)) == str(api.emit(f, LONGER, LONGER, 0.8))
    with pytest.raises(FlatgradError, match=r"array \((3|4),\).* array \((3|4),\)"):
        differentiated(U, LONGER, 0.8)


def test_equal_sizes_are_no_part_of_what_does_not_need_them(define, slopes):
    """A variable that is used again for another array asks for nothing."""
    f = define("""
        def f(u, w, s):
            t = u * s
            y = np.sum(t)
            for k in range(3):
                t = w * s
                y = y + np.sum(t) * k
            if s > 0:
                t = u
                y = y * np.sum(t)
            return y
        """)
    assert str(api.emit(f, U, LONGER, 0.8)) == str(api.emit(f, U, W, 0.8))
    expected = slopes(f, {"u": U, "w": LONGER, "s": 0.8})
    for gradient, wanted in zip(api.grad(f)(U, LONGER, 0.8), expected.values(), strict=True):
        np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)


HEAT = """
    def f(u, s):
        for _ in range(8):
            inner = u[1:-1] + 0.1 * s * (u[2:] - 2 * u[1:-1] + u[:-2])
            u = np.concatenate((u[:1], inner, u[-1:]))
        return np.sum(u**3)
    """


def test_computed_sizes_are_known_in_a_call(define, slopes):
    """Whether parts have the length of the whole depends on that length: u[:1] may be empty."""
    f = define(HEAT)
    for u in (LONGER, np.linspace(-1, 1, 7)):
        expected = slopes(f, {"u": u, "s": 0.8})
        for gradient, wanted in zip(api.grad(f)(u, 0.8), expected.values(), strict=True):
            np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)


def test_growing_is_an_error(define):
    """An array that is longer after each turn has no one shape."""
    f = define("""
        def f(u, s):
            while np.sum(u) < s:
                u = np.concatenate((u, u))
            return np.sum(u)
        """)
    with pytest.raises(FlatgradError, match=r"`u` changes its shape from turn to turn: an array \(3,\) then"):
        api.grad(f)(U, 0.8)


@pytest.mark.parametrize(
    ("text", "shapes", "hint"),
    [
        (HEAT, "u=(n,)", "give numbers for the sizes: shapes='x=(10,)'"),
        (PROGRAMS["branch"], "u=(n,) w=(m,)", "name equal sizes alike: shapes='x=(n,) y=(n,)'"),
        (PROGRAMS["loop"], "u=(n,) w=(m,)", "name equal sizes alike: shapes='x=(n,) y=(n,)'"),
    ],
)
def test_without_arguments_the_message_says_what_to_give(define, text, shapes, hint):
    """Sizes that are only known by name: numbers, or one name for both."""
    f = define(text)
    with pytest.raises(ShapeError) as error:
        api.emit(f, shapes=shapes)
    (problem,) = error.value.problems
    assert problem.hint == hint and problem.line > 0
    assert "grad_u" in str(api.emit(f, shapes=shapes.replace("m", "n").replace("n", "6")))
