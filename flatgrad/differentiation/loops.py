"""The backward pass of a loop: it runs from the last turn to the first.

In: a loop, the gradients of its outputs. Out: parts of the gradients of what it uses. Layer: differentiation, above `bodies`.

The gradients of carried values go from turn to turn; those of what comes from outside are added up in place.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator

import numpy as np

from flatgrad.builder import Builder
from flatgrad.differentiation.activity import reached_from
from flatgrad.differentiation.bodies import (
    Backward,
    accumulate_at,
    append_backward,
    builder_for,
    gradient_type,
    in_dtype,
    start_body,
    zero,
    zeros_for,
)
from flatgrad.graph.regions import (
    BACKWARD,
    LoopParts,
    accumulated,
    branch,
    close_over,
    loop,
    nested_in_function,
    received,
)
from flatgrad.graph.values import Graph, Node, Value, same_type
from flatgrad.rules.creation import size_of_axis


def visit_loop(backward: Backward, node: Node) -> None:
    """Append the backward pass of a loop."""
    body = node.bodies[0]
    rows = _rows(backward, node)
    parts = LoopParts(node)
    taken = {outer: inner for outer, inner in received(node, body).items() if outer in backward.active}
    carried = _carried_gradients(backward, node, parts)
    for each in nested_in_function(body):
        each.repeats = True
    inside = backward.inside(body, frozenset(taken.values()))
    start_body(inside, body, [parts.results[k] for k in carried], [parts.carried[k] for k in carried])
    builder = builder_for(body, node)
    for element, array, turned in rows:
        if element in inside.gradients:
            index = _index_of_row(builder, parts.turn, taken[array], turned=turned)
            accumulate_at(builder, taken[array], inside.gradients[element], index)
    found = [inside.gradients.get(parts.carried[k]) for k in carried]
    body.gradients = [
        zeros_for(builder, upstream) if gradient is None else gradient
        for gradient, upstream in zip(found, body.upstream, strict=True)
    ]
    written = set(_accumulated_in(body))
    own = [outer for outer, inner in taken.items() if inner in written and outer not in backward.accumulating]
    starts = [_start_of_gradient(backward, node, parts, k) for k in carried]
    upstream = tuple([in_dtype(backward, start, node.outputs[k]) for k, start in zip(carried, starts, strict=True)])
    first = tuple([backward.taken_on(outer) for outer in own])
    given = {"upstream": upstream, "into": tuple(own), "first": first, "closed": ()}
    types = [gradient_type(value) for value in (*(parts.carried[k] for k in carried), *own)]
    made = append_backward(backward, node, given, types)
    for k, gradient in zip(carried, made.outputs, strict=False):
        if parts.start[k] in backward.active:
            gradient.primal = node.outputs[k]
            backward.pass_on(parts.start[k], gradient)
    for outer, gradient in zip(own, made.outputs[len(carried) :], strict=True):
        if outer.rank:
            gradient.primal = outer
            backward.buffers[gradient] = outer
        backward.pass_on(outer, gradient)


def _carried_gradients(backward: Backward, node: Node, parts: LoopParts) -> list[int]:
    """Return the numbers of the carried values whose gradients go from turn to turn."""
    forward = [each for each in node.bodies[0].nodes if each.forward is None]
    taken = {k for k, output in enumerate(node.outputs) if output in backward.gradients}
    while True:
        reached, _ = reached_from(forward, [parts.results[k] for k in taken], backward.active)
        more = {k for k, value in enumerate(parts.carried) if value in reached}
        if more <= taken:
            return sorted(taken)
        taken |= more


def _start_of_gradient(backward: Backward, node: Node, parts: LoopParts, k: int) -> Value:
    """Return the gradient of a carried value after the last turn."""
    output, start = node.outputs[k], parts.start[k]
    if output in backward.gradients:
        return backward.gradients[output]
    if not output.rank:
        return zero(output)
    # a start that has the name of the loop variable is that variable, if nothing else reads it
    is_other = isinstance(start, Value) and start.name != output.name and same_type(start.type, output.type)
    like = start if is_other else output
    zeros: Value = backward.builder.apply(np.zeros_like, like)
    return zeros


def _rows(backward: Backward, node: Node) -> list[tuple[Value, Value, bool]]:
    """Return each row that has a gradient, its array, and whether the loop goes through that in reverse.

    The arrays become closed values of the loop, where they are not yet.
    """
    parts = LoopParts(node)
    rows = []
    for word, given, turned, element in parts.sources:
        if word == "rows" and element in backward.active:
            close_over(node, given[0])
            rows.append((element, given[0], turned))
    return rows


def _index_of_row(builder: Builder, turn: Value, array: Value, *, turned: bool) -> Value:
    """Return the number of the row that a turn of a loop has."""
    if not turned:
        return turn
    last: Value = builder.apply(operator.sub, builder.apply(size_of_axis, array, 0), 1)
    index: Value = builder.apply(operator.sub, last, turn)
    return index


def _accumulated_in(body: Graph) -> Iterator[Value]:
    """Return the parameters of a body that something is accumulated for, in the bodies inside of it too."""
    for node in body.nodes:
        if node.function is accumulated:
            yield node.inputs[0]
        elif node.function in (BACKWARD[branch], BACKWARD[loop]) and node.forward is not None:
            for inner in node.bodies[:2]:
                written = set(_accumulated_in(inner))
                outside = received(node.forward, inner)
                yield from (value for value, parameter in outside.items() if parameter in written)
