"""Arrays, lists and dicts under several names: what is changed under one of them is seen under all."""

from __future__ import annotations

import numpy as np
import pytest

V = {"x": np.array([0.5, -1.2, 2.0, 0.3]), "m": np.arange(12.0).reshape(3, 4) * 0.3 - 1, "s": 0.7}
OTHER = {"x": -V["x"], "m": V["m"][::-1].copy(), "s": -0.7}

PROGRAMS = {
    "alias": "z = x * 1\ny = z\ny[0] = s\nreturn z * 2",
    "view": "z = x * 1\nt = z[1:]\nz[2] = s\nreturn t + 0",
    "view of view": "z = m * 1\nt = z[1:]\nu = t[:, 1:]\nu[0, 0] = s\nt[1] = 3.0\nreturn z + 0, t+0, u+0",
    "aug whole shared": "z = x * 1\ny = z\ny += s\nt = z[1:]\nz *= 2\nreturn y + 0, t + 0",
    "loop fill": "z = np.zeros(4)\nfor i in range(4):\n    z[i] = x[i] * s\nreturn z",
    "loop fill view": (
        "z = np.zeros(4)\nt = z[1:]\nfor i in range(3):\n    z[i] = x[i] * s\n    t[i] += 1\nreturn z + 0, t + 0"
    ),
    "loop rows": "z = m * 1\nfor row in z:\n    row += s\n    row[0] = 1.0\nreturn z",
    "loop rows enumerate": (
        "z = m * 1\nfor i, row in enumerate(z):\n    row[i] = s * i\n    z[0, 3] += row[1]\nreturn z"
    ),
    "loop rows zip": "z = m * 1\nfor row, v in zip(z, x):\n    row[:] = row * v\nreturn z",
    "loop reversed rows": "z = m * 1\nfor row in reversed(z):\n    row[1:] += row[:-1].copy()\nreturn z",
    "double buffer": (
        "u = x * 1\nv = np.zeros_like(x)\nfor k in range(3):\n    v[1:-1] = u[:-2] + u[2:]\n    v[0] = s\n"
        "    u, v = v, u\nreturn u + 0, v + 0"
    ),
    "new buffer": (
        "u = x * 1\nfor k in range(3):\n    n = u.copy()\n    for i in range(1, 3):\n"
        "        n[i] = u[i - 1] + u[i + 1] * s\n    u = n\nreturn u"
    ),
    "branch write": "z = x * 1\nif s > 0:\n    z[0] = s\nelse:\n    z[1] = 5.0\n    z[2] *= 2\nreturn z",
    "branch one side": "z = x * 1\nt = z[1:]\nif s > 0:\n    t[0] = s\nreturn z + 0, t + 0",
    "branch fresh": "if s > 0:\n    y = x * 2\nelse:\n    y = x.copy()\ny[0] = 1.0\nreturn y",
    "nested loops": (
        "z = np.zeros((3, 4))\nfor i in range(3):\n    for j in range(4):\n"
        "        z[i, j] = m[i, j] * s + (z[i - 1, j] if i > 0 else 0.0)\nreturn z"
    ),
    "while": "z = x * 1\ni = 0\nwhile z[i] < 1.5 and i < 3:\n    z[i + 1] += s\n    i += 1\nreturn z",
    "loop break": "z = x * 1\nfor i in range(4):\n    if z[i] > 1:\n        break\n    z[i] *= s\nreturn z",
    "list of arrays": "a = x * 1\nb = x * 2\nhs = [a, b]\nhs[0][1] = s\nhs[1] += 1\nreturn a + 0, b + 0, hs[0] * hs[1]",
    "dict of arrays": (
        "a = x * 1\nd = {'a': a, 'b': m[0] * 2}\nd['a'][0] = s\nd['b'] *= 2\nd['c'] = d['a']\nd['c'] += 1\n"
        "return a + 0, d['b'] + 0"
    ),
    "helper writes": (
        "def f(x, m, s):\n    z = x * 1\n    fill(z, s)\n    fill(z[2:], s * 2)\n    return z\n\n\n"
        "def fill(y, v):\n    y[0] = v\n    y[1] += v"
    ),
    "helper returns arg": (
        "def f(x, m, s):\n    z = x * 1\n    t = g(z)\n    return t * z\n\n\ndef g(y):\n    u = y * 2\n"
        "    u[0] = 1.0\n    return y if u[1] > 0 else u"
    ),
    "closure": (
        "def f(x, m, s):\n    z = x * 1\n    def put(i, v):\n        z[i] = v\n    put(0, s)\n"
        "    put(1, z[0] * 2)\n    return z"
    ),
    "nested helper read after write": (
        "def f(x, m, s):\n    z = x * 1\n    def total():\n        t = z * 2\n        return np.sum(t)\n"
        "    z[0] = s\n    a = total()\n    z[1] = s\n    return a + total()"
    ),
    "return in branch": "z = x * 1\nif s > 0:\n    z[0] = s\n    return z * 2\nz[1] = s\nreturn z",
    "transposed loop": "z = m * 1\nfor col in z.T:\n    col -= col[0]\nreturn z",
    "triangular": (
        "z = np.zeros((3, 3))\nk = 0\nfor i in range(3):\n    for j in range(i):\n"
        "        z[i, j] = x[k] * s\n        k += 1\nreturn z"
    ),
    "lu": (
        "a = np.ones((3, 3)) * s + 5 * np.eye(3)\nfor k in range(3):\n    for i in range(k + 1, 3):\n"
        "        a[i, k] = a[i, k] / a[k, k]\n        a[i, k + 1:] -= a[i, k] * a[k, k + 1:]\nreturn a"
    ),
    "state list in loop": (
        "hs = [x * 1, x * 2]\nfor k in range(3):\n    hs[0] = hs[0] * s + hs[1]\n    hs[1][0] = s\n"
        "return hs[0] + 0, hs[1] + 0"
    ),
    "aliased carried": "u = x * 1\nfor k in range(3):\n    w = u\n    w[k] = s\n    u = w * 2\nreturn u",
    "tuple carried": (
        "a, b = x * 1, x * 2\nfor k in range(2):\n    a, b = b * s, a\n    b[0] = 1.0\nreturn a + 0, b + 0"
    ),
    "chained": "a = b = x * 1\na[0] = s\nb[1] = s\nreturn a * b",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_change_is_seen_under_all_names(reading, name):
    """The graph, in which nothing is ever changed, gives what the function gives."""
    reading.is_right(PROGRAMS[name], V, OTHER)


REFUSED = {
    "memory of a branch": (
        "y = x * 1\nz = x * 2\nt = y if s > 0 else z\nt[0] = 1.0\nreturn y + t",
        11,
        "whether this is the array that is changed in line 10 is not known",
    ),
    "unknown layout": (
        "y = np.asarray(m.T) * 1\nt = y.ravel()\nt[0] = s\nreturn y + 0",
        10,
        "whether this is the array that is changed in line 9 is not known",
    ),
    "global array": (
        "def f(x, m, s):\n    LIMITS[0] = s\n    return LIMITS * s\n\n\nLIMITS = np.ones(2)",
        7,
        "`LIMITS` may be changed",
    ),
    "view of the turn before": (
        "u = x * 1\nt = x * 1\nwhile np.sum(t) < s:\n    t[0] = s\n    t = u[:]\nreturn u",
        11,
        "whether this is the array that is changed in line 10 is not known",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_be_changed_under_another_name_is_refused_where_it_is_used(reading, name):
    """Where it can't be known whose memory a write changes, the use of the other array is an error at its line."""
    text, line, message = REFUSED[name]
    assert reading.is_refused(text, V, line, message).hint


def test_a_helper_that_writes_is_read_into_its_caller(reading):
    """What a function changes of its arguments is seen by its caller; one that changes only its own stays a function."""
    text = (
        "def f(x, m, s):\n    z = own(x)\n    fill(z, s)\n    return z\n\n\n"
        "def fill(y, v):\n    y[0] = v\n\n\ndef own(x):\n    y = x * 1\n    y[1] = 2.0\n    return y"
    )
    graph = reading.is_right(text, V, OTHER)
    assert [node.bodies[0].name for node in graph.nodes if node.function.__name__ == "call"] == ["own"]


def test_a_loop_carries_what_it_changes(reading):
    """Of a dict, only the entry that a loop changes goes from turn to turn."""
    text = "d = {'a': x * 1, 'b': x * 2}\nfor k in range(3):\n    d['a'] = d['a'] * s + d['b']\nreturn d['a']"
    graph = reading.is_right(text, V, OTHER)
    (node,) = [node for node in graph.nodes if node.function.__name__ == "loop"]
    assert len(node.outputs) == 1


def test_swapped_arrays_are_not_taken_for_one(reading):
    """Two arrays that change their names in each turn can both be written into, in the loop and behind it."""
    text = "u = x * 1\nv = x * 2\nfor k in range(3):\n    u[0] = s\n    u, v = v, u\nu[1] = s\nreturn u + v"
    reading.is_right(text, V, OTHER)


@pytest.mark.parametrize(("behind", "is_loop"), [("v[0] = s", False), ("w = v * s", True)])
def test_loops_are_read_turn_by_turn_where_that_tells_what_is_changed(reading, behind, is_loop):
    """A name that a loop binds to another array is that array for certain, once the loop is written out; else it stays a loop."""
    text = f"v = x * 1\nt = x * 2\nfor k in range(3):\n    t = v\n    s = s * 2\n{behind}\nreturn t * s"
    graph = reading.is_right(text, V, OTHER)
    assert ("loop" in reading.functions_of(graph)) == is_loop
