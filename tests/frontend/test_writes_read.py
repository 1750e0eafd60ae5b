"""Writes into arrays, in all their forms: assignments to items, `+=`, `out=`, calls that change an array."""

from __future__ import annotations

import numpy as np
import pytest

V = {"x": np.array([0.5, -1.2, 2.0, 0.3]), "m": np.arange(12.0).reshape(3, 4) * 0.3 - 1, "s": 0.7}
OTHER = {"x": -V["x"], "m": V["m"][::-1].copy(), "s": -0.7}

WRITES = {
    "through view": "z = x * 1\nt = z[1:]\nt[0] = s\nreturn z + 0, t*2",
    "chain": "z = m * 1\nz[1][2] = s\nz.T[0] = 2.0\nreturn z",
    "slice chain": "z = m * 1\nz[1:][1] += x\nz[1:][0, 1:] *= 2\nreturn z",
    "ravel": "z = np.zeros((3, 4))\nz.ravel()[5] = s\nreturn z",
    "reshape": "z = np.zeros((3, 4))\nt = z.reshape(4, 3)\nt[1] = s\nreturn z + 0, t+0",
    "swap wrong": "z = m * 1\nz[0], z[1] = z[1], z[0]\nreturn z",
    "swap copy": "z = m * 1\nz[0], z[1] = z[1].copy(), z[0].copy()\nreturn z",
    "swap fancy": "z = m * 1\nz[[0, 1]] = z[[1, 0]]\nreturn z",
    "swap elements": "z = x * 1\nz[0], z[1] = z[1], z[0]\nreturn z",
    "overlap": "z = x * 1\nz[1:] = z[:-1]\nreturn z",
    "aug view": "z = m * 1\nr = z[1]\nr += x\nr *= 2\nr /= 3\nreturn z + 0, r + 0",
    "aug elements": "z = x * 1\nz[0] += s\nz[1] -= s\nz[2] *= s\nz[3] /= 2\nz[0] **= 2\nreturn z",
    "aug fancy": "z = x * 1\nz[[0, 0, 1]] += s\nz[[1, 2]] -= 1\nreturn z",
    "aug mask": "z = x * 1\nz[z > 0] *= s\nz[x < 0] = 0.0\nreturn z",
    "in callers": "x[0] = s\nx += 1\nreturn x * 2",
    "in callers view": "t = x[1:]\nt[0] = s\nt *= 2\nreturn x + 0, t + 0",
    "ellipsis": "z = m * 1\nz[...] = x\nz[..., 0] = s\nreturn z",
    "newaxis view": "z = x * 1\nt = z[:, None]\nt[0, 0] = s\nt[1:] += 1\nreturn z + 0",
    "int cast": "z = np.zeros(4, dtype=int)\nz[0] = s * 10\nz[1] += 2\nreturn z * x",
    "swapaxes fancy": "z = m * 1\nt = z.T\nt[[0, 2], 1] = s\nt[t > 1] = 0.5\nreturn z + 0",
    "row index int array": "z = m * 1\nr = z[1]\nr[[0, 2]] = s\nr[r < 0] *= 2\nreturn z",
    "neg in slice view": "z = m * 1\nr = z[1:]\nfor i in range(2):\n    r[-1 - i, 0] = s * i\nreturn z",
}

CALLS = {
    "out": "z = np.zeros_like(x)\ny = z[1:]\nnp.multiply(x, s, out=z)\nnp.add(z, 1, z)\nreturn z + 0, y + 0",
    "out view": "z = np.zeros((3, 4))\nnp.sum(m, axis=1, out=z[:, 0])\nnp.exp(x, out=z[1])\nreturn z",
    "out returned": "z = np.empty((3, 4))\nt = np.multiply(m, s, out=z)\nt[0] = 1.0\nreturn z",
    "out where": "z = np.zeros_like(x)\nnp.divide(1.0, x, out=z, where=x > 0)\nreturn z",
    "method out": "z = np.zeros(3)\nm.sum(axis=1, out=z)\nreturn z",
    "add at": "z = np.zeros(4)\nnp.add.at(z, [0, 0, 2], s)\nnp.subtract.at(z, 1, x[0])\nreturn z",
    "copyto": "z = np.zeros_like(m)\nnp.copyto(z, x)\nnp.copyto(z[0], x * 2, where=x > 0)\nreturn z",
    "fill": "z = np.empty(4)\nz.fill(s)\nz[1:].fill(2.0)\nreturn z * x",
    "sort": "z = x * 1\nz.sort()\nreturn z",
    "sort view": "z = m * s\nz[:, 0].sort()\nz.sort(axis=0)\nreturn z",
    "put": "z = m * 1\nnp.put(z, [0, 5], s)\nz.flat[7] = 2.0\nreturn z",
    "fill diagonal": "z = np.ones((3, 3)) * s\nnp.fill_diagonal(z, 0.0)\nreturn z",
    "putmask": "z = x * 1\nnp.putmask(z, z > 0, s)\nnp.place(z, z < 0, 1.0)\nreturn z",
    "empty": "z = np.empty((3, 4))\nfor i in range(3):\n    z[i] = m[i] * s\nreturn z",
    "empty_like": "z = np.empty_like(x)\nz[:] = s\nz *= x\nreturn z",
    "constant array": (
        "z = np.array([1.0, 2.0, 3.0, 4.0])\nt = z[1:]\nz[1] = s\nfor i in range(3):\n    t[i] += x[i]\n"
        "return z + 0, t * 2"
    ),
    "arange": "z = np.arange(4.0)\nu = z\nu += s\nreturn z + 0",
    "matmul aug": "z = np.eye(3)\ny = z\nz @= m[:, :3] @ m.T[:3]\nreturn y + 0",
}


