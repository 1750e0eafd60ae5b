"""How loops are written: headers, tapes and copies, and that no line takes a value away before its last reader."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[1] / "differentiate" / "test_regions_numbers.py"
SPEC = importlib.util.spec_from_file_location("regions_numbers", FILE)
numbers = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(numbers)
program, assert_gradients, flatgrad = numbers.program, numbers.assert_gradients, numbers.flatgrad
MARKERS, STYLES, M, V, W = numbers.MARKERS, numbers.STYLES, numbers.M, numbers.V, numbers.W

# the header of a loop in the user's function and in the backward pass
HEADERS = {
    "counter": ("for i in range(n)", "s * x[i]", "for i in reversed(range(n)):"),
    "counter from 1": ("for i in range(1, n)", "s * x[i]", "for i in reversed(range(1, n)):"),
    "every second": ("for i in range(0, n, 2)", "s * x[i]", "for k in reversed(range(len(range(0, n, 2)))):"),
    "rows": ("for r in x", "s * r", "for k in reversed(range(len(x))):"),
    "rows from the end": ("for r in reversed(x)", "s * r", "for k in reversed(range(len(x))):"),
    "enumerate": ("for i, r in enumerate(x)", "s * r * i", "for i in reversed(range(len(x))):"),
    "nothing of the turn": ("for _ in range(n)", "np.sin(s)", "for s in reversed(s_tape):"),
    "nothing kept": ("for _ in range(n)", "s * 0.5", "for _ in reversed(range(n)):"),
    "two of unknown lengths": ("for r, e in zip(x, w)", "s * r + e", "for k in reversed(range(min(len(x), len(w)))):"),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("header", "step", "expected"), HEADERS.values(), ids=HEADERS)
def test_headers(define, style, header, step, expected):
    """The backward pass goes the other way with the user's counter, or with as little as it needs."""
    text = f"""
    def f(x, w, s, n):
        {header}:
            s = {step}
        return s + np.sum(w) * 0.0
    """
    emitted = str(flatgrad(style=style, wrt=("x", "s"))(define(text)).emit(V, W, 0.3, 3))
    forward, _, backward = emitted.partition("# backward")
    assert f"    {header}:\n" in forward
    assert [line.strip() for line in backward.splitlines() if "for " in line] == [expected]


def written(define, text, *arguments, style="compact", **options):
    return str(flatgrad(style=style, **options)(define(text, **MARKERS)).emit(*arguments))


def test_one_tape_for_both_ends_of_a_turn(define):
    """Where the values before and behind a turn are read, one list has both: the value behind a turn is that before the next."""
    text = """
    def f(W, h, n):
        for t in range(n):
            h = np.tanh(W @ h)
        return np.sum(h)
    """
    emitted = written(define, text, M[:3], V, 4, wrt=("W", "h"))
    assert "h_tape = [h]\n" in emitted
    assert emitted.count("append") == 1
    assert "h_tape[t + 1]" in emitted
    assert "h_tape[t]" in emitted


def test_numbers_are_computed_again(define):
    """What takes no longer to compute than to keep has no tape."""
    text = """
    def f(x, y):
        s = 0.0
        for i in range(len(x)):
            d = x[i] - y
            s = s + d * d
        return s
    """
    emitted = written(define, text, V, 0.3)
    assert "tape" not in emitted
    assert "d = x[i] - y" in emitted.partition("# backward")[2]


def test_conditions_are_kept_by_their_names(define):
    """Which way a turn went is remembered in a list of the condition's name."""
    text = """
    def f(x, y):
        for i in range(3):
            large = np.sum(x) > 1.0
            if large:
                x = x * y
            x = np.sin(x)
        return np.sum(x)
    """
    assert "large_tape.append(large)" in written(define, text, V, 0.3)


def test_swaps_need_no_third_name(define):
    """Variables that change places do so in one statement, in both passes."""
    text = """
    def f(a, b):
        for i in range(3):
            a, b = b, a
        return a * a + b
    """
    emitted = written(define, text, 0.3, 0.4)
    assert "        a, b = b, a\n" in emitted
    assert "        grad_a, grad_b = grad_b, grad_a\n" in emitted


def test_inner_tapes_are_emptied_and_left_whole(define):
    """A pullback that takes from the end of a tape takes from a copy of it."""
    text = """
    def f(x, y):
        for i in range(3):
            for j in range(2):
                x = np.sin(x * y)
        return x
    """
    _, pullback = flatgrad(define(text)).vjp(V, W)
    first, second = pullback(np.ones(3)), pullback(np.ones(3))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


IN_PLACE = {
    "an element": "q = q[0] * w",
    "turned round": "q = q[::-1]",
    "permuted": "q = q[np.array([2, 0, 1])]",
    "several elements": "q = q[0] * w * q[1] + q[2]",
    "parts put together": "q = np.concatenate([q[1:], q[:1]]) * q[0]",
    "two steps": "q = q[::-1]; q = q[0] * w",
}


