"""Branches and loops use what is computed before them, instead of computing it anew."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from flatgrad.graph.regions import branch, loop
from flatgrad.interpret import interpret
from flatgrad.passes.share_with_outside import share_with_outside

SPEC = importlib.util.spec_from_file_location("narrowed", Path(__file__).with_name("test_narrow.py"))
narrowed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(narrowed)
graph_of, joint_of, nodes_of, put_through = (
    narrowed.graph_of,
    narrowed.joint_of,
    narrowed.nodes_of,
    narrowed.put_through,
)

HUBER = """
def f(r, d):
    if abs(r) <= d:
        y = 0.5 * r * r
    else:
        y = d * (abs(r) - 0.5 * d)
    return y
"""


def shared(text, arguments):
    """Return a graph behind the pass; the numbers are those from before it."""
    graph, results = graph_of(text, arguments)
    given = [arguments[value.name] for value in graph.parameters]
    before = interpret(graph, given, results)
    assert interpret(graph, given, put_through(graph, results, share_with_outside)) == before
    return graph


@pytest.mark.parametrize("r", [0.3, -3.0])
def test_a_branch_uses_what_its_condition_uses(r):
    """|r| is computed once, and goes into the branch as what it is outside."""
    graph = shared(HUBER, {"r": r, "d": 1.0})
    (distance,) = nodes_of(graph, abs) or nodes_of(graph, np.abs)
    assert distance in graph.nodes
    (node,) = nodes_of(graph, branch)
    assert distance.output in node.arguments["closed"]


def test_gradients_stay_on_their_side():
    """The backward node of |r| belongs to the shared node, and stays where |r| was computed again."""
    graph, _ = joint_of(HUBER, {"r": 0.3, "d": 1.0}, share_with_outside)
    (distance,) = nodes_of(graph, abs) or nodes_of(graph, np.abs)
    (node,) = nodes_of(graph, branch)
    assert any(each.forward is distance for each in node.bodies[1].nodes)
    assert not any(each.forward is distance for each in graph.nodes)


def test_a_loop_uses_what_is_computed_before_it():
    """What does not change from turn to turn is computed once, if it is at hand."""
    text = """
    def f(x, n):
        a = np.sin(x)
        for i in range(n):
            a = a * np.sin(x) + i
        return a
    """
    graph = shared(text, {"x": 0.7, "n": 3})
    (sine,) = nodes_of(graph, np.sin)
    assert sine in graph.nodes
    (node,) = nodes_of(graph, loop)
    assert sine.output in node.arguments["closed"]


def test_a_variable_of_the_loop_is_another_in_each_turn():
    """np.sin(x) of the changed x is not what it was before the loop."""
    text = """
    def f(x, n):
        a = np.sin(x)
        for i in range(n):
            x = x * np.sin(x)
        return a * x
    """
    graph = shared(text, {"x": 0.7, "n": 3})
    assert len(nodes_of(graph, np.sin)) == 2


def test_what_stands_behind_is_not_used():
    """A branch does not wait for what is computed later."""
    text = """
    def f(x, c):
        y = x
        if c > 0.0:
            y = np.sin(x)
        return y * np.sin(x)
    """
    graph = shared(text, {"x": 0.7, "c": 0.5})
    assert len(nodes_of(graph, np.sin)) == 2