@pytest.mark.parametrize("name", WRITES)
def test_an_assignment_does_what_numpy_does(reading, name):
    """Items, slices, masks and lists of indices, of arrays and of their views."""
    reading.is_right(WRITES[name], V, OTHER)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_changes_the_array_that_it_is_given(reading, name):
    """Calls with `out=`, and those that are made for what they change."""
    reading.is_right(CALLS[name], V, OTHER)


REFUSED = {
    "number": ("s[0] = 1.0\nreturn s", 7, "a number has no items"),
    "read-only": ("z = np.broadcast_to(x, (3, 4))\nz[0] = 1.0\nreturn z", 8, "does not let a program change"),
    "index": ("z = np.zeros(3)\nz[5] = s\nreturn z", 8, "index 5 is out of bounds"),
    "shape": ("z = np.zeros(3)\nz[1:] = np.ones(3)\nreturn z", 8, "shapes do not fit"),
    "rank": ("z = np.zeros(3)\nz[0] = np.ones(2)\nreturn z", 8, "shapes do not fit"),
    "int": ("z = np.zeros(3, dtype=int)\nz[1:] += s\nreturn z", 8, "from int64[2] to float64[2]"),
    "whole int": ("z = np.arange(3)\ny = z\nz *= s\nreturn y", 9, "from int64[3] to float64[3]"),
    "column into row": ("z = np.ones((3, 3))\nz[0] = z[:, 1]\nreturn z", 8, "NumPy may mix them up"),
    "out": ("z = np.zeros(3, dtype=int)\nnp.add(z, s, out=z)\nreturn z", 8, "does not go into"),
    "out of another kind": (
        "z = np.zeros(3)\nnp.sum(m.astype(np.float32), axis=0, out=z)\nreturn z",
        8,
        "changes how it is computed",
    ),
    "checkpointed": (
        "import flatgrad\nfor i in flatgrad.checkpointed(range(9)):\n    x *= s\nreturn x",
        8,
        "an array of the caller's",
    ),
    "checkpointed list": (
        "import flatgrad\nz = []\nfor i in flatgrad.checkpointed(range(9)):\n    z.append(s)\nreturn x",
        9,
        "append to a list",
    ),
    "out of a sum": ("z = np.zeros((2, 3))\nnp.sum(m, axis=0, out=z)\nreturn z", 8, "does not go into"),
    "multiply.at": ("z = np.ones(3)\nnp.multiply.at(z, [0, 0], s)\nreturn z", 8, "has no rule"),
    "put": ("z = np.ones(3)\nnp.put(z, 0)\nreturn z", 8, "such arguments can't be read here"),
    "no axes": ("z = np.zeros_like(x[0] * s)\nz[...] = s\nreturn z * x", 8, "an array without axes"),
    "result of nothing": ("z = x * 1\nnp.exp(z)\nreturn z", 8, "a call whose result is not used"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_not_be_written_is_refused_at_its_place(reading, name):
    """A write that NumPy itself refuses, or whose result is not certain, is an error at its line."""
    text, line, message = REFUSED[name]
    reading.is_refused(text, V, line, message)


def test_an_element_is_written_into_the_array_itself(reading):
    """A write through views of views is one write into one element: no array is copied for it."""
    text = "z = m * 1\nfor i in range(3):\n    z[i][2] = s\n    z.T[1][i] += s\nreturn z"
    graph, _ = reading.graph_of(text, V)
    writes = [node for node in reading.nodes_of(graph) if node.function.__name__ in ("assigned", "added")]
    assert [len(node.arguments["index"]) for node in writes] == [2, 2]


def test_writes_into_arguments_are_noted(reading):
    """Which arrays of its caller a function changes is told by the graph, and by the nodes that do it."""
    graph, _ = reading.graph_of("t = x[1:]\nt[0] = s\nz = m * 1\nz[0] = x\nreturn z", V)
    assert [value.name for value in graph.written] == ["x"]
    changing = [node.in_callers for node in graph.nodes if node.function.__name__ == "assigned"]
    assert changing == [True, False]


def test_a_buffer_stays_what_it_was_made_as(reading):
    """np.zeros and np.empty that are written into are calls in the graph, not numbers that have been worked out."""
    graph, _ = reading.graph_of("z = np.empty(3)\nz[:] = s\ny = np.zeros(2)\ny[0] = s\nreturn z, y", V)
    assert {"empty", "zeros"} <= set(reading.functions_of(graph))
