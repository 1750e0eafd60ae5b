"""The backward pass of branches, loops and calls: a node in the graph around, backward nodes in their bodies.

In: a node with bodies, the gradients of its outputs. Out: parts of the gradients of what it uses. Layer: above `activity`, below
`differentiate`, which calls it and is called for the bodies.

A branch passes the gradients on from the side that was taken. A loop runs backwards: the gradients of its carried values go
from turn to turn, and those of what comes from outside are accumulated in place.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import zip_longest
from typing import Any, Protocol

import numpy as np

from flatgrad.activity import reached_from, spread
from flatgrad.builder import Builder
from flatgrad.graph.regions import (
    BACKWARD,
    KEPT,
    LoopParts,
    accumulated,
    branch,
    call,
    close_over,
    edited,
    elements_of,
    is_alike,
    loop,
    nested,
    nested_in_function,
    received,
    returned_by,
    turned_elements,
)
from flatgrad.graph.values import FLOAT, Constant, Graph, Node, Type, Value, same_type
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.placing import placed


class Backward(Protocol):
    """What `differentiate` does for one graph."""

    graph: Graph
    active: set[Value]
    accumulating: Set[Value]
    builder: Builder
    forward: list[Node]
    gradients: dict[Value, Value]
    buffers: dict[Value, Value]

    def inside(self, body: Graph, accumulating: Set[Value]) -> Backward:
        """Return the same for a body."""
        ...

    def start_from(self, result: Value, upstream: Value) -> None:
        """Take the upstream gradient of a result."""
        ...

    def run(self, results: Sequence[Value]) -> None:
        """Append the backward pass from these results."""
        ...

    def pass_on(self, value: Value, gradient: Any) -> None:
        """Add a part of the gradient of a value."""
        ...

    def zeros(self, value: Value) -> Value:
        """Return zeros for the gradient of a value."""
        ...

    def taken_on(self, value: Value) -> Value | None:
        """Return what the parts that are known of the gradient of a value can be added to in place; they are part of it then."""
        ...


def accumulate(builder: Builder, into: Value, part: Value, like: Value) -> None:
    """Append `grad_<into> += part`; of a part that is zeros but at an index of `like`, only what stands there."""
    node = part.node
    if node is not None and node.function is placed and part.primal is None and node.arguments["like"] is like:
        accumulate_at(builder, into, node.arguments["values"], node.arguments["index"])
    else:
        accumulate_at(builder, into, part, None)


def accumulate_at(builder: Builder, into: Value, values: Value, index: Any) -> None:
    """Append `grad_<into>[index] += values`; an index of None is the whole."""
    builder.node(accumulated, {"into": into, "values": values, "index": index}, [])


# branches


def visit_branch(backward: Backward, node: Node) -> None:
    """Append the backward pass of a branch."""
    closed: tuple[Value, ...] = node.arguments["closed"]
    reached = [k for k, output in enumerate(node.outputs) if output in backward.gradients]
    sources = [k for k, value in enumerate(closed) if value in backward.active]
    inner = [_through_side(backward, node, body, reached, sources) for body in node.bodies]
    passed = [k for k in sources if any(k in gradients for gradients in inner)]
    for body, gradients in zip(node.bodies, inner, strict=True):
        builder = _builder_for(body, node)
        zeros = {k: _zeros(builder, body.parameters[k]) for k in passed if k not in gradients}
        body.gradients = [gradients[k] if k in gradients else zeros[k] for k in passed]
    if not passed and not any(_has_backward(body) for body in node.bodies):
        return
    upstream = tuple([_in_dtype(backward, backward.gradients[node.outputs[k]], node.outputs[k]) for k in reached])
    given = {"condition": node.arguments["condition"], "upstream": upstream, "closed": ()}
    types = [gradient_type(closed[k]) for k in passed]
    made = _append(backward, node, given, types)
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


def start_body(inside: Backward, body: Graph, results: Sequence[Value], names: Sequence[Value | None] = ()) -> None:
    """Append the backward pass of a body from the upstream gradients of these results, which it makes.

    A result that has another name inside, or comes twice, is called after what stands for it in `names`.
    """
    seen: set[Value] = set()
    for result, name in zip_longest(results, names):
        upstream = Value(gradient_type(result), primal=name)
        body.upstream.append(upstream)
        if result not in inside.active:
            continue
        if result.node is not None and result not in seen:
            upstream.primal = result
        seen.add(result)
        inside.start_from(result, upstream)
    inside.run([result for result in results if result in inside.active])


def gradient_type(value: Value) -> Type:
    """Return the type of the gradient of a value: its own, and that of a float for a Python number."""
    return FLOAT if value.type.weak else value.type


def _in_dtype(backward: Backward, gradient: Value, value: Value) -> Value:
    """Return a gradient in the dtype of its value, also where it is a Python number: a body can't tell what it is given."""
    if value.rank or value.type.weak or value.dtype == np.float64 or not gradient.type.weak:
        return gradient
    converted: Value = backward.builder.apply(np.full_like, value, gradient)
    return converted


def _zeros(builder: Builder, value: Value) -> Value:
    if not value.rank:
        return Constant(0.0, FLOAT)
    zeros: Value = builder.apply(np.zeros_like, value)
    return zeros


def _builder_for(body: Graph, node: Node) -> Builder:
    builder = Builder(body)
    builder.forward = node
    return builder


def _has_backward(body: Graph) -> bool:
    return any(node.forward is not None for node in body.nodes)


def _append(backward: Backward, node: Node, given: Mapping[str, Any], types: Sequence[Type]) -> Node:
    made = backward.builder.node(BACKWARD[node.function], given, types)
    made.bodies = node.bodies
    return made


