"""Nothing is computed twice, and nothing is taken for the same that is not."""

import operator

import numpy as np
import pytest

from flatgrad.builder import Builder
from flatgrad.graph.containers import List, Slice
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Recognised, Type, Value
from flatgrad.passes.share import share
from flatgrad.rules.program import EFFECTS, named

ARRAY = Type(np.dtype(np.float64), (3, 2))


def graph_with_x():
    graph = Graph("f")
    x = Value(ARRAY, "x")
    graph.parameters.append(x)
    return graph, Builder(graph), x


def test_equal_operations_become_one(tools):
    """The first one stays, and what uses the second one uses the first."""
    graph, b, x = graph_with_x()
    total = b.apply(operator.add, b.apply(np.exp, x), b.apply(np.exp, x))
    tools.assert_same_numbers(graph, [total], [np.ones((3, 2))], share)
    assert [node.function for node in graph.nodes] == [np.exp, operator.add]


def test_operators_and_their_functions_are_the_same_operation():
    """The user's np.subtract(x, y) is what a rule writes as x - y."""
    graph, b, x = graph_with_x()
    results = [b.apply(np.subtract, x, 1), b.apply(operator.sub, x, 1)]
    first, second = share(graph, results)
    assert first is second


DIFFERENT = {
    "2 and 2.0": lambda b, x: [b.apply(operator.mul, x, 2), b.apply(operator.mul, x, 2.0)],
    "1 and True": lambda b, x: [b.apply(operator.mul, x, 1), b.apply(operator.mul, x, True)],
    "0.0 and -0.0": lambda b, x: [b.apply(operator.add, x, 0.0), b.apply(operator.add, x, -0.0)],
    "constants 0.0 and -0.0": lambda b, x: [
        b.apply(operator.add, x, Constant(0.0, FLOAT)), b.apply(operator.add, x, Constant(-0.0, FLOAT)),
    ],
    "another axis": lambda b, x: [b.apply(np.sum, x, axis=0), b.apply(np.sum, x, axis=1)],
    "keepdims": lambda b, x: [b.apply(np.sum, x, axis=0), b.apply(np.sum, x, axis=0, keepdims=True)],
    "the order of operands": lambda b, x: [
        b.apply(operator.sub, x, b.apply(np.sin, x)), b.apply(operator.sub, b.apply(np.sin, x), x),
    ],
    "a list and a tuple": lambda b, x: [
        b.apply(operator.getitem, x, index=List((0, 1))), b.apply(operator.getitem, x, index=(0, 1)),
    ],
    "math and NumPy": lambda b, x: [b.apply(np.power, x, 2), b.apply(operator.pow, x, 2)],
}  # fmt: skip


@pytest.mark.parametrize("build", DIFFERENT.values(), ids=DIFFERENT)
def test_what_differs_stays(build):
    """Arguments that Python calls equal may make different results."""
    graph, b, x = graph_with_x()
    first, second = share(graph, build(b, x))
    assert first is not second


def test_effects_and_names_stay():
    """A print happens as often as it is written, and a second name is not a repetition."""
    graph, b, x = graph_with_x()
    for _ in range(2):
        b.node(print, {"argument0": x}, [])
        b.node(named, {"x": x}, [ARRAY])
    share(graph, [])
    assert len(graph.nodes) == 4
    assert print in EFFECTS


def test_names_of_the_user():
    """The first name stays; a value without one takes that of its repetition."""
    graph, b, x = graph_with_x()
    first, second = b.apply(np.exp, x), b.apply(np.exp, x)
    second.name = "e"
    third, fourth = b.apply(np.sin, x), b.apply(np.sin, x)
    third.name, fourth.name = "s", "again"
    results = share(graph, [first, second, third, fourth])
    assert results == [first, first, third, third]
    assert (first.name, third.name) == ("e", "s")


def test_a_gradient_that_is_computed_already_becomes_a_second_name():
    """Each variable keeps a gradient of its own name."""
    graph, b, x = graph_with_x()
    forward = b.apply(np.exp, x)
    b.forward = forward.node
    gradient = b.apply(np.exp, x)
    gradient.primal = x
    (changed,) = share(graph, [gradient])
    assert changed.primal is x
    assert changed.node.function is named
    assert changed.node.inputs == (forward,)
    assert changed.node.forward is forward.node


def test_recognised_forms_follow():
    """The input of a recognised form is the value that stayed."""
    graph, b, x = graph_with_x()
    first, second = b.apply(np.exp, x), b.apply(np.exp, x)
    form = b.apply(np.log, second)
    form.node.recognised = Recognised(np.abs, {"x": second, "index": (second, None)}, "words")
    share(graph, [form])
    assert form.node.recognised.arguments == {"x": first, "index": (first, None)}
    assert form.node.recognised.words == "words"


def test_slices_of_both_kinds():
    """A rule's slice is Python's own, which can't be hashed everywhere; the user's is the graph's."""
    for span in (slice(1, None), Slice(1, None)):
        graph, b, x = graph_with_x()
        first, second = share(graph, [b.apply(operator.getitem, x, index=(span, None)) for _ in range(2)])
        assert first is second


def test_several_results():
    """An operation with several results is shared as a whole."""
    graph, b, x = graph_with_x()
    first = b.apply(np.split, x, 3)
    second = b.apply(np.split, x, 3)
    assert share(graph, [*first, *second]) == [*first, *first]
    assert all(isinstance(node, Node) for node in graph.nodes)
    assert len(graph.nodes) == 1
