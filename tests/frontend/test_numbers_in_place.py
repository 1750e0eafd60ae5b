"""`y -= ...`: a number has no memory that could be shared; an array without axes has."""

from __future__ import annotations

import numpy as np
import pytest

from flatgrad.errors import UnsupportedError

V = {"u": np.array([0.4, -1.5, 2.0]), "s": 0.7}
NEGATIVE = {"u": np.array([-0.4, 1.5, 2.0]), "s": -0.7}

NUMBERS = {
    "element": "y = u[0]\nz = y\ny -= 0.1\nreturn y * z",
    "reduction": "y = np.sum(u)\nz = (y, y)\ny *= s\nreturn y * z[0]",
    "branch": "y = u[1] if s > 0 else np.max(u)\nz = y\ny -= 0.5\nreturn y * z",
    "loop": "y = u[0]\nfor e in u:\n    z = y\n    y -= e * z\nreturn y",
    "while": "y = np.mean(u)\nz = y\nwhile y < 4:\n    y += 1.5\nreturn y * z",
    "row": "y = 0.0\nfor e in u:\n    z = e\n    e *= z\n    y = y + e * z\nreturn y",
    "unpacked": "a, b, c = u[0], u[1], u[2]\na += b\nreturn a * b * c",
    "helper": "def f(u, s):\n    return changed(u[1]) + changed(np.sum(u))\n",
    "helper in line": "def f(u, s):\n    return plain(u[1])\n",
    "result": "def f(u, s):\n    y = changed(u[0])\n    z = y\n    y -= 1.0\n    return y * z\n",
    "tuple": "def f(u, s):\n    return packed((u[0], s), a=u[1])\n",
    "stopped": "y = stop_gradient(u[0])\nz = y\ny -= 0.1\nreturn y * z",
    "edited": "y = edit_gradient(u[0], lambda grad: 2 * grad)\nz = y\ny -= 0.1\nreturn y * z",
    "recursion": "def f(u, s):\n    return halved(u[2], 3)\n",
}
HELPERS = """
def changed(y):
    z = y
    y -= 0.1
    return y * z


def plain(y):
    return second(y)


def second(y):
    y += 1.0
    return y


def packed(pair, **more):
    a, b = pair
    a -= b
    c = more["a"]
    c *= a
    return c


def halved(y, n):
    y *= 0.5
    if n == 0:
        return y
    return halved(y, n - 1) + y
"""


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_changed_by_itself(reading, name):
    """An element, a sum, and what branches, loops and helpers make of numbers are numbers: `-=` makes another one."""
    text = NUMBERS[name]
    if text.startswith("def "):
        text += "\n" + HELPERS
    reading.is_right(text, V, NEGATIVE)


ARRAYS = {
    "parameter": ("x -= 0.1\nreturn x", "x"),
    "view": ("y = x\ny -= 0.1\nreturn y", "y"),
    "helper": ("def f(u, s, x):\n    return g(x)\n\n\ndef g(y):\n    y -= 0.1\n    return y\n", "y"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_without_axes_may_be_shared(reading, name):
    """An argument that may be a number or an array without axes is refused."""
    text, variable = ARRAYS[name]
    with pytest.raises(UnsupportedError, match=f"`{variable}` may be another array's memory"):
        reading.graph_of(text, {**V, "x": np.array(0.5)})


def test_one_mistake_is_one_problem(reading):
    """What a refused statement would have assigned is not missed in the condition of a loop behind it."""
    text = "y = u.unknown\nwhile y < 3:\n    y = y + 1\nreturn y"
    with pytest.raises(UnsupportedError) as error:
        reading.graph_of(text, V)
    assert len(error.value.problems) == 1
