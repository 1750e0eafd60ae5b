"""A graph can be checked, shown and run."""

import operator

import numpy as np
import pytest

from flatgrad.builder import Builder
from flatgrad.graph.containers import List, Slice
from flatgrad.graph.show import show
from flatgrad.graph.size import symbolic
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Recognised, Type, Value
from flatgrad.graph.verify import IllFormed, verify
from flatgrad.interpret import interpret
from flatgrad.rules import arithmetic, elementwise, indexing, joining, linear_algebra, reductions, shaping
from flatgrad.rules.program import assertion, named

RULES = (arithmetic, elementwise, indexing, joining, linear_algebra, reductions, shaping)


class Place:
    file = "f.py"
    column = 1

    def __init__(self, line):
        self.line = line


def example(rows=None):
    """Return a small joint graph: a forward and a backward pass."""
    rows = symbolic("n") if rows is None else rows
    graph = Graph("loss")
    b = Builder(graph)
    W = Value(Type(np.dtype(np.float64), (rows, symbolic())), "W")
    x = Value(Type(np.dtype(np.float64), (W.shape[1],)), "x")
    graph.parameters += [W, x]
    q = b.apply(operator.matmul, W, x, location=Place(4))
    q.name = "q"
    f = b.apply(np.sum, b.apply(operator.pow, q, 2, location=Place(5)), axis=0, location=Place(5))
    upstream = Value(FLOAT, primal=f)
    graph.parameters.append(upstream)
    b.forward = q.node
    gradient = b.apply(np.outer, b.apply(operator.mul, q, upstream), x)
    gradient.primal = W
    return graph, [f, gradient]


# verify


def test_a_whole_graph_passes():
    """What the stages make is a graph."""
    verify(*example())


def test_a_value_that_is_used_before_it_is_made():
    """An operation that moved too far up is found, and shown."""
    graph, results = example()
    graph.nodes.reverse()
    with pytest.raises(IllFormed, match=r"is used before it is made in loss: .* = outer\("):
        verify(graph, results)


def test_a_value_that_is_made_twice():
    """Each value is assigned once."""
    graph, results = example()
    graph.nodes.append(graph.nodes[-1])
    with pytest.raises(IllFormed, match="is made twice"):
        verify(graph, results)


def test_a_result_that_is_never_made():
    """What is wanted of a graph has to be in it."""
    graph, results = example()
    del graph.nodes[-1]
    with pytest.raises(IllFormed, match="the result .* of loss is never made"):
        verify(graph, results)


def test_outputs_know_their_node():
    """A value leads back to the operation that makes it."""
    graph, results = example()
    results[0].node = graph.nodes[0]
    with pytest.raises(IllFormed, match="does not know its node"):
        verify(graph, results)


def test_every_value_has_a_type():
    """A value without a type is found where it is made."""
    graph, results = example()
    results[0].type = None
    with pytest.raises(IllFormed, match="has no type"):
        verify(graph, results)


def test_calls_fit_their_inputs():
    """Each input has its place in the call."""
    graph, results = example()
    graph.nodes[0].inputs = graph.nodes[0].inputs[:1]
    with pytest.raises(IllFormed, match="does not fit"):
        verify(graph, results)


def test_parameters_are_different_values():
    """No parameter is given twice."""
    graph, results = example()
    graph.parameters.append(graph.parameters[0])
    with pytest.raises(IllFormed, match="occurs twice"):
        verify(graph, results)


def test_constants_are_at_hand():
    """A number needs no operation, unless the function holds it in a variable."""
    graph, _ = example()
    verify(graph, [Constant(1.0, FLOAT)])
    held = Constant(1.0, FLOAT)
    held.node = Node(named, (), ())
    with pytest.raises(IllFormed):
        verify(graph, [held])


# show


def test_a_graph_as_text():
    """Lines, types, sections and results, with numbers for what has no name."""
    assert show(*example()) == (
        "loss(W: float64[n, s0], x: float64[s0], grad_2: float)\n"
        "forward\n"
        "   4  q: float64[n] = matmul(W, x)\n"
        "   5  %5: float64[n] = pow(q, 2)\n"
        "   5  %2: float64[] = numpy.sum(%5, axis=0)\n"
        "backward\n"
        "   4  %6: float64[n] = mul(q, grad_2)\n"
        "   4  grad_W: float64[n, s0] = numpy.outer(%6, x)\n"
        "return %2, grad_W\n"
    )


def test_the_text_is_the_same_for_the_same_graph():
    """No serial number of this run is in it."""
    assert show(*example()) == show(*example())


def test_all_kinds_of_arguments_are_shown():
    """Slices, lists, tuples, constants, effects and recognised forms."""
    graph = Graph("f")
    b = Builder(graph)
    x = Value(Type(np.dtype(np.float64), (3, 4)), "x")
    graph.parameters.append(x)
    part = b.apply(operator.getitem, x, index=(Slice(1, None), List((0, 2))))
    part.node.recognised = Recognised(np.abs, {"x": x}, "a part of {x}")
    b.apply(operator.mul, x, Constant(1e-5, FLOAT, text="1e-5"))
    b.node(assertion, {"test": x, "message": "text"}, [])
    text = show(graph)
    assert "index=(1::, [0, 2]))  # a part of {x}\n" in text
    assert "mul(x, 1e-5)\n" in text
    assert "flatgrad.rules.program.assertion(x, 'text')\n" in text
    b.apply(np.concatenate, (x,))
    assert "numpy.concatenate((x,))\n" in show(graph)


def test_bodies_are_shown_inside_their_node():
    """The body of a loop or branch is indented."""
    graph = Graph("f")
    x = Value(FLOAT, "x")
    graph.parameters.append(x)
    body = Graph("body", [Value(FLOAT, "h")])
    body.results.append(Builder(body).apply(np.sin, body.parameters[0]))
    node = Builder(graph).node(named, {"x": x}, [FLOAT])
    node.bodies = (body,)
    verify(graph, [node.output])
    assert "      body(h: float)\n            %3: float64[] = numpy.sin(h)\n      return %3\n" in show(graph)


# interpret


def test_a_graph_runs():
    """The numbers are those of the program."""
    graph, results = example(rows=2)
    W, x = np.arange(6.0).reshape(2, 3), np.array([0.5, -1.0, 2.0])
    f, gradient = interpret(graph, [W, x, 2.0], results)
    np.testing.assert_allclose(f, np.sum((W @ x) ** 2))
    np.testing.assert_allclose(gradient, np.outer(2 * (W @ x), x))


def test_calls_of_all_kinds_run():
    """Operators, methods, indices, lists, several results, constants."""
    graph = Graph("f")
    b = Builder(graph)
    x = Value(Type(np.dtype(np.float64), (4, 2)), "x")
    graph.parameters.append(x)
    rows = b.apply(operator.getitem, x, index=(Slice(None, None, -1), List((0, 1))))
    top, bottom = b.apply(np.split, rows, 2)
    joined = b.apply(np.concatenate, (bottom, top), axis=1)
    cast = b.apply(np.ndarray.astype, joined, np.dtype(np.float32), form="method")
    numbers = np.arange(8.0).reshape(4, 2)
    found, one = interpret(graph, [numbers], [cast, Constant(1.0, FLOAT)])
    expected = np.concatenate((numbers[::-1][2:], numbers[::-1][:2]), axis=1)
    assert one == 1.0
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
