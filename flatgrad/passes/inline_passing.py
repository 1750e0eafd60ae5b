"""Puts calls in line that compute nothing: the base of a recursion that returns its argument.

    before: t0 = call(base, x)  with base returning x
    after:  x in place of t0

In: a graph. Out: the same values. Layer: passes, before `differentiate`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.regions import call
from flatgrad.graph.values import Graph, Value
from flatgrad.passes.rewriting import substitute


def inline_passing(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Replace what such calls give, and return the new results."""
    replaced: dict[Value, Value] = {}
    kept = []
    for node in graph.nodes:
        substitute(node, replaced)
        body = node.bodies[0] if node.function is call else None
        if body is None or body.nodes or body.custom is not None:
            kept.append(node)
            continue
        given = dict(zip(body.parameters, node.arguments["arguments"], strict=True))
        for output, result in zip(node.outputs, body.results, strict=True):
            replaced[output] = given.get(result, result)
    graph.nodes[:] = kept
    return [replaced.get(value, value) for value in results]
