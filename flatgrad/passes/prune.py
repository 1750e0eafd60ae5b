"""Leaves out what nothing needs.

    before: t0 = np.cos(x); y = np.sin(x); return y
    after:  y = np.sin(x); return y

In: a graph. Out: the same with the results, the effects, and what these need. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.values import Graph, Node, Value
from flatgrad.rules.program import EFFECTS


def prune(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Keep the nodes that lead to results or effects; the results stay as they are."""
    needed = set(results)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.function in EFFECTS or not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    graph.nodes[:] = reversed(kept)
    return list(results)
