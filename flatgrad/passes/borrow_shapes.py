"""Takes shapes in a loop or helper from arrays that are at hand anyhow, so that no array is kept for its shape alone.

    before: t0 = h**2; grad_t0 = np.full_like(t0, grad_t1); grad_h = grad_t0 * 2 * h
    after:  t0 = h**2; grad_t0 = np.full_like(h, grad_t1); grad_h = grad_t0 * 2 * h

In: a joint graph. Out: the same numbers. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flatgrad.graph.regions import BACKWARD, accumulated, loop
from flatgrad.graph.values import Graph, Node, Value, packed, same_array
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.placing import placed, placed_together
from flatgrad.rules.static import axes_count

# operations that look at no more than the shape and the dtype of this argument
LOOKED_AT = {
    np.zeros_like: "x", np.ones_like: "x", np.full_like: "x", np.shape: "x", np.size: "x", size_of_axis: "x", axes_count: "x",
    placed: "like", placed_together: "like",
}  # fmt: skip


def borrow_shapes(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Let the backward pass of a loop or helper look at the shapes of other arrays; the results stay as they are."""
    if not graph.repeats and not graph.wrt:
        return list(results)
    backward = [node for node in graph.nodes if node.forward is not None]
    looked = {node: node.arguments[LOOKED_AT[node.function]] for node in backward if _looks(node)}
    read = [value for node in backward for value in content_read(node)]
    at_hand = {*graph.parameters, *graph.upstream, *read}
    for node, value in looked.items():
        if value in at_hand or (value.node is not None and value.node.forward is not None):
            continue
        earlier = backward[: backward.index(node)]
        gradients = [*graph.upstream, *(output for each in earlier for output in each.outputs)]
        candidates = [*(each for each in dict.fromkeys(read) if _is_forward(each)), *gradients]
        other = next((each for each in candidates if same_array(each.type, value.type)), None)
        if other is not None:
            node.inputs, node.call = packed(node.arguments | {LOOKED_AT[node.function]: other})
    return list(results)


def content_read(node: Node) -> list[Value]:
    """Return the inputs of a node whose elements matter, not only their shapes."""
    if node.function is accumulated:
        return list(node.inputs[1:])
    if node.function is BACKWARD[loop]:
        arguments = node.arguments
        return [each for each in (*arguments["upstream"], *arguments["first"]) if isinstance(each, Value)]
    looked = looked_at(node)
    if looked is None or looked.type.is_list:
        # a list gets longer
        return list(node.inputs)
    # it may be an operand, too
    k = node.inputs.index(looked)
    return [*node.inputs[:k], *node.inputs[k + 1 :]]


def looked_at(node: Node) -> Value | None:
    """Return the array that an operation takes nothing of but its shape; None for any other operation."""
    name = LOOKED_AT.get(node.function)
    if name is None:
        return None
    found = node.arguments.get(name, next(iter(node.arguments.values()), None))
    return found if isinstance(found, Value) else None


def _looks(node: Node) -> bool:
    name = LOOKED_AT.get(node.function)
    return name is not None and isinstance(node.arguments.get(name), Value)


def _is_forward(value: Value) -> bool:
    return value.node is None or value.node.forward is None
