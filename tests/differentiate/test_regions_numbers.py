"""Gradients through loops, branches and helpers: what each program computes is held against differences of fourth order.

Each program is run as one function for both passes, and as a forward and a backward function whose pullback is called three
times. `assert_gradients` does this; tests of other folders use it, too.
"""

import inspect
import textwrap

import numpy as np
import pytest

from flatgrad import checkpointed, custom_vjp, edit_gradient, flatgrad, insert_grad_of

MARKERS = {each.__name__: each for each in (checkpointed, custom_vjp, edit_gradient, insert_grad_of)}
STYLES = ("flat", "compact")
V, W = np.array([0.3, -0.7, 1.1]), np.array([0.5, 0.2, -0.4])
M = np.arange(12.0).reshape(4, 3) / 10 + 0.05
T = np.arange(24.0).reshape(2, 4, 3) / 10 - 1


def results_of(returned):
    return [leaf for item in returned for leaf in results_of(item)] if isinstance(returned, tuple) else [returned]


def is_real(argument):
    return isinstance(argument, float) or (isinstance(argument, np.ndarray) and argument.dtype.kind == "f")


def copied(arguments):
    return [each.copy() if isinstance(each, np.ndarray) else each for each in arguments]


def differences(function, arguments, place, weights, step=1e-4):
    """Return the derivative of the weighted sum of the results with respect to one argument."""
    centre = np.asarray(arguments[place], float)
    found = np.zeros(centre.shape)
    for index in np.ndindex(centre.shape):
        sides = []
        for shift in (step, -step, 2 * step, -2 * step):
            moved = centre.copy()
            moved[index] += shift
            given = copied(arguments)
            given[place] = moved if isinstance(arguments[place], np.ndarray) else float(moved)
            results = results_of(function(*given))
            sides.append(sum(float(np.sum(result * weight)) for result, weight in zip(results, weights, strict=True)))
        found[index] = (8 * (sides[0] - sides[1]) - (sides[2] - sides[3])) / (12 * step)
    return found


def upstream_for(results, seed):
    """Return an upstream gradient for each result."""
    normal = np.random.default_rng(seed).normal
    return [normal(size=result.shape) if isinstance(result, np.ndarray) else float(normal()) for result in results]


def assert_gradients(function, arguments):
    """Hold values and gradients of both styles and both forms against the function itself."""
    places = [place for place, argument in enumerate(arguments) if is_real(argument)]
    wrt = tuple(list(inspect.signature(function).parameters)[place] for place in places)
    expected = function(*copied(arguments))
    results = results_of(expected)
    for style in STYLES:
        decorated = flatgrad(wrt=wrt, style=style)(function)
        given = copied(arguments)
        if len(results) == 1 and not np.ndim(expected) and not isinstance(expected, tuple):
            value, gradients = decorated.value_and_grad(*given)
            assert np.asarray(value).tobytes() == np.asarray(expected).tobytes()
            assert_close(function, arguments, places, gradients, [1.0], style)
        values, pullback = decorated.vjp(*given)
        for value, result in zip(results_of(values), results, strict=True):
            assert np.asarray(value).tobytes() == np.asarray(result).tobytes()
        first = assert_pulled(function, arguments, places, pullback, upstream_for(results, 1), style)
        assert_pulled(function, arguments, places, pullback, upstream_for(results, 2), style)
        again = assert_pulled(function, arguments, places, pullback, upstream_for(results, 1), style)
        assert [np.asarray(each).tobytes() for each in first] == [np.asarray(each).tobytes() for each in again]
        for argument, kept in zip(given, arguments, strict=True):
            assert np.asarray(argument).tobytes() == np.asarray(kept).tobytes()


def assert_pulled(function, arguments, places, pullback, weights, style):
    upstream = copied(weights)
    gradients = pullback(*upstream)
    for one, other in zip(upstream, weights, strict=True):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    assert_close(function, arguments, places, gradients, weights, style)
    return gradients


def assert_close(function, arguments, places, gradients, weights, style):
    for place, gradient in zip(places, gradients, strict=True):
        wanted = differences(function, arguments, place, weights)
        assert np.shape(gradient) == np.shape(arguments[place])
        scale = 1 + np.max(np.abs(wanted), initial=0.0)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-6 * scale, err_msg=f"{place} {style}")


def program(text, *arguments):
    return pytest.param(textwrap.dedent(text), arguments)


