"""What the backward passes of branches, loops and calls have in common.

In: a body, gradients of its results. Out: its backward pass. Layer: differentiation, above `activity`, below `branches`, `loops` and
`calls`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from itertools import zip_longest
from typing import Any, Protocol

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.regions import BACKWARD, accumulated
from flatgrad.graph.values import COMPLEX, FLOAT, Constant, Graph, Node, Type, Value
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
    """Return the type of the gradient of a value: its own, that of a float for a Python number, an array for a list."""
    if value.type.weak:
        return COMPLEX if value.dtype.kind == "c" else FLOAT
    return replace(value.type, is_list=False)


def zero(value: Value) -> Constant:
    """Return the number 0 for the gradient of a number."""
    return Constant(0j, COMPLEX) if value.dtype.kind == "c" else Constant(0.0, FLOAT)


def in_dtype(backward: Backward, gradient: Value, value: Value) -> Value:
    """Return a gradient in the dtype of its value, also where it is a Python number: a body can't tell what it is given."""
    if value.rank or value.type.weak or value.dtype == np.float64 or not gradient.type.weak:
        return gradient
    converted: Value = backward.builder.apply(np.full_like, value, gradient)
    return converted


def zeros_for(builder: Builder, value: Value) -> Value:
    if not value.rank:
        return zero(value)
    zeros: Value = builder.apply(np.zeros_like, value)
    return zeros


def builder_for(body: Graph, node: Node) -> Builder:
    builder = Builder(body)
    builder.forward = node
    return builder


def append_backward(backward: Backward, node: Node, given: Mapping[str, Any], types: Sequence[Type]) -> Node:
    made = backward.builder.node(BACKWARD[node.function], given, types)
    made.bodies = node.bodies
    return made
