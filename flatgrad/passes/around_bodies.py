"""What the parameters of the bodies of branches, loops and calls stand for in the graph around them.

In: a node, one of its bodies, a value in that. Out: the input of the node, by its number or itself. Layer: passes, the bottom.
"""

from __future__ import annotations

from flatgrad.graph.containers import Slot
from flatgrad.graph.regions import LoopParts, call, loop, received
from flatgrad.graph.values import Graph, Node, Value


def slots(node: Node, name: str) -> list[int]:
    """Return the numbers of the inputs in an argument that is a tuple; -1 for what is no value."""
    structure = dict(node.call).get(name, ())
    return [leaf.index if isinstance(leaf, Slot) else -1 for leaf in structure]


def place_of(node: Node, body: Graph, inner: Value) -> int:
    """Return the number of the input that a parameter of a body of a branch or loop stands for; -1 for none."""
    if node.function is loop:
        parts = LoopParts(node)
        if inner in parts.carried:
            return slots(node, "start")[parts.carried.index(inner)]
    closed = slots(node, "closed")
    own = body.parameters[len(body.parameters) - len(closed) :]
    return closed[own.index(inner)] if inner in own else -1


def place_of_upstream(node: Node, body: Graph, inner: Value) -> int:
    """Return the number of the input that an upstream gradient of a body stands for; -1 for none."""
    upstream = slots(node, "upstream")
    return upstream[body.upstream.index(inner)] if inner in body.upstream else -1


def outside(node: Node, body: Graph, inner: Value) -> Value | None:
    """Return the value around a branch, loop or call that a parameter of its body stands for."""
    if node.function is call:
        return next((outer for outer, own in received(node, body).items() if own is inner), None)
    place = place_of(node, body, inner)
    if place >= 0:
        return node.inputs[place]
    if node.function is loop:
        sources = LoopParts(node).sources if body is node.bodies[0] else []
        return next((given[0] for word, given, _, element in sources if element is inner and word == "rows"), None)
    return None


def upstream_outside(node: Node, body: Graph, inner: Value) -> Value | None:
    """Return the gradient that comes into the backward pass of a body as this one."""
    place = place_of_upstream(node, body, inner)
    return node.inputs[place] if place >= 0 else None
