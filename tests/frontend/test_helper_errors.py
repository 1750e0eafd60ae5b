"""What is wrong with a call of the user's own function, or inside of it: the place, and the call that led there."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from flatgrad.api import emit
from flatgrad.errors import FlatgradError, Problem, UnsupportedError

X = np.array([0.3, -1.2, 2.5])
IMPORTS = "import functools\nfrom flatgrad.markers import custom_vjp, edit_gradient, insert_grad_of\n\n"


def problems_of(function, *args):
    with pytest.raises(FlatgradError) as error:
        emit(function, *args or (X, 1.7))
    return error.value.problems


def problem_of(function, *args):
    (problem,) = problems_of(function, *args)
    return problem


def test_an_error_inside_a_helper_points_into_it(define):
    """The place is that in the helper; the calls that led there follow, the innermost first."""
    f = define("""
        def inner(v):
            w = v * 2
            return np.sine(w)

        def outer(v):
            w = inner(v)
            return w + 1

        def f(x, s):
            y = outer(x) * s
            return np.sum(y)
        """)
    problem = problem_of(f)
    assert problem.message == "numpy has no `sine`" and (problem.line, problem.column) == (9, 12)
    assert [(each.line, each.column) for each in problem.called_from] == [(12, 9), (16, 9)]
    lines = str(problem).split("\n")
    assert lines[0].endswith(":9:12: numpy has no `sine`")
    assert lines[3].startswith("called from <text ") and lines[3].endswith(":12:9: w = inner(v)")
    assert lines[4].endswith(":16:9: y = outer(x) * s")
    assert lines[5].startswith("hint: ")


def test_of_many_calls_the_innermost_are_shown():
    """A deep recursion does not fill the screen."""
    calls = tuple(Problem("", file="a.py", line=line, column=1, text="f(n - 1)") for line in range(1, 31))
    lines = str(Problem("wrong", file="a.py", line=1, column=1, called_from=calls)).split("\n")
    assert lines[1] == "called from a.py:1:1: f(n - 1)" and lines[-1] == "... and 23 more calls"
    assert len(lines) == 9


def test_a_helper_in_another_file_is_named(define, tmp_path, monkeypatch):
    """Both files are shown."""
    (tmp_path / "wrong_helpers.py").write_text("def scaled(v):\n    del v\n    return v\n")
    monkeypatch.syspath_prepend(tmp_path)
    f = define("import wrong_helpers\n\ndef f(x, s):\n    return wrong_helpers.scaled(x)\n")
    problem = problem_of(f)
    assert problem.file.endswith("wrong_helpers.py") and problem.line == 3
    assert problem.called_from[0].line == 9


ARGUMENTS = {
    "scaled(x)": "`scaled`: missing a required argument: 'k'",
    "scaled(x, s, 1.0, 2.0)": "`scaled`: too many positional arguments",
    "scaled(x, s, m=1.0)": "`scaled`: got an unexpected keyword argument 'm'",
    "scaled(x, s, v=1.0)": "`scaled`: multiple values for argument 'v'",
    "scaled(x, s, 1.0, k=s)": "`scaled`: multiple values for argument 'k'",
    "(lambda v: v)()": "`lambda`: missing a required argument: 'v'",
    "scaled(**x)": "only a dict with names as its keys can be passed on",
}


@pytest.mark.parametrize("text", ARGUMENTS)
def test_arguments_that_do_not_fit_are_reported_at_the_call(define, text):
    """In Python's own words."""
    f = define(f"""
        def scaled(v, k, shift=0.0):
            w = v * k
            return w + shift

        def f(x, s):
            return np.sum({text})
        """)
    problem = problem_of(f)
    assert problem.message.startswith(ARGUMENTS[text]) and problem.line == 12 and not problem.called_from


