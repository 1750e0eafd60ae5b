"""A branch adds to a gradient on the side that has something to add, instead of adding zeros on the other."""

import importlib.util
import operator
from pathlib import Path

import numpy as np

from flatgrad import api
from flatgrad.graph.regions import BACKWARD, branch
from flatgrad.graph.values import Constant
from flatgrad.passes.sum_in_branches import sum_in_branches

SPEC = importlib.util.spec_from_file_location("narrowed", Path(__file__).with_name("test_narrow.py"))
narrowed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(narrowed)
joint_of, nodes_of = narrowed.joint_of, narrowed.nodes_of
X, Y = np.array([0.3, -0.7]), np.array([1.5, 2.5])

PENALTY = """
def f(x, c):
    loss = 0.0
    if c > 0.0:
        loss = np.sum(x * x)
    return loss + np.sum(x)
"""


def outer_sums(graph):
    """Return the sums of gradients in a graph itself."""
    return [node for node in graph.nodes if node.forward is not None and node.function is operator.add]


def test_zeros_are_not_added():
    """One side gives back what is known of the gradient already, the other adds to it."""
    arguments = {"x": X, "c": 0.5}
    graph, _ = joint_of(PENALTY, arguments)
    assert len(outer_sums(graph)) == 1
    graph, results = joint_of(PENALTY, arguments, sum_in_branches)
    (node,) = nodes_of(graph, BACKWARD[branch])
    assert outer_sums(graph) == []
    assert results[1] in node.outputs
    then, otherwise = node.bodies
    k = node.outputs.index(results[1])
    assert otherwise.gradients[k] in otherwise.upstream
    assert then.gradients[k].node.function is operator.add


BOTH = """
def f(x, c):
    if c > 0.0:
        loss = np.sum(x * x)
    else:
        loss = np.sum(x * 3.0)
    return loss + np.sum(x)
"""


def test_a_sum_with_two_sides_that_add_stays():
    """Where neither side is zero, one sum behind the branch is shorter than two in it."""
    graph, _ = joint_of(BOTH, {"x": X, "c": 0.5}, sum_in_branches)
    assert len(outer_sums(graph)) == 1


LATER = """
def f(x, c):
    later = np.sum(np.sin(x))
    loss = 0.0
    if c > 0.0:
        loss = np.sum(x * x)
    return loss + later
"""


def test_what_is_computed_behind_the_branch_is_not_taken_into_it():
    """The gradient of what stands before the branch is known only when that of the branch is."""
    graph, results = joint_of(LATER, {"x": X, "c": 0.5}, sum_in_branches)
    (node,) = nodes_of(graph, BACKWARD[branch])
    made = [*graph.parameters]
    for each in graph.nodes:
        assert all(isinstance(value, Constant) or value in made for value in each.inputs)
        made += each.outputs
    assert len(outer_sums(graph)) + (results[1] in node.outputs) == 1


CHAINED = """
def f(x, y, c):
    loss = np.sum(x * y)
    if c > 0.0:
        loss = loss + np.sum(x * x)
    if c > 1.0:
        loss = loss * np.sum(y)
    if c > -1.0:
        loss = loss + np.sum(x * x * y)
    return loss
"""


def closed_form(x, y, c):
    """Return the gradients of the chain."""
    loss, grad_x, grad_y = np.sum(x * y), y, x
    if c > 0.0:
        loss, grad_x = loss + np.sum(x * x), grad_x + 2 * x
    if c > 1.0:
        loss, grad_x, grad_y = loss * np.sum(y), grad_x * np.sum(y), grad_y * np.sum(y) + loss
    if c > -1.0:
        grad_x, grad_y = grad_x + 2 * x * y, grad_y + x * x
    return grad_x, grad_y


def test_several_branches_in_a_row(define):
    """Each adds to what those behind it have given, whichever of them are taken."""
    function = define(CHAINED)
    for style in ("flat", "compact"):
        gradient = api.grad(function, wrt=("x", "y"), style=style)
        for c in (-2.0, -0.5, 0.5, 1.5):
            for found, wanted in zip(gradient(X, Y, c), closed_form(X, Y, c), strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-14)
