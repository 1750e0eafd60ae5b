"""A gradient that a branch or loop passes on as it is comes from before it."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from flatgrad.graph.regions import BACKWARD, branch, loop
from flatgrad.passes.prune import prune
from flatgrad.passes.skip_unchanged import skip_unchanged

SPEC = importlib.util.spec_from_file_location("narrowed", Path(__file__).with_name("test_narrow.py"))
narrowed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(narrowed)
joint_of, nodes_of = narrowed.joint_of, narrowed.nodes_of
X = np.array([0.3, -0.7])

BRANCH = """
def f(x, y, c):
    if c > 0.0:
        x = x + 1.0
        y = y * 2.0
    else:
        x = x - 1.0
    return np.sum(x * y)
"""


def test_a_gradient_that_both_sides_pass_on():
    """x + 1 and x - 1 leave the gradient of x alone, so that only that of y comes out of the branch."""
    arguments = {"x": X, "y": X, "c": 0.5}
    graph, _ = joint_of(BRANCH, arguments)
    assert len(nodes_of(graph, BACKWARD[branch])[0].outputs) == 2
    graph, _ = joint_of(BRANCH, arguments, skip_unchanged)
    (node,) = nodes_of(graph, BACKWARD[branch])
    assert len(node.outputs) == len(node.bodies[0].gradients) == len(node.bodies[1].gradients) == 1
    assert node.outputs[0].primal.name == "y"


def test_a_branch_that_changes_no_gradient_is_not_written():
    """What only adds has no branch in its backward pass."""
    text = BRANCH.replace("y = y * 2.0", "y = y + 2.0")
    graph, results = joint_of(text, {"x": X, "y": X, "c": 0.5}, skip_unchanged, prune)
    assert nodes_of(graph, BACKWARD[branch]) == []
    assert len(results) == 4


def test_a_gradient_that_one_side_changes_stays():
    """2 * y on one side only is not passed on."""
    graph, _ = joint_of(BRANCH.replace("x - 1.0", "x * 3.0"), {"x": X, "y": X, "c": 0.5}, skip_unchanged)
    assert len(nodes_of(graph, BACKWARD[branch])[0].outputs) == 2


LOOP = """
def f(x, y, n):
    for i in range(n):
        x = x + 1.0
        y = y * 2.0
    return np.sum(x * y)
"""


def test_a_loop_that_changes_no_gradient_is_not_written():
    """x + 1 in each turn leaves the gradient alone, however many turns there are."""
    text = LOOP.replace("y * 2.0", "y + 2.0")
    graph, _ = joint_of(text, {"x": X, "y": X, "n": 3}, skip_unchanged, prune)
    assert nodes_of(graph, BACKWARD[loop]) == []


def test_readers_behind_a_loop_take_the_gradient_from_before_it():
    """The gradient of x is what the product gives, without a step between."""
    graph, results = joint_of(LOOP, {"x": X, "y": X, "n": 3}, skip_unchanged)
    (node,) = nodes_of(graph, BACKWARD[loop])
    grad_x = results[1]
    assert grad_x not in node.outputs
    assert grad_x.node is None or grad_x.node.function is not BACKWARD[loop]


SWAPPED = """
def f(x, y, n):
    for i in range(n):
        x, y = y, x
    return x * x + 3.0 * y
"""


@pytest.mark.parametrize("n", [2, 3])
def test_gradients_that_change_places_are_not_unchanged(n):
    """A loop that swaps two variables swaps their gradients in each turn."""
    graph, _ = joint_of(SWAPPED, {"x": 0.3, "y": 0.4, "n": n}, skip_unchanged, prune)
    assert len(nodes_of(graph, BACKWARD[loop])) == 1
