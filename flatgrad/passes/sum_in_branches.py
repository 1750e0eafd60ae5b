"""Lets a branch add to a gradient on the side that has something to add, instead of adding zeros on the other.

    before: grad_part = branch_backward(c) with 2 * x or zeros; grad_x = grad_y + grad_part
    after:  grad_x = branch_backward(c, grad_y) with grad_y + 2 * x or grad_y

In: a joint graph. Out: the same values, but for the sign of a zero. Layer: passes.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.regions import BACKWARD, branch
from flatgrad.graph.values import Constant, Graph, Node, Value, packed, same_type, uses_of
from flatgrad.passes.rewriting import substitute


def sum_in_branches(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Move sums into the branches before them, and return the new results."""
    uses = uses_of(graph.nodes, results)
    made: set[Value] = {*graph.parameters, *graph.upstream}
    made_before: dict[Node, set[Value]] = {}
    replaced: dict[Value, Value] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        substitute(node, replaced)
        if node.function is BACKWARD[branch]:
            made_before[node] = set(made)
        moved = _moved(node, uses, made_before)
        if moved is None:
            kept.append(node)
        else:
            moved.primal, moved.part_of = node.output.primal, node.output.part_of
            uses[moved] = uses.get(node.output, 0)
            replaced[node.output] = moved
        made.update(node.outputs)
    graph.nodes[:] = kept
    return [replaced.get(value, value) for value in results]


def _moved(node: Node, uses: dict[Value, int], made_before: dict[Node, set[Value]]) -> Value | None:
    """Return the output of a branch that has taken in what a node adds to it; None where that can't be."""
    if node.function is not operator.add or node.forward is None or len(set(node.inputs)) != 2:
        return None
    for part, other in (node.inputs, tuple(reversed(node.inputs))):
        source = part.node
        if source is None or source not in made_before or uses.get(part) != 1 or isinstance(other, Constant):
            continue
        if other not in made_before[source] or not same_type(other.type, node.output.type):
            continue
        k = source.outputs.index(part)
        if any(_is_zero(body.gradients[k]) for body in source.bodies):
            _add_inside(source, k, other)
            part.type = node.output.type
            return part
    return None


def _is_zero(value: Value) -> bool:
    if isinstance(value, Constant):
        return bool(value.number == 0)
    return value.node is not None and value.node.function is np.zeros_like


def _add_inside(node: Node, k: int, other: Value) -> None:
    """Let a branch add a value to one of its outputs."""
    node.inputs, node.call = packed(node.arguments | {"upstream": (*node.arguments["upstream"], other)})
    for body in node.bodies:
        inner = Value(other.type, primal=other.primal)
        body.upstream.append(inner)
        gradient = body.gradients[k]
        if _is_zero(gradient):
            body.gradients[k] = inner
            continue
        builder = Builder(body)
        builder.forward = next(
            (each.forward for each in reversed(body.nodes) if each.forward is not None), node.forward
        )
        total: Value = builder.apply(operator.add, inner, gradient)
        if gradient.primal in body.parameters and gradient.node is not None and not gradient.node.bodies:
            # the sum is the gradient of the value from around, and this a step to it
            total.primal, gradient.primal = gradient.primal, None
        body.gradients[k] = total
