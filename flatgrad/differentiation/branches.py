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
    # gradients that writes have been made into are changed in the sides, too
    begun = {k: first for k in sources if closed[k].rank and (first := _begun(backward, closed[k])) is not None}
    inner = [_through_side(backward, node, body, reached, sources, list(begun)) for body in node.bodies]
    passed = [k for k in sources if any(k in gradients for gradients in inner)]
    for body, gradients in zip(node.bodies, inner, strict=True):
        builder = builder_for(body, node)
        zeros = {k: zeros_for(builder, body.parameters[k]) for k in passed if k not in gradients}
        body.gradients = [gradients[k] if k in gradients else zeros[k] for k in passed]
    if not passed and not any(_has_backward(body) for body in node.bodies):
        return
    upstream = [in_dtype(backward, backward.gradients[node.outputs[k]], node.outputs[k]) for k in reached]
    upstream += begun.values()
    given = {"condition": node.arguments["condition"], "upstream": tuple(upstream), "closed": ()}
    types = [gradient_type(closed[k]) for k in passed]
    made = append_backward(backward, node, given, types)
    for k, gradient in zip(passed, made.outputs, strict=True):
        gradient.primal = None
        backward.pass_on(closed[k], gradient)


def _begun(backward: Backward, value: Value) -> Value | None:
    return None if value in backward.accumulating else backward.taken_on(value)


def _through_side(
    backward: Backward, node: Node, body: Graph, reached: Sequence[int], sources: Sequence[int], begun: Sequence[int]
) -> dict[int, Value]:
    """Append the backward pass of one side, and return the gradients of its parameters by their number."""
    closed = node.arguments["closed"]
    accumulating = frozenset(body.parameters[k] for k in sources if closed[k] in backward.accumulating)
    inside = backward.inside(body, accumulating)
    given = {k: Value(gradient_type(closed[k])) for k in begun}
    for k, gradient in given.items():
        inside.start_from(body.parameters[k], gradient)
    start_body(inside, body, [body.results[k] for k in reached])
    body.upstream += given.values()
    found = {k: inside.gradients[body.parameters[k]] for k in sources if body.parameters[k] in inside.gradients}
    return given | found


def _has_backward(body: Graph) -> bool:
    return any(node.forward is not None for node in body.nodes)
