"""Checkpointed loops: the same gradients to the last bit, with memory for about the square root of the turns."""

import importlib.util
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from flatgrad.errors import FlatgradError

FILE = Path(__file__).parents[1] / "differentiate" / "test_regions_numbers.py"
SPEC = importlib.util.spec_from_file_location("regions_numbers", FILE)
numbers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(numbers)
program, assert_gradients, MARKERS, flatgrad = (
    numbers.program,
    numbers.assert_gradients,
    numbers.MARKERS,
    numbers.flatgrad,
)
M, V, W = numbers.M, numbers.V, numbers.W

LOOPS = {
    "range": program(
        """
        def f(x, y, n):
            h = x
            for i in checkpointed(range(n)):
                h = np.tanh(h * y + i * 0.1)
            return np.sum(h)
        """, V, W, 11),
    "no turn": program(
        """
        def f(x, y, n):
            h = x
            s = y
            for i in checkpointed(range(n)):
                h = np.sin(h * y)
                s = s * h
            return h * x * s
        """, 0.3, 0.9, 0),
    "range with a step": program(
        """
        def f(x, y, n):
            h = x
            for i in checkpointed(range(2, n, 3)):
                h = np.tanh(h * y[i] + i * 0.1)
                if np.sum(h) > 0.5:
                    h = h * 0.5
                s = np.sin(h)
            return np.sum(h * s) + i
        """, V, np.linspace(0.1, 1, 12), 11),
    "rows": program(
        """
        def f(m, x, y):
            h = x
            g = y
            for i, (r, e) in checkpointed(enumerate(zip(reversed(m), y), 1)):
                h, g = np.tanh(g * r) * e, h * i
            return np.sum(h * g)
        """, M, V, W),
    "while": program(
        """
        def f(x, y):
            h = x
            n = 0
            while checkpointed(h < 50.0):
                h = h * 1.1 + y
                y = y * h * 0.1
                n += 1
            return h * y + n
        """, 0.3, 0.9),
    "while True": program(
        """
        def f(x, y):
            h = x
            while checkpointed(True):
                h = h * 1.1 + y
                if h > 20.0:
                    h = h * y
                    break
                y = y * 0.9
            return h * y
        """, 0.3, 0.9),
    "break and else": program(
        """
        def f(x, y):
            h = x
            for i in checkpointed(range(100)):
                h = h * 1.1 + y
                if h > 20.0:
                    y = y * i
                    break
                y = y * 0.9
            else:
                h = h * y
            return h * y * i
        """, 0.3, 0.9),
    "return": program(
        """
        def f(x, y):
            h = x
            for i in checkpointed(range(100)):
                h = h * 1.1 + y
                if h > 20.0:
                    return h * y * i
                y = y * 0.9
            return h * y
        """, 0.3, 0.9),
    "branches inside": program(
        """
        def f(x, y, m):
            h = x
            for r in checkpointed(m):
                t = h * r
                if np.sum(t) > 0.2:
                    u = np.sin(t)
                    h = h * u
                else:
                    h = h + np.cos(t) * y
            return np.sum(h)
        """, V, 0.9, M),
    "inner range": program(
        """
        def f(x, y):
            h = x
            for i in checkpointed(range(9)):
                for j in range(2):
                    h = np.sin(h * y) + j
            return h
        """, 0.3, 0.9),
    "inner while": program(
        """
        def f(x, y):
            h = x
            for i in checkpointed(range(9)):
                h = h + y
                while h > 1.0:
                    h = h * 0.7 * y
            return h
        """, 0.3, 0.9),
    "in a helper": program(
        """
        def g(x, y, n):
            h = x
            for i in checkpointed(range(n)):
                h = np.sin(h * y)
            return h * y
        def f(x, y):
            for k in range(3):
                x = g(x, y, 5 + k)
            return x
        """, 0.3, 0.9),
    "helpers inside": program(
        """
        def g(h, y):
            t = np.sin(h * y)
            return t * h, t
        def f(x, y):
            h = x
            s = 0.0
            for i in checkpointed(range(9)):
                h, t = g(h, y)
                s = s + t
            return h * x * s
        """, 0.3, 0.9),
    "two loops": program(
        """
        def f(x, y, n):
            a = x * y
            h = a
            for i in checkpointed(range(n)):
                h = np.sin(h * a)
            n = n + 4
            a = np.sin(h)
            for i in checkpointed(range(n)):
                h = np.sin(h * a)
            x = x * a
            return h * x
        """, 0.3, 0.9, 5),
    "changed behind": program(
        """
        def f(x, y, n):
            for i in checkpointed(range(n)):
                x = np.tanh(y * (i + 1.0))
            for i in range(2):
                x = x + x
            return x
        """, 0.3, 0.7, 5),
    "counter rebound": program(
        """
        def f(x, y, n):
            h = x
            for i in checkpointed(range(n)):
                h = np.sin(h * y) + i
                i = i * 2
                h = h * i
            return h * x * i
        """, 0.3, 0.9, 5),
}  # fmt: skip

