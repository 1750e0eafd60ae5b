"""The backward pass of a branch: gradients go back through the side that was taken.

In: a branch, the gradients of its outputs. Out: parts of the gradients of what it uses. Layer: differentiation, above `bodies`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.differentiation.bodies import (
    Backward,
    append_backward,
    builder_for,
    gradient_type,
    in_dtype,
    start_body,
    zeros_for,
)
from flatgrad.graph.values import Graph, Node, Value


def visit_branch(backward: Backward, node: Node) -> None:
    """Append the backward pass of a branch."""
    closed: tuple[Value, ...] = node.arguments["closed"]
    reached = [k for k, output in enumerate(node.outputs) if output in backward.gradients]
    sources = [k for k, value in enumerate(closed) if value in backward.active]
    inner = [_through_side(backward, node, body, reached, sources) for body in node.bodies]
    passed = [k for k in sources if any(k in gradients for gradients in inner)]
    for body, gradients in zip(node.bodies, inner, strict=True):
        builder = builder_for(body, node)
        zeros = {k: zeros_for(builder, body.parameters[k]) for k in passed if k not in gradients}
        body.gradients = [gradients[k] if k in gradients else zeros[k] for k in passed]
    if not passed and not any(_has_backward(body) for body in node.bodies):
        return
    upstream = tuple([in_dtype(backward, backward.gradients[node.outputs[k]], node.outputs[k]) for k in reached])
    given = {"condition": node.arguments["condition"], "upstream": upstream, "closed": ()}
    types = [gradient_type(closed[k]) for k in passed]
    made = append_backward(backward, node, given, types)
    for k, gradient in zip(passed, made.outputs, strict=True):
        gradient.primal = None
        backward.pass_on(closed[k], gradient)


def _through_side(
    backward: Backward, node: Node, body: Graph, reached: Sequence[int], sources: Sequence[int]
) -> dict[int, Value]:
    """Append the backward pass of one side, and return the gradients of its parameters by their number."""
    closed = node.arguments["closed"]
    accumulating = frozenset(body.parameters[k] for k in sources if closed[k] in backward.accumulating)
    inside = backward.inside(body, accumulating)
    start_body(inside, body, [body.results[k] for k in reached])
    return {k: inside.gradients[body.parameters[k]] for k in sources if body.parameters[k] in inside.gradients}


def _has_backward(body: Graph) -> bool:
    return any(node.forward is not None for node in body.nodes)
