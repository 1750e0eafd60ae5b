"""Checks that a graph is one: run after every stage.

In: a graph and the values that are wanted of it. Out: nothing, or `IllFormed`. Layer: above `show`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.show import show_node
from flatgrad.graph.values import Constant, Graph, Node, Slot, Type, Value, leaves


class IllFormed(AssertionError):
    """A graph that breaks its own rules: a mistake in flatgrad, not in the user's code."""


def verify(graph: Graph, results: Sequence[Value]) -> None:
    """Raise IllFormed unless each value is made once, before it is used, and has a type."""
    made: set[Value] = set()
    for parameter in graph.parameters:
        _check(parameter not in made, f"the parameter {parameter!r} occurs twice", graph, None)
        made.add(parameter)
    for node in graph.nodes:
        _verify_call(graph, node)
        for value in node.inputs:
            _check(_is_at_hand(value, made), f"{value!r} is used before it is made", graph, node)
        for value in node.outputs:
            _check(value not in made, f"{value!r} is made twice", graph, node)
            _check(value.node is node, f"{value!r} does not know its node", graph, node)
            _check(isinstance(value.type, Type), f"{value!r} has no type", graph, node)
            made.add(value)
        for body in node.bodies:
            verify(body, body.results)
    for value in results:
        _check(_is_at_hand(value, made), f"the result {value!r} is never made", graph, None)


def _is_at_hand(value: Value, made: set[Value]) -> bool:
    return value in made or (isinstance(value, Constant) and value.node is None)


def _verify_call(graph: Graph, node: Node) -> None:
    slots = [leaf.index for _, structure in node.call for leaf in leaves(structure) if type(leaf) is Slot]
    # one slot for each input, in order
    _check(slots == list(range(len(node.inputs))), "the call does not fit the inputs", graph, node)


def _check(holds: bool, what: str, graph: Graph, node: Node | None) -> None:
    if not holds:
        raise IllFormed(what + (f"\nin {graph.name}" if node is None else f"\nin {graph.name}: {show_node(node)}"))