# loops


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
    builder = _builder_for(body, node)
    for element, array, turned in rows:
        if element in inside.gradients:
            index = _index_of_row(builder, parts.turn, taken[array], turned=turned)
            accumulate_at(builder, taken[array], inside.gradients[element], index)
    found = [inside.gradients.get(parts.carried[k]) for k in carried]
    body.gradients = [
        _zeros(builder, upstream) if gradient is None else gradient
        for gradient, upstream in zip(found, body.upstream, strict=True)
    ]
    written = set(_accumulated_in(body))
    own = [outer for outer, inner in taken.items() if inner in written and outer not in backward.accumulating]
    starts = [_start_of_gradient(backward, node, parts, k) for k in carried]
    upstream = tuple([_in_dtype(backward, start, node.outputs[k]) for k, start in zip(carried, starts, strict=True)])
    first = tuple([backward.taken_on(outer) for outer in own])
    given = {"upstream": upstream, "into": tuple(own), "first": first, "closed": ()}
    types = [gradient_type(value) for value in (*(parts.carried[k] for k in carried), *own)]
    made = _append(backward, node, given, types)
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
        return Constant(0.0, FLOAT)
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
    header = zip(elements_of(parts.header), turned_elements(parts.header), parts.elements, strict=True)
    for (word, given), turned, element in header:
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


# calls


def visit_call(backward: Backward, node: Node) -> None:
    """Append the backward pass of a call, and that of the function if this is the first call of it."""
    (body,) = node.bodies
    outputs = returned_by(node)
    if not body.upstream:
        if body.custom is not None:
            _take_custom(body, len(outputs))
        else:
            _through_function(backward, body)
    saved = _saved_by(node)
    whole = len(body.upstream) == len(body.results)
    taken = [k for k, result in enumerate(body.results) if whole or result in backward.active]
    gradients = [backward.gradients.get(outputs[k]) or backward.zeros(outputs[k]) for k in taken]
    upstream = tuple([_in_dtype(backward, each, outputs[k]) for k, each in zip(taken, gradients, strict=True)])
    arguments = [node.arguments["arguments"][body.parameters.index(parameter)] for parameter in body.wrt]
    given = {"saved": saved, "upstream": upstream}
    made = _append(backward, node, given, [gradient_type(argument) for argument in arguments])
    for argument, gradient in zip(arguments, made.outputs, strict=True):
        if argument in backward.active:
            backward.pass_on(argument, gradient)


def _through_function(backward: Backward, body: Graph) -> None:
    inside = backward.inside(body, frozenset())
    start_body(inside, body, [result for result in body.results if result in backward.active])
    body.wrt = [parameter for parameter in body.parameters if parameter in inside.gradients]
    body.gradients = [inside.gradients[parameter] for parameter in body.wrt]


def _take_custom(body: Graph, count: int) -> None:
    """Let the backward pass that the user wrote be that of a function; what it needs comes behind its `count` results."""
    assert body.custom is not None
    residuals, body.results[count:] = body.results[count:], []
    own = body.custom.parameters[: len(residuals)]
    body.upstream = body.custom.parameters[len(residuals) :]
    inner = dict(zip(own, residuals, strict=True))
    body.nodes += body.custom.nodes
    for node in body.custom.nodes:
        node.inputs = tuple([inner.get(value, value) for value in node.inputs])
        node.forward = node
    pairs = list(zip(body.parameters, body.custom.results, strict=True))
    body.custom = None
    found = [(parameter, inner.get(gradient, gradient)) for parameter, gradient in pairs if gradient is not None]
    body.wrt = [parameter for parameter, _ in found]
    body.gradients = [gradient for _, gradient in found]


def _saved_by(node: Node) -> Value:
    """Return what a call keeps for its backward pass: one more output."""
    if node.outputs and node.outputs[-1].type is KEPT:
        return node.outputs[-1]
    saved = Value(KEPT, "saved", node=node)
    node.outputs = (*node.outputs, saved)
    return saved


def complete_calls(graph: Graph) -> None:
    """Let every call of a function that has a backward pass take what is kept for that, also where it is not used."""
    for each in nested(graph):
        for node in each.nodes:
            if node.function is call and node.bodies[0].upstream:
                _saved_by(node)


def join_calls(graph: Graph, active: set[Value]) -> None:
    """Let calls of one function with arguments of the same types share one body, and add to `active` what any of them needs."""
    known: list[Graph] = []
    pending = [graph]
    while pending:
        for node in pending.pop().nodes:
            if node.function is call:
                body = next((each for each in known if is_alike(each, node.bodies[0])), None)
                if body is not None:
                    node.bodies = (body,)
                    continue
                known += node.bodies
            pending += node.bodies
    count = -1
    while known and count < len(active):
        count = len(active)
        spread(graph, active)


# gradients that the user edits


def visit_edited(backward: Backward, node: Node) -> None:
    """Append what the user makes of a gradient."""
    (body,) = node.bodies
    given = (backward.gradients[node.output], *node.arguments.get("closed", ()))
    inner: dict[Value, Value] = dict(zip(body.parameters, given, strict=True))
    # from here on it is in the backward pass of this graph
    node.bodies = ()
    for each in body.nodes:
        each.inputs = tuple([inner.get(value, value) for value in each.inputs])
        each.forward = node
        backward.graph.nodes.append(each)
    (result,) = body.results
    result.name = None
    backward.pass_on(node.inputs[0], inner.get(result, result))


VISITS: dict[Callable[..., Any], Callable[[Any, Node], None]] = {
    branch: visit_branch,
    loop: visit_loop,
    call: visit_call,
    edited: visit_edited,
}
