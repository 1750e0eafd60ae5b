"""Gradients through calls of helpers: in loops and branches, with unused results, with gradients of their own."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SPEC = importlib.util.spec_from_file_location("regions_numbers", Path(__file__).with_name("test_regions_numbers.py"))
numbers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(numbers)
program, assert_gradients, MARKERS = numbers.program, numbers.assert_gradients, numbers.MARKERS
M, V, W = numbers.M, numbers.V, numbers.W

HELPERS = {
    "several results, some unused": program(
        """
        def g(h, x, b):
            a = np.tanh(h * x + b)
            s = np.sum(a)
            return a, s, a * s
        def f(m, h, b):
            t = 0.0
            for r in m:
                h, s, _ = g(h, r, b)
                t = t + s * s
            q, _, u = g(h, b, h)
            return t + np.sum(u)
        """, M, V, W),
    "inactive in some arguments": program(
        """
        def g(h, x, n):
            a = np.tanh(h * x) * n
            return a * a
        def f(x, y):
            s = 0.0
            for i in range(3):
                s = g(s, 2.0, i) + g(0.5, x, 3) + g(y, x, 1.5)
            return s
        """, 0.3, 0.4),
    "ranks and static arguments": program(
        """
        def g(h, x, mode="a"):
            if mode == "a":
                r = np.sin(h) * x
            else:
                r = np.cos(h) + x
            r = r * h
            return r + h
        def f(x, y, m):
            a = g(x, y)
            b = g(y, x)
            c = g(y, y, mode="b")
            d = g(m, y)
            e = g(m, m)
            return np.sum(a) + np.sum(b) + np.sum(c) + np.sum(d) + np.sum(e)
        """, V, 0.3, M),
    "recursion": program(
        """
        def g(x, n):
            if n == 0:
                return x
            y = np.sin(x) * g(x * 0.5, n - 1)
            return y + g(y, n - 1)
        def f(x):
            return g(x, 3)
        """, 0.7),
    "closure over a carried variable": program(
        """
        def f(x, y):
            h = x
            def g(a):
                b = np.sin(a) * h
                return b + h
            for i in range(3):
                h = g(y) * h
                y = g(h)
            return h * y
        """, 0.3, 0.4),
    "loops that are left early": program(
        """
        def g(x, y):
            for i in range(10):
                x = x * 1.5
                if x > y:
                    return x * y
                for j in range(i):
                    if j * x > 3.0:
                        break
                    y = y + x * j
            return y
        def f(x, y):
            s = 0.0
            for i in range(3):
                s = s + g(x + i, y)
                if s > 100.0:
                    continue
                y = y * s
            return s * y
        """, 0.3, 0.9),
    "arguments given back": program(
        """
        def g(x, y):
            return x, y
        def f(x, y):
            for i in range(3):
                x, y = g(y, x)
            return x, y
        """, V, W),
}  # fmt: skip

CUSTOM = {
    "residuals": program(
        """
        @custom_vjp
        def g(x, y):
            return np.sin(x) * y
        def forward(x, y):
            return np.sin(x) * y, (x, y)
        def backward(residuals, grad):
            x, y = residuals
            return grad * np.cos(x) * y, grad * np.sin(x)
        g.defvjp(forward, backward)
        def f(x, y):
            for i in range(3):
                x = g(x, y) + g(y, x)
            if x > 0.0:
                x = g(x, x)
            return x + y
        """, 0.3, 0.9),
    "the result is the residual": program(
        """
        @custom_vjp
        def g(x):
            return np.exp(x)
        def forward(x):
            y = np.exp(x)
            return y, y
        def backward(y, grad):
            return (grad * y,)
        g.defvjp(forward, backward)
        def f(x, y):
            for i in range(3):
                x = g(x * y) * 0.5
            return np.sum(x * y)
        """, V, W),
    "two results": program(
        """
        @custom_vjp
        def g(x, y):
            return x + y, x
        def forward(x, y):
            return (x + y, x), None
        def backward(residuals, grads):
            a, b = grads
            return a + b, a
        g.defvjp(forward, backward)
        def f(x, y):
            a, b = g(x, y)
            c, d = g(b, a)
            return a, c
        """, V, W),
    "no gradient for one argument": program(
        """
        @custom_vjp
        def g(x, y):
            return np.sin(x) * y
        def forward(x, y):
            return np.sin(x) * y, (x, y)
        def backward(residuals, grad):
            x, y = residuals
            return grad * np.cos(x) * y, None
        g.defvjp(forward, backward)
        def f(x, y):
            return g(x, 3.0) + g(x * x, 2.0) + y
        """, 0.3, 0.9),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments"), HELPERS.values(), ids=HELPERS)
def test_helpers(define, text, arguments):
    """A helper passes on the gradients of all that is active in any of its calls."""
    assert_gradients(define(text), arguments)


@pytest.mark.parametrize(("text", "arguments"), CUSTOM.values(), ids=CUSTOM)
def test_gradients_of_their_own(define, text, arguments):
    """A `custom_vjp` is the right derivative wherever it is called, if the user's is."""
    assert_gradients(define(text, **MARKERS), arguments)


def test_the_users_gradient_is_taken(define):
    """What the user's backward pass returns is used, even where it is not the derivative, in loops and branches."""
    text = """
    @custom_vjp
    def g(x):
        return 3.0 * x
    def forward(x):
        return 3.0 * x, None
    def backward(residuals, grad):
        return (grad * 5.0,)
    g.defvjp(forward, backward)
    def f(x):
        for i in range(2):
            if x > 0.0:
                x = g(x)
        return x
    """
    for style in numbers.STYLES:
        value, gradients = numbers.flatgrad(style=style)(define(text, **MARKERS)).value_and_grad(1.5)
        assert (value, gradients.x) == (13.5, 25.0)


def test_stop_gradient_in_regions(define):
    """No gradient passes a stop in a loop, a branch or a helper; the rest of the gradient does."""
    text = """
    def g(x, y):
        z = stop_gradient(np.sin(x)) * y
        return z
    def f(x, y):
        s = 0.0
        for i in range(2):
            s = s + g(x, y)
            if s > 0.1:
                s = s + stop_gradient(x) * x
        return s
    """
    sine = np.sin(0.3)
    for style in numbers.STYLES:
        gradients = numbers.flatgrad(style=style)(define(text)).grad(0.3, 0.9)
        np.testing.assert_allclose(gradients, (2 * 0.3, 2 * sine), rtol=1e-14)
