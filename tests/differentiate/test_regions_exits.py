"""Loops that are left early or never entered, branches not taken, and pullbacks of several results."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("regions_numbers", Path(__file__).with_name("test_regions_numbers.py"))
numbers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(numbers)
program, assert_gradients = numbers.program, numbers.assert_gradients
M, V, W = numbers.M, numbers.V, numbers.W

LEFT_EARLY = {
    "break in nested branches": program(
        """
        def f(x, y):
            for i in range(10):
                x = x * 1.3
                if x > 1.0:
                    y = y * x
                    if y > 1.0:
                        break
                    x = x - 0.1
                y = y + np.sin(x)
            return x * y
        """, 0.3, 0.4),
    "return from an inner loop": program(
        """
        def f(x, y):
            for i in range(4):
                for j in range(3):
                    x = x * 1.3
                    if x * y > 1.0:
                        return x * x * y
                    y = y + np.sin(x)
            return x + y
        """, 0.3, 0.4),
    "for and else": program(
        """
        def f(x, y):
            for i in range(4):
                x = x * 1.3 + y * y
                if x > 100.0:
                    break
            else:
                x = np.sin(x) * y
            return x * y
        """, 0.3, 0.4),
    "continue and break": program(
        """
        def f(x, y):
            s = 0.0
            for i in range(8):
                if i % 3 == 0:
                    continue
                x = x * 1.2
                if x > 1.0:
                    s = s + x
                    if s > 3.0:
                        y = y * s
                        continue
                elif x > 0.8:
                    break
                s = s + y * x
            return s * y
        """, 0.3, 0.4),
    "while without a tape": program(
        """
        def f(x, y):
            s = 0.0
            for i in range(3):
                z = x + i
                while z < 10.0:
                    z = z * 2.0 + y
                s = s + z
            return s
        """, 0.3, 0.4),
}  # fmt: skip

SPLIT = {
    "upstream gradient as it is": program(
        """
        def f(x, y):
            h = x
            for i in range(3):
                h = h + y
            return h
        """, V, W),
    "several results": program(
        """
        def f(m, y):
            s = np.zeros_like(y)
            for r in m:
                s = s + y
                s = s + r
            return s, y
        """, M, W),
    "branch of names alone": program(
        """
        def f(x, y, c):
            if c > 0.0:
                h = x
                g = y
            else:
                h = y
                g = x
            return h, g, h + g
        """, V, W, 0.3),
    "while over arrays": program(
        """
        def f(x, y):
            h = x
            while np.sum(h * h) < 100.0:
                h = h * 2.0 + y
                x = h
            return h, x
        """, V, W),
}  # fmt: skip

ALL = {**LEFT_EARLY, **SPLIT}


@pytest.mark.parametrize(("text", "arguments"), ALL.values(), ids=ALL)
def test_gradients(define, text, arguments):
    """Values are the program's own and gradients the derivatives, in all styles and forms, however often they are pulled back."""
    assert_gradients(define(text), arguments)


@pytest.mark.parametrize("turns", [0, 1, 3])
def test_number_of_turns(define, turns):
    """Loops without turns, outer and inner, pass on the gradients of what they start from."""
    text = """
    def f(x, y, n):
        a = np.sin(x)
        b = y * y
        for i in range(n):
            a = a * b
            for j in range(i):
                a = np.sin(a) + b
                for k in range(j):
                    b = b * np.cos(a)
        return a * b
    """
    assert_gradients(define(text), (0.3, 0.4, turns))


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_number_of_rows(define, rows):
    """An array without rows has an empty gradient, and what the loop starts from its own."""
    text = """
    def f(x, y, w):
        a = w
        for r in x:
            a = np.sin(a * r) + y
            for e in r[1:]:
                a = a + e * a
        return np.sum(a)
    """
    assert_gradients(define(text), (M[:rows], 0.4, W))


@pytest.mark.parametrize("c", [0.4, -0.4])
@pytest.mark.parametrize("turned", [False, True])
def test_loop_on_one_side(define, c, turned):
    """The pullback runs whether or not the side was taken whose loops have tapes that reading empties."""
    text = f"""
    def f(x, y, c):
        if {"c < 0.0" if turned else "c > 0.0"}:
            for i in range(3):
                x = np.sin(x * y)
                while y < 2.0:
                    y = y * y + x * x + 0.5
        else:
            y = y * x
        return x * y
    """
    assert_gradients(define(text), (0.3, 0.4, c))
