"""Writes into arrays in the emitted code: gradients, what is copied for the backward pass, and what is not."""

import re
import textwrap

import numpy as np
import pytest

import flatgrad

PROGRAMS = {
    "overwritten behind a product": """
        def f(x):
            y = x * 2.0
            z = y**2
            y[1] = x[0] * 3
            return np.sum(y * z)
        """,
    "filled from what stands before": """
        def f(x):
            y = np.zeros(10)
            y[0] = x[0]
            for i in range(1, 10):
                y[i] = np.sin(y[i - 1]) * x[1]
            return y[9] + y[3] ** 2
        """,
    "a stencil that keeps nothing": """
        def f(x):
            u = x.copy()
            for _ in range(20):
                u[1:-1] += 0.1 * (u[2:] - 2 * u[1:-1] + u[:-2])
            return np.sum(u**2)
        """,
    "a stencil that keeps parts": """
        def f(x):
            u = x.copy()
            for _ in range(1, 9):
                w = u[1:-1]
                u[1:-1] += 0.01 * np.sin(u[2:] - 2 * w + u[:-2]) * w
            return np.sum(u**2)
        """,
    "on both sides of a branch": """
        def f(x):
            y = x * 1.0
            if x[0] > 0:
                y[0] = x[1] * x[2]
            else:
                y[1] = 0.0
            y[2] += y[1] ** 2
            return np.sum(np.sin(y))
        """,
    "two buffers that change places": """
        def f(x):
            u, v = np.sin(x), np.zeros_like(x)
            for _ in range(5):
                v[1:-1] = u[1:-1] ** 2 + u[:-2] * u[2:]
                v[0] = u[0]
                u, v = v, u
            return np.sum(u * v)
        """,
    "two buffers in a loop inside": """
        def f(x):
            u, v = x.copy(), np.zeros_like(x)
            for _ in range(3):
                for i in range(1, len(u) - 1):
                    v[i] = u[i] + 0.1 * (u[i - 1] * u[i + 1])
                u, v = v, u
            return np.sum(u**2)
        """,
    "two tables that change places": """
        def f(x):
            previous = -x[0] * np.arange(4)
            current = np.zeros(4)
            for i in range(2):
                current[0] = -x[0] * (i + 1)
                for j in range(3):
                    current[j + 1] = previous[j] * x[1] + current[j] * x[0]
                previous, current = current, previous
            return previous[3]
        """,
    "a triangle of a matrix": """
        def f(x):
            n = len(x)
            y = np.zeros((n, n))
            for i in range(n):
                for j in range(i + 1):
                    y[i, j] = x[i] * x[j]
            return np.sum(y @ y)
        """,
    "elimination": """
        def f(x):
            A = np.outer(x, x) + 3 * np.eye(len(x))
            for k in range(len(x) - 1):
                A[k + 1 :, k] /= A[k, k]
                A[k + 1 :, k + 1 :] -= np.outer(A[k + 1 :, k], A[k, k + 1 :])
            s = 0.0
            for i in range(len(x)):
                s += np.log(A[i, i])
            return s
        """,
    "columns made orthogonal": """
        def f(x):
            n = len(x)
            V = np.outer(x, x) + np.eye(n)
            Q = np.zeros((n, n))
            for j in range(n):
                v = V[:, j]
                for i in range(j):
                    v = v - np.dot(Q[:, i], V[:, j]) * Q[:, i]
                Q[:, j] = v / np.sqrt(np.sum(v * v))
            return Q[2, 3] + Q[4, 4]
        """,
    "momentum and position": """
        def f(x):
            q, p = x[:3].copy(), x[2:5].copy()
            for _ in range(3):
                p -= 0.05 * np.sin(q)
                q += 0.1 * p
                p -= 0.05 * np.sin(q)
            return np.sum(p**2) - np.sum(np.cos(q))
        """,
    "the caller's momentum and position": """
        def f(x, p):
            for _ in range(3):
                p -= 0.05 * np.sin(x)
                x += 0.1 * p
                p -= 0.05 * np.sin(x)
            return np.sum(p**2) - np.sum(np.cos(x))
        """,
    "repeated places": """
        def f(x):
            y = np.zeros(6)
            y[[1, 1, 3]] = x[:3] * x[0]
            M = np.outer(x, x)
            M[:, [1, 1]] /= 2.0 + x[2]
            return np.sum(y**2) + np.sum(M**2)
        """,
    "second names and views": """
        def f(x):
            y = x.copy()
            z = y
            t = y[2:5]
            z[3] = x[0] ** 2
            t[0] *= x[1]
            a = y[:4].reshape(2, 2)
            a[1] += t[:2]
            y[y > 0.5] = 0.25
            return np.sum(a.T @ a) + t[1] * y[4]
        """,
    "a gradient that goes on under two names": """
        def f(x):
            u = x * 1.5
            r = u * u
            e = np.zeros_like(u)
            e[1::2] = r[1::2]
            e[::2] = r[::2]
            u = u + e
            for _ in range(2):
                u[1:-1] = u[2:] * x[0]
            return np.sum(u**2)
        """,
    "a branch that keeps what it overwrites": """
        def f(x):
            A = np.outer(x, x).copy()
            c = x[0]
            for i in range(2):
                if A[i, i] > 0:
                    A.reshape(-1)[:5] *= x
                    c = np.sin(A[i, 3])
            return c
        """,
    "the numbers of an array that changes later": """
        def f(x):
            A = np.outer(x, x).copy()
            c = 0.0
            for e in A.ravel():
                c = e / A[1, 0]
            A += c
            return np.sum(A * A)
        """,
    "a row that is scattered and then cleared": """
        def f(x):
            A = np.outer(x, x + 1).copy()
            for i in range(3):
                row = A.T[i]
                np.copyto(row, row[[2, 1, 0, 1, 4]])
            return np.sum(A * A[0])
        """,
    "what a branch keeps is overwritten in the next turn": """
        def f(x):
            y = x * x
            w = 0.0
            for i in range(3):
                y[i] = 0.5 * x[0]
                if i == 1:
                    y += 0.7
                    w = np.sum(y * y)
            return w
        """,
    "what a loop inside keeps is overwritten in the next turn": """
        def f(x):
            y = np.tanh(x)
            for _ in range(2):
                y[1] = np.sum(y * y) * 0.3
                for _ in range(2):
                    y = np.tanh(y)
            return np.sum(y)
        """,
    "gradients of several loops in a turn": """
        def f(x):
            z = np.zeros(5)
            w = x * 0.5
            for i in range(3):
                for _ in range(2):
                    y = z + z
                    y[::2] *= w[i]
                for _ in range(2):
                    w[0] += x[1]
                for _ in range(2):
                    y = np.exp(-(w**2))
            return np.sum(y)
        """,
    "two names of one sum that branches overwrite": """
        def f(x):
            y = x * x
            z = np.cos(y)
            w = x * x
            if y[2] > 0:
                y[1] = y[1] * y[0]
                if np.sum(w) > 0.1:
                    w[1] = np.sum(z * y) * 0.3
                else:
                    for _ in range(2):
                        y *= np.tanh(x) * y
            return np.sum(y * w)
        """,
    "a side that writes beside one that calls": """
        def h(a, b):
            return a * b

        def f(x):
            w = x.copy()
            if x[0] > 0:
                w[1] = x[2] ** 2
            else:
                w = h(x, x)
            return np.sum(w * w)
        """,
    "a name of the caller's array that goes on to another one": """
        def f(x):
            w = x
            for _ in range(2):
                x[0] += 1.0
                w = np.exp(x)
            return np.sum(w)
        """,
    "a view of the caller's array that goes on": """
        def f(x):
            for _ in range(3):
                w = x[::-1]
                x += 0.7
            return np.sum(w * x)
        """,
    "the sum of a copy in its own order": """
        def f(x):
            A = np.outer(x, x).copy()
            B = np.transpose(A)
            y = A.ravel()
            y[1] = x[0]
            return np.sum(B * np.cos(B))
        """,
    "a condition that writes": """
        def step(y):
            y[0] += 0.1 * y[1] ** 2
            return y[0]

        def f(x):
            y = np.exp(x)
            while step(y) < 6.0:
                y[1] *= 1.2
            return np.sum(y**2)
        """,
}
STYLES = ("flat", "compact")
every_program = pytest.mark.parametrize("name", PROGRAMS)
every_style = pytest.mark.parametrize("style", STYLES)


