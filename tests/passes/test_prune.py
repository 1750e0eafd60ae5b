"""What nothing needs is left out; what has an effect stays."""

import operator

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.values import Graph, Type, Value
from flatgrad.passes.prune import prune


def test_dead_code_goes(tools):
    """Only what leads to a result stays, in its order."""

    def function(x):
        dead = np.exp(x)
        np.sin(dead)
        return np.cos(x) * 2

    graph, result = tools.traced(function, (3,))
    tools.assert_same_numbers(graph, [result], [np.arange(3.0)], prune)
    assert [node.function for node in graph.nodes] == [np.cos, np.multiply]


def test_effects_stay_with_what_they_need():
    """A print is not a result, and still happens."""
    graph = Graph("f")
    b = Builder(graph)
    x = Value(Type(np.dtype(np.float64), (3,)), "x")
    graph.parameters.append(x)
    b.node(print, {"argument0": b.apply(np.sum, x)}, [])
    b.apply(np.exp, x)
    result = b.apply(operator.neg, x)
    prune(graph, [result])
    assert [node.function for node in graph.nodes] == [np.sum, print, operator.neg]


def test_one_of_several_results_keeps_the_operation():
    """np.split stays as long as one part is read."""
    graph = Graph("f")
    x = Value(Type(np.dtype(np.float64), (4,)), "x")
    graph.parameters.append(x)
    _, second = Builder(graph).apply(np.split, x, 2)
    prune(graph, [second])
    assert len(graph.nodes) == 1
    prune(graph, [x])
    assert graph.nodes == []
