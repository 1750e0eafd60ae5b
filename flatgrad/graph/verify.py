"""Checks that a graph is one: run after every stage.

In: a graph and the values that are wanted of it. Out: nothing, or `IllFormed`. Layer: above `values`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.values import Constant, Graph, Node, Slot, Type, Value, leaves


class IllFormed(AssertionError):
    """A graph that breaks its own rules: a mistake in flatgrad, not in the user's code."""


def verify(graph: Graph, results: Sequence[Value]) -> None:
    """Raise IllFormed unless each value is made once, before it is used, and has a type."""
    made: set[Value] = set(graph.parameters)
    if len(made) < len(graph.parameters):
        raise IllFormed(f"a parameter of {graph.name} occurs twice")
    for node in graph.nodes:
        problem = _problem(node, made)
        if problem:
            raise IllFormed(f"{problem} in {graph.name}: {node!r}")
        made.update(node.outputs)
        for body in node.bodies:
            verify(body, body.results)
    for value in results:
        if not _is_at_hand(value, made):
            raise IllFormed(f"the result {value!r} of {graph.name} is never made")


def _problem(node: Node, made: set[Value]) -> str:
    """Return what is wrong with a node; "" if nothing is."""
    # one slot for each input, in order
    slots = [leaf.index for _, structure in node.call for leaf in leaves(structure) if type(leaf) is Slot]
    if slots != list(range(len(node.inputs))):
        return "the call does not fit the inputs"
    for value in node.inputs:
        if not _is_at_hand(value, made):
            return f"{value!r} is used before it is made"
    for value in node.outputs:
        if value in made:
            return f"{value!r} is made twice"
        if value.node is not node:
            return f"{value!r} does not know its node"
        if not isinstance(value.type, Type):
            return f"{value!r} has no type"
    return ""


def _is_at_hand(value: Value, made: set[Value]) -> bool:
    return value in made or (isinstance(value, Constant) and value.node is None)
