"""Which nodes stand in which part of a `with` or `try` block.

In: a graph with the marks of blocks among its nodes. Out: a number for each forward node. Layer: passes, above `rules`.
"""

from __future__ import annotations

from flatgrad.graph.values import Graph, Node
from flatgrad.rules.program import BLOCKS, PARTS, closed


def parts_of(graph: Graph) -> dict[Node, int]:
    """Return the number of the innermost part of a block that each forward node is in; nothing for a graph without blocks."""
    if not any(node.function in BLOCKS for node in graph.nodes):
        return {}
    part: dict[Node, int] = {}
    # the number of the open part of each block around
    numbers = [0]
    count = 0
    for node in graph.nodes:
        if node.forward is not None:
            continue
        if node.function is closed or node.function in PARTS:
            numbers.pop()
        if node.function in BLOCKS and node.function is not closed:
            count += 1
            numbers.append(count)
        part[node] = numbers[-1]
    return part