BRANCH = """
def f(x, y, c):
    h = x
    if c > 0.0:
        for i in checkpointed(range(7)):
            h = np.sin(h * y)
    else:
        h = h * y
    return h * x
"""


@pytest.mark.parametrize(("text", "arguments"), LOOPS.values(), ids=LOOPS)
def test_gradients(define, text, arguments):
    """The gradients are the derivatives, and those of the loop that is not checkpointed to the last bit."""
    function = define(text, **MARKERS)
    assert_gradients(function, arguments)
    plain = define(text.replace("checkpointed(True)", "True").replace("checkpointed", ""), **MARKERS)
    for style in numbers.STYLES:
        kept = [flatgrad(style=style)(each).grad(*arguments) for each in (function, plain)]
        for one, other in zip(*kept, strict=True):
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


@pytest.mark.parametrize("c", [0.1, -0.1])
def test_in_a_branch(define, c):
    """The turns that run again leave the result of the branch alone, which is read behind them."""
    assert_gradients(define(BRANCH, **MARKERS), (0.3, 0.9, c))


MEMORY = {
    "for": """
    def f(x, n):
        h = x
        for i in checkpointed(range(n)):
            h = np.sin(h) + 0.1
        return np.sum(h)
    """,
    "while": """
    def f(x, n):
        h = x
        k = 0
        while checkpointed(k < n):
            h = np.sin(h) + 0.1
            k += 1
        return np.sum(h)
    """,
}


@pytest.mark.parametrize("text", MEMORY.values(), ids=MEMORY)
def test_memory(define, text):
    """A hundred times as many turns take about ten times as much memory."""
    gradient = flatgrad(wrt="x")(define(text, **MARKERS)).grad
    x = np.linspace(0.1, 0.9, 1000)
    gradient(x, 1)
    peaks = []
    for turns in (100, 10_000):
        tracemalloc.start()
        gradient(x, turns)
        peaks.append(tracemalloc.get_traced_memory()[1] / x.nbytes)
        tracemalloc.stop()
    assert peaks[0] < 6 * 100**0.5
    assert peaks[1] < 6 * 10_000**0.5
    assert peaks[1] < 20 * peaks[0]


@pytest.mark.parametrize("style", numbers.STYLES)
def test_prints_once(define, style, capsys):
    """What a turn prints is not printed again when the turn runs again."""
    text = """
    def f(x):
        for i in checkpointed(range(5)):
            x = np.sin(x)
            print("turn", i)
        return x
    """
    flatgrad(style=style)(define(text, **MARKERS)).grad(0.3)
    assert capsys.readouterr().out.splitlines() == [f"turn {i}" for i in range(5)]


def test_nested(define):
    """A checkpointed loop inside of another loop is refused where it stands."""
    text = """
    def f(x):
        for i in range(3):
            for j in checkpointed(range(3)):
                x = np.sin(x)
        return x
    """
    with pytest.raises(FlatgradError, match=r":9:\d+: a loop inside of another one can't be checkpointed"):
        flatgrad(define(text, **MARKERS)).grad(0.3)