CARRIED = {
    "rotation": program(
        """
        def f(a, b, c):
            for i in range(5):
                a, b, c = c, a, b
                a = np.sin(a) * b
            return a + 2 * b + 3 * c
        """, 0.3, 0.4, 0.5),
    "rotation in branches": program(
        """
        def f(a, b, c):
            for i in range(5):
                if a > b:
                    a, b, c = c, a * b, b
                else:
                    a, b = b, np.sin(a)
                for j in range(2):
                    c, a = a, c * 0.9 * b
            return a + 2 * b + 3 * c
        """, 0.3, 0.4, 0.5),
    "rotation of arrays": program(
        """
        def f(a, b, c):
            for i in range(5):
                a, b, c = c, a, b
                c = c * a
            return np.sum(a + 2 * b + 3 * c)
        """, V, W, V * W),
    "start of two loops": program(
        """
        def f(x, y):
            a = np.sin(x)
            p = a
            q = a
            for i in range(3):
                p = p * y
                q = q + p * a
            for j in range(2):
                a = a * q
            return a + p
        """, 0.3, 0.4),
    "inner loop from the outer variable": program(
        """
        def f(x, y):
            h = x
            for i in range(3):
                g = h
                for j in range(2):
                    g = np.sin(g) * h + y
                h = g * h
            return np.sum(h)
        """, V, 0.4),
    "second names": program(
        """
        def f(x, y):
            z = x
            h = z
            for i in range(3):
                k = h
                h = np.sin(k) * z
                g = h
            return np.sum(g * k + z + h * y)
        """, V, W),
    "row after the loop": program(
        """
        def f(x, y):
            s = 0.0
            for i, r in enumerate(x):
                s = s + np.sin(r * y) * i
            return s * r * i + x[i]
        """, V, 0.4),
    "variable of one branch": program(
        """
        def f(x, y):
            for i in range(4):
                if x > 1.0:
                    t = x * y
                x = x * 2.0
                if x > 2.0:
                    x = x + t
            return x * t
        """, 0.6, 0.4),
    "counters in arithmetic": program(
        """
        def f(x, y):
            n = 0
            k = 1
            for i in range(4):
                n += i * k
                k = k * 2
                x = x * np.sin(y * n / k) + n
            return x * n + k
        """, 0.3, 0.4),
    "numbers in arrays of rank 0": program(
        """
        def f(x, y, z):
            h = x + y
            s = 0.0
            for i in range(3):
                s = s + h * y
                for j in range(2):
                    h = h * y + x
                    s = s * h
            return s * h + np.sum(z) * x
        """, np.array(0.3), np.array(0.4), V),
}  # fmt: skip

HEADERS = {
    "ranges": program(
        """
        def f(x, a, n, step):
            s = 0.0
            for i in range(a, n):
                s = np.sin(s) * x[i] + i
            for i in range(a, n, step):
                s = np.sin(s) * x[i] + i
            for i in reversed(range(a, n, step)):
                s = np.sin(s) * x[i] + i
            for i in range(n - 1, a, -step):
                s = np.sin(s) * x[i] + i
            return s
        """, np.linspace(0.1, 0.9, 7), 1, 6, 2),
    "rows, zip and enumerate": program(
        """
        def f(m, x, w):
            s = np.sin(x[0])
            for r in reversed(m):
                s = np.tanh(s * np.sum(r) + s)
            for r, e in zip(m, x):
                s = s * np.sum(r * e)
            for i, (r, e) in enumerate(zip(reversed(m), w), 2):
                s = np.sin(s) * np.sum(r * e) * i
            for r in m[::-1]:
                s = s + r[0] * s
            return s
        """, M, V, W),
    "rows of rows": program(
        """
        def f(t, x):
            s = x
            for a in t:
                for r in a:
                    s = np.tanh(s * r)
                s = s + a[1]
            return np.sum(s)
        """, T, V),
    "repeated indices": program(
        """
        def f(w, x, idx):
            h = np.zeros(3)
            for t in range(4):
                h = np.tanh(h * w[t] + x[idx[t]])
                h = h + w[t, 1] * w[idx[t]][2]
            return np.sum(h)
        """, M, V, np.array([0, 1, 1, 2])),
    "neighbours and slices": program(
        """
        def f(x, c):
            s = 0.0
            for i in range(1, len(x) - 1):
                s = s + np.sin(x[i - 1] + x[i + 1] - 2 * c * x[i])
            for i in range(len(x) - 3):
                s = s * np.sum(x[i:i + 3])
                s = s + x[-1] * x[-i - 1]
            return s
        """, np.linspace(0.1, 0.9, 6), 0.3),
    "two indices": program(
        """
        def f(x, c):
            s = 0.0
            for i in range(x.shape[0]):
                for j in range(x.shape[1]):
                    s = s * c + np.sin(x[i, j] * s)
                    if j > 0:
                        s = s + x[i, j - 1] * x[i, :][j]
                s = s + np.sum(x[:, 0]) * np.sum(x[i])
            return s
        """, M, 0.3),
}  # fmt: skip

ALL = {**CARRIED, **HEADERS}


@pytest.mark.parametrize(("text", "arguments"), ALL.values(), ids=ALL)
def test_gradients(define, text, arguments):
    """Values are the program's own and gradients the derivatives, in all styles and forms, however often they are pulled back."""
    assert_gradients(define(text, **MARKERS), arguments)


def test_single_precision_in_loops(define):
    """Gradients keep the dtype of their variables, and a Python number stays one."""
    text = """
    def f(m, x, s):
        h = np.zeros(3, dtype=x.dtype)
        c = 0.0
        for r in m:
            h = np.tanh(h * r + x)
            c = c + s * np.sum(h)
            s = s * 0.9
        for e in x:
            c = c * e + s
        return c
    """
    function = define(text)
    single = (M.astype(np.float32), V.astype(np.float32), 0.7)
    for style in STYLES:
        gradients = flatgrad(style=style)(function).grad(*single)
        assert gradients.m.dtype == gradients.x.dtype == np.float32
        assert type(gradients.s) is float
        for gradient, exact in zip(gradients, flatgrad(function).grad(M, V, 0.7), strict=True):
            np.testing.assert_allclose(gradient, exact, rtol=1e-4, atol=1e-5)
