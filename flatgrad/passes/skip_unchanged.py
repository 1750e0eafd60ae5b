"""Takes a gradient that a branch or loop does not change from before it.

    before: grad_x = branch_backward(c, grad_y), which returns grad_y on both sides
    after:  grad_y in place of grad_x

In: a joint graph. Out: the same values; a branch or loop that changes nothing has no reader left. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flatgrad.builder import Builder
from flatgrad.graph.regions import BACKWARD, branch, loop
from flatgrad.graph.values import Graph, Node, Value
from flatgrad.passes.rewriting import standing_in, substitute


def skip_unchanged(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Replace gradients that are the same behind a branch or loop, and return the new results."""
    builder = Builder(Graph(graph.name))
    replaced: dict[Value, Value] = {}
    for node in graph.nodes:
        substitute(node, replaced)
        builder.graph.nodes.append(node)
        unchanged = dict(_unchanged(node))
        builder.forward, builder.statement = node.forward, node.statement
        for output, value in unchanged.items():
            replaced[output] = standing_in(builder, value, output)
        if node.function is BACKWARD[branch]:
            _drop(node, unchanged)
    graph.nodes[:] = builder.graph.nodes
    return [replaced.get(value, value) for value in results]


def _unchanged(node: Node) -> Iterator[tuple[Value, Value]]:
    """Return the outputs of a backward node that are what came in, each with that."""
    if node.function not in (BACKWARD[branch], BACKWARD[loop]):
        return
    upstream = node.arguments["upstream"]
    for k, output in enumerate(node.outputs[: len(node.bodies[0].gradients)]):
        sources = [
            upstream[body.upstream.index(body.gradients[k])] if body.gradients[k] in body.upstream else None
            for body in node.bodies
            if node.function is BACKWARD[branch] or body is node.bodies[0]
        ]
        source = sources[0]
        is_own = node.function is BACKWARD[branch] or source is upstream[k]
        if source is not None and is_own and all(each is source for each in sources):
            yield output, source


def _drop(node: Node, unchanged: dict[Value, Value]) -> None:
    kept = [k for k, output in enumerate(node.outputs) if output not in unchanged]
    node.outputs = tuple([node.outputs[k] for k in kept])
    for body in node.bodies:
        body.gradients[:] = [body.gradients[k] for k in kept]
