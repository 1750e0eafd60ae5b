"""Leaves out what nothing needs.

    before: t0 = np.cos(x); y = np.sin(x); return y
    after:  y = np.sin(x); return y

In: a graph. Out: the same with the results, the effects, and what these need. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.regions import constants_inside
from flatgrad.graph.values import Graph, Node, Value
from flatgrad.rules.program import EFFECTS


def prune(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Keep the nodes that lead to results or effects; the results stay as they are."""
    needed = set(results)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if has_effect(node) or not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(node.inputs, constants_inside(node))
    graph.nodes[:] = reversed(kept)
    return list(results)


def has_effect(node: Node) -> bool:
    """Tell whether a node does something beside computing its outputs, in its bodies too."""
    if node.function in EFFECTS or node.in_callers:
        return True
    forward = node.forward is None
    return any(has_effect(each) for body in node.bodies for each in body.nodes if (each.forward is None) == forward)