@pytest.fixture
def made(tmp_path):
    """Return what makes a decorated function of a program's text."""

    def make(name, style="compact", **options):
        path = tmp_path / "written.py"
        source = "import numpy as np\n\n\n" + textwrap.dedent(PROGRAMS[name]).strip() + "\n"
        path.write_text(source)
        namespace = {}
        exec(compile(source, str(path), "exec"), namespace)
        return flatgrad.flatgrad(style=style, **options)(namespace["f"])

    return make


def arguments_of(function):
    """Return arguments that are no special points of a program."""
    random = np.random.default_rng(3)
    return [random.normal(size=5) + 0.4 for _ in range(function.__code__.co_argcount)]


def lines_of(text):
    return [line.strip() for line in str(text).split("\n")]


@every_program
@every_style
def test_gradients(made, name, style):
    """The value is that of the program to the last bit, the gradients are what complex steps and differences find."""
    function = made(name, style)
    assert function.check(*arguments_of(function)).passed


@every_program
@every_style
def test_a_pullback_can_be_called_again(made, name, style):
    """The backward pass writes into nothing that a second one reads."""
    function = made(name, style)
    given = arguments_of(function)
    value, pullback = function.vjp(*[argument.copy() for argument in given])
    first, second = pullback(1.0), pullback(1.0)
    direct = function.grad(*[argument.copy() for argument in given])
    for one, other, third in zip(first, second, direct, strict=True):
        assert np.array_equal(one, other)
        np.testing.assert_allclose(one, third, rtol=1e-12, atol=1e-12)


