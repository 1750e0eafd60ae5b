"""Names in loops, branches and helpers: whatever the user calls variables, they mean the same in the emitted code."""

import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "differentiate" / "test_regions_numbers.py"
SPEC = importlib.util.spec_from_file_location("regions_numbers", FILE)
numbers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(numbers)
program, assert_gradients, MARKERS, V = numbers.program, numbers.assert_gradients, numbers.MARKERS, numbers.V

CLASHES = {
    "names of tapes and gradients": program(
        """
        def f(h_tape, grad_x, saved, k):
            for turns in range(3):
                h_tape = np.tanh(h_tape * grad_x + saved)
                k = k * h_tape + saved
            return k * grad_x
        """, 0.3, 0.5, 0.7, 1.2),
    "builtins": program(
        """
        def f(x, len, range, reversed, zip):
            h = len
            g = zip
            for r in x:
                h = np.tanh(r * h + range)
                g = g * np.sin(h * reversed)
            return h * g
        """, V, 0.3, 0.4, 0.5, 0.6),
    "builtins of checkpoints": program(
        """
        def f(x, min, max, int, len, reversed):
            h = min
            for r in checkpointed(x):
                h = np.sin(h * min * r) + int
            return h * max * len * reversed
        """, V, 0.4, 0.5, 0.6, 0.7, 0.8),
    "names of checkpoints": program(
        """
        def f(x, zeros_like, float, every, states, start, stop):
            h = x
            for start in checkpointed(x):
                h = np.sin(h * zeros_like) + float * every
                h = h * states + stop
            return np.sum(h)
        """, V, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "functions": program(
        """
        def grad_f(x):
            y = np.tanh(x)
            return y * y
        def f_forward(x):
            y = np.sin(x)
            return y * y
        def np_(x):
            y = np.sin(x)
            return y * y
        def f(x, saved0, x_2):
            saved = grad_f(x) + f_forward(saved0) * np_(x_2)
            t0 = f_forward(saved)
            out = grad_f(t0)
            return out * saved0
        """, 0.3, 0.4, 0.5),
}  # fmt: skip

UNDERSCORE = {
    "parameter beside a loop that needs no counter": program(
        """
        def f(_, y):
            z = _ * y
            for i in range(3):
                z = 3.0 * z
            return z
        """, 0.3, 0.4),
    "parameter of a helper": program(
        """
        def g(_, grad__):
            _ = np.sin(_) * grad__
            return _ * _
        def f(_, grad_out):
            for __ in range(3):
                _ = g(_, grad_out) + grad_out
            return _ * grad_out
        """, 0.3, 0.4),
    "unused gradient of a helper": program(
        """
        def g(a, b):
            c = np.sin(a)
            return c, np.sin(b) * c
        def f(_, y):
            for i in range(2):
                p, q = g(_, 2.0)
                y = y * q
            return y * _
        """, 0.3, 0.4),
    "counter that is read": program(
        """
        def f(x, y):
            for _ in range(3):
                x = np.sin(x) * y + _
            return x + y
        """, 0.3, 0.4),
    "counter read behind the loop": program(
        """
        def f(x, y):
            _ = y
            for _ in range(3):
                x = np.sin(x) * y
            return x + _
        """, 0.3, 0.4),
    "row read behind the loop": program(
        """
        def f(x, y):
            for i, _ in enumerate(x):
                y = y * i + y
            return y + _
        """, V, 0.4),
}  # fmt: skip

ALL = {**CLASHES, **UNDERSCORE}


@pytest.mark.parametrize(("text", "arguments"), ALL.values(), ids=ALL)
def test_names(define, text, arguments):
    """Names of ours give way to the user's, and none is given a second meaning while its first is still read."""
    assert_gradients(define(text, **MARKERS), arguments)


@pytest.mark.parametrize("style", numbers.STYLES)
def test_imports_of_hidden_builtins(define, style):
    """Builtins that parameters hide are imported one a line, as `ruff check` sorts them."""
    text = """
    def f(x, len, range, reversed):
        h = len
        for r in x:
            h = np.tanh(r * h + range)
        return h * reversed
    """
    emitted = str(numbers.flatgrad(style=style)(define(text)).emit(V, 0.3, 0.4, 0.5))
    imported = [line for line in emitted.splitlines() if line.startswith("from builtins")]
    assert all(line.count(" as ") == 1 for line in imported)
    assert imported == sorted(imported)


@pytest.mark.parametrize("style", numbers.STYLES)
def test_only_what_is_read_is_saved(define, style):
    """The number of turns is not saved for a backward pass that goes through its tapes."""
    text = """
    def f(x, y, n):
        h = x
        for i in range(n):
            h = h * y
        return h
    """
    emitted = str(numbers.flatgrad(style=style, wrt=("x", "y"))(define(text)).emit(V, V, 2))
    backward = emitted.partition("def f_backward")[2]
    assert "reversed(h_tape)" in backward
    assert "y, h_tape = saved" in backward


@pytest.mark.parametrize("style", numbers.STYLES)
def test_edited_value_has_one_name(define, style):
    """An edit of a gradient leaves no `x = x` in the forward pass, which `ruff check` objects to."""
    text = """
    def f(x, y):
        for i in range(3):
            x = np.sin(x * y)
            x = edit_gradient(x, lambda grad: 2.0 * grad)
        return x
    """
    emitted = str(numbers.flatgrad(style=style)(define(text, **MARKERS)).emit(0.3, 0.4))
    assert "x = x\n" not in emitted