@pytest.mark.parametrize("step", IN_PLACE.values(), ids=IN_PLACE)
@pytest.mark.parametrize("header", ["for i in range(2):", "if w[0] > 0.0:", "for i in checkpointed(range(3)):"])
def test_gradients_are_not_overwritten_while_they_are_read(define, header, step):
    """`grad_q = np.zeros_like(q); grad_q[0] = ...` reads what grad_q was before the zeros: that has a name of its own."""
    text = f"""
    def f(u, w):
        q = u
        {header}
            {step}
        return np.sum(q * w)
    """
    assert_gradients(define(text, **MARKERS), (np.array([0.3, 0.8, 0.5]), np.array([0.5, 0.2, -0.4])))


TWO_OF_A_NAME = """
def f(y, z, c):
    y = y * z
    z, y = y, z * 0.8
    if c > 0.0:
        y, z = z, y
    return y
"""


@pytest.mark.parametrize("c", [0.5, -0.5])
def test_two_gradients_of_one_name_are_two_variables(define, c):
    """Where the branch gives its gradient to one of two values of `y`, the other one has none."""
    assert_gradients(define(TWO_OF_A_NAME), (0.3, -0.47, c))


NAMED_NUMBERS = {
    "straight line": program(
        """
        def f(x, y):
            z = 0.2
            return y + x / z ** 2
        """, 0.3, 0.4),
    "in a loop": program(
        """
        def f(x, y):
            z = 0.2
            for i in range(3):
                x = np.sin(x) * z ** 2 + y
            return x
        """, 0.3, 0.4),
    "in a branch": program(
        """
        def f(x, y):
            z = 0.2
            if y > 0.0:
                x = x * z
            z = 0.7
            while x < 1.0:
                if x > y:
                    x = x * (z + 1.0)
                x = x * 2.0 + z * y
            return x
        """, 0.3, 0.43),
    "in a checkpointed loop": program(
        """
        def f(x, y):
            z = 0.2
            for i in checkpointed(range(5)):
                x = np.sin(x) * z ** 2 + y * (z - 1.0)
            return x
        """, 0.3, 0.4),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments"), NAMED_NUMBERS.values(), ids=NAMED_NUMBERS)
def test_numbers_with_a_name(define, text, arguments):
    """A variable that holds a number has its name in the backward function, too, or is written as the number."""
    assert_gradients(define(text, **MARKERS), arguments)


RUN_AGAIN = {
    "condition that assigns": program(
        """
        def f(x, y):
            n = 0
            while checkpointed((x := np.sin(x) * y) > 0.05 and n < 5):
                y = y * 1.1
                n += 1
            return x * y
        """, 0.7, 0.9),
    "condition of several lines": program(
        """
        def g(n, x):
            a = np.sin(x) * n
            return a, n * 2.0
        def f(x, y):
            n = 0.0
            while checkpointed(g(n, 0.7)[1] < 7.0):
                n = n + 1.0
                x = np.sin(x) * y
            return x
        """, 0.3, 0.9),
    "nothing to run again": program(
        """
        def f(x, y):
            for _ in checkpointed(range(3)):
                x, y = y, x
            return x + 2.0 * y
        """, 0.3, 0.9),
    "less than no turn": program(
        """
        def f(x, n):
            s = x
            for _ in checkpointed(range(n)):
                s = np.sin(s)
            return x + s
        """, 0.3, -4),
    "enumerate": program(
        """
        def f(y, w):
            for i, e in checkpointed(enumerate(w)):
                y = np.tanh(y * e) + i
            return y
        """, 0.3, V),
    "enumerate without the rows": program(
        """
        def f(y, w):
            for i, _ in checkpointed(enumerate(w)):
                y = np.tanh(y) + i
            return y
        """, 0.3, V),
    "turns of an inner loop": program(
        """
        def f(x, y):
            for i in checkpointed(range(5)):
                while x < 2.0:
                    x = 2.0 * x
                x = x - 0.9
            return x * y
        """, 0.3, 0.9),
}  # fmt: skip


@pytest.mark.parametrize(("text", "arguments"), RUN_AGAIN.values(), ids=RUN_AGAIN)
def test_turns_that_run_again(define, text, arguments):
    """The turns between two kept states are all run again, whatever it was that ended the loop."""
    assert_gradients(define(text, **MARKERS), arguments)


UNSET = """
def f(x, y, m):
    while 0.4 < x < 9.0:
        for r in m:
            x = x * 0.9
        y = r[1] * x
    return y
"""


@pytest.mark.parametrize("x", [0.1, 0.7])
def test_rows_of_a_loop_that_does_not_run(define, x):
    """A row that is carried from turn to turn needs no shape before it has one."""
    assert_gradients(define(UNSET), (x, 0.9, M))


def test_calls_in_conditions(define):
    """A helper that keeps values for its backward pass elsewhere gives its value alone inside of an expression."""
    text = """
    def h(a, b):
        s = b[1]
        return s
    def f(x, m):
        for i in range(len(m)):
            pass
        if i and h(0.1, m[0]):
            pass
        else:
            x = h(x, m[1]) * x
        return x
    """
    assert_gradients(define(text), (0.3, M))