def test_only_what_is_overwritten_and_read_later_is_copied(made):
    """A copy is made of the array that the backward pass reads, right before it is overwritten."""
    lines = lines_of(made("overwritten behind a product").emit(np.ones(5)))
    assert lines.index("y_before = y.copy()") == lines.index("y[1] = x[0] * 3") - 1
    assert sum(".copy()" in line for line in lines) == 1


def test_a_linear_stencil_keeps_nothing(made):
    """Where the backward pass reads none of the states, none is kept, and its gradient is changed in place."""
    text = str(made("a stencil that keeps nothing").emit(np.ones(5)))
    assert "tape" not in text
    assert text.count(".copy()") == 2
    assert "grad_u[1:-1] -= 2 * " in text


def test_parts_of_every_turn_stand_in_one_array(made):
    """A counted loop over arrays keeps them in one array that is made before it."""
    lines = lines_of(made("a stencil that keeps parts").emit(np.ones(5)))
    assert "w_before_tape = np.empty((8, len(x) - 2))" in lines
    assert "w_before_tape[k] = w" in lines


def test_gradients_have_the_names_of_their_variables(made):
    """What is added to the gradient of another variable has a name of its own."""
    text = str(made("a gradient that goes on under two names").emit(np.ones(5)))
    assert re.search(r"return out, \(grad_x,\)", text)


@pytest.mark.parametrize("name", [
    "the caller's momentum and position", "a name of the caller's array that goes on to another one",
    "a view of the caller's array that goes on",
])  # fmt: skip
def test_the_callers_arrays_are_left_as_the_function_leaves_them(made, name):
    """What the function writes into its arguments the emitted code writes, and nothing more."""
    function = made(name)
    ours, theirs = ([argument.copy() for argument in arguments_of(function)] for _ in range(2))
    function.value_and_grad(*ours)
    function(*theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert np.array_equal(one, other)


def test_a_size_that_a_gradient_needs_is_asked_for_at_the_users_line(tmp_path):
    """The error names the line of the function, not that of a rule."""
    path = tmp_path / "blocks.py"
    path.write_text(
        "import numpy as np\n\n\ndef f(A):\n    L = A.copy()\n    n = len(L)\n    for b in range(0, n, 2):\n        e = min(b + 2, n)\n"
        "        L[e:, b:e] = L[e:, b:e] ** 2\n    return np.sum(L**2)\n"
    )
    namespace = {}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    with pytest.raises(flatgrad.FlatgradError) as error:
        flatgrad.grad(namespace["f"])(np.ones((3, 3)))
    assert f"{path}:9:22" in str(error.value)