# what a program calls, and what is said of it
REFUSED = {
    "generator": ("def g(v):\n    yield v\n", "g is a generator"),
    "coroutine": ("async def g(v):\n    return v\n", "g is a coroutine"),
    "object": ("class G:\n    pass\ng = G()\n", "a G is not a function that can be called here"),
    "metaclass": (
        "class M(type):\n    def __call__(cls, v):\n        return v\nclass g(metaclass=M):\n    pass\n",
        "what calling `g` does is decided by its metaclass",
    ),
    "chosen by data": (
        "def g(v):\n    k = np.sin if np.sum(v) > 0 else np.cos\n    return k(v)\n",
        "the function `np.sin`",
    ),
    "cached": ("@functools.lru_cache\ndef g(v):\n    return v\n", "a decorator has made a _lru_cache_wrapper of `g`"),
    "vectorized": ("@np.vectorize\ndef g(v):\n    return v\n", "a decorator has made a vectorize of `g`"),
    "library": ("import textwrap\ng = textwrap.dedent\n", "has no rule"),
    "data": ("g = 3.0\n", "is not a function that can be called here"),
    "returns nothing": ("def g(v):\n    w = v\n", "`g` returns nothing"),
    "recursion": ("def g(v):\n    return g(v / 2) if np.sum(v) > 1 else v\n", "recursion whose depth depends on data"),
    "deep recursion": ("def g(v, n=0):\n    w = v\n    return g(w, n + 1)\n", "calls are nested more than 200 deep"),
    "mutual recursion": (
        "def g(v):\n    w = v\n    return h(w)\ndef h(v):\n    w = v\n    return g(w)\n",
        "recursion whose depth depends on data",
    ),
    "nonlocal": (
        "def g(v):\n    n = v\n    def h():\n        nonlocal n\n        n = n * 2\n        return n\n    w = h()\n    return n\n",
        "`n` is nonlocal, and is assigned here",
    ),
    "no value yet": ("def g(v):\n    h = lambda: w\n    u = h()\n    w = v\n    return u\n", "has no value here"),
    "local generator": ("def g(v):\n    def h():\n        yield v\n    w = h()\n    return w\n", "h is a generator"),
    "no gradient": ("@custom_vjp\ndef g(v):\n    return v\n", "the gradient of the function is not defined"),
    "one thing": (
        "@custom_vjp\ndef g(v):\n    return v\ndef a(v):\n    w = v\n    return w\ng.defvjp(a, a)\n",
        "`a` has to return two things",
    ),
    "too few gradients": (
        "@custom_vjp\ndef g(v):\n    return v\ndef a(v):\n    return v, None\ndef b(r, g):\n    return g\ng.defvjp(a, b)\n",
        "`b` has to return a tuple with 1 gradients",
    ),
    "shape of a gradient": (
        "@custom_vjp\ndef g(v):\n    return v\ndef a(v):\n    return v, None\ndef b(r, g):\n    return np.sum(g),\n"
        "g.defvjp(a, b)\n",
        "`b` makes a gradient of shape () for a variable of shape (",
    ),
    "edit of the shape": (
        "def g(v):\n    return edit_gradient(v, lambda g: np.sum(g))\n",
        "makes a gradient of shape ()",
    ),
    "edit by a number": ("def g(v):\n    return edit_gradient(v, 2.0)\n", "edit_gradient needs a function"),
    "with": ("def g(v):\n    with open('a') as a:\n        w = v\n    return w\n", "`open` reads from outside"),
    "with without a name": ("def g(v):\n    with insert_grad_of(v):\n        pass\n    return v\n", "needs a name"),
    "with that changes the forward pass": (
        "def g(v):\n    w = v\n    with insert_grad_of(v) as d:\n        w = d\n    return w\n",
        "can't change `w` of the forward pass",
    ),
    "gradient behind the block": (
        "def g(v):\n    with insert_grad_of(v) as d:\n        d = d * 2\n    return d\n",
        "`d` has no value here",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_plain_function_is_refused(define, name):
    """Never followed halfway: an error that says what it is, with the call on the way to it."""
    text, message = REFUSED[name]
    f = define(f"{IMPORTS}{text}\ndef f(x, s):\n    y = g(x)\n    return np.sum(y) * s\n")
    problem = problem_of(f)
    assert message in problem.message, problem
    last = problem.called_from[-1] if problem.called_from else problem
    assert last.text == "    y = g(x)"


def test_names_of_another_helper_are_not_seen(define):
    """A helper has its own variables: those of its caller are unknown to it."""
    f = define("""
        def scaled(v):
            w = v * factor
            return w

        def f(x, s):
            factor = s
            return np.sum(scaled(x))
        """)
    problem = problem_of(f)
    assert problem.message == "`factor` is not defined" and problem.line == 8


def test_a_lambda_can_be_differentiated():
    """Its source is found by its code, also among several on a line."""
    from flatgrad import grad

    one, other = lambda x: x**2, lambda x: x**3 + np.sin(x)  # noqa: E731
    assert grad(one)(3.0).x == 6.0
    np.testing.assert_allclose(grad(other)(3.0).x, 27.0 + np.cos(3.0))
    assert "x**3" in emit(other, 2.0)
    with pytest.raises(UnsupportedError, match="functools.partial"):
        grad(functools.partial(other))
