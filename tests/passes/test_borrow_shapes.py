"""In a loop a shape is taken from an array that is kept anyhow, so that none is kept for its shape alone."""

import importlib.util
from pathlib import Path

import numpy as np

from flatgrad import api
from flatgrad.graph.regions import loop
from flatgrad.passes.borrow_shapes import borrow_shapes

SPEC = importlib.util.spec_from_file_location("narrowed", Path(__file__).with_name("test_narrow.py"))
narrowed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(narrowed)
joint_of, nodes_of = narrowed.joint_of, narrowed.nodes_of
X = np.array([0.3, -0.7])

LOOP = """
def f(x, n):
    s = 0.0
    for i in range(n):
        t = x * x
        u = t + 1.0
        s = s + np.sum(u)
        x = np.tanh(x)
    return s
"""


def looked_at(graph):
    """Return the values whose shapes the turns of a loop ask for."""
    (body,) = nodes_of(graph, loop)[0].bodies
    return [node.inputs[0] for node in body.nodes if node.forward is not None and node.function is np.full_like]


def test_a_shape_comes_from_what_is_read_anyhow():
    """np.full_like asks x or tanh(x), which the backward pass reads, and not the sum's argument, which it does not."""
    arguments = {"x": X, "n": 3}
    graph, _ = joint_of(LOOP, arguments)
    assert [value.name for value in looked_at(graph)] == ["u"]
    graph, _ = joint_of(LOOP, arguments, borrow_shapes)
    assert [value.name for value in looked_at(graph)] == ["x"]


def test_outside_of_loops_shapes_stay():
    """A variable outside of a loop is there by its name, and need not be kept."""
    text = """
    def f(x):
        u = x * x + 1.0
        return np.sum(u)
    """
    graph, _ = joint_of(text, {"x": X})
    before = [node.inputs for node in graph.nodes]
    graph, _ = joint_of(text, {"x": X}, borrow_shapes)
    assert [[value.name for value in inputs] for inputs in before] == [
        [value.name for value in node.inputs] for node in graph.nodes
    ]


def test_another_dtype_is_not_borrowed():
    """An array of the same shape in float32 makes zeros of float32."""
    text = """
    def f(x, n):
        s = 0.0
        y = np.asarray(x, dtype=np.float32)
        for i in range(n):
            u = x + 1.0
            s = s + np.sum(u)
            y = np.tanh(y)
        return s + np.sum(y)
    """
    graph, _ = joint_of(text, {"x": X, "n": 3}, borrow_shapes)
    (body,) = nodes_of(graph, loop)[0].bodies
    asked = [node for node in body.nodes if node.forward is not None and node.function is np.full_like]
    assert {node.inputs[0].dtype for node in asked} == {np.dtype(np.float64)}


def test_arrays_are_not_kept_for_their_shapes(define):
    """The tape holds what is read, and the gradient is right."""
    function = define(LOOP)
    for style in ("flat", "compact"):
        emitted = str(api.emit(function, X, 3, wrt=("x",), style=style))
        assert "u_tape" not in emitted
        wanted, factor, x = np.zeros(2), np.ones(2), X
        for _ in range(3):
            wanted += 2 * x * factor
            x = np.tanh(x)
            factor *= 1 - x**2
        np.testing.assert_allclose(api.grad(function, wrt="x", style=style)(X, 3), wanted, rtol=1e-13)
