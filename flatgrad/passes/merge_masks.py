"""Puts the mask of np.where on once, where it comes last.

    before: grad_x = np.where(c, np.where(c, grad_y, 0) / x, 0)
    after:  grad_x = np.where(c, grad_y / x, 0)

In: a joint graph. Out: the same numbers. Layer: passes, compact style.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatgrad.graph.values import Graph, Node, Value, same_type, uses_of
from flatgrad.passes.rewriting import is_backward, is_step, substitute
from flatgrad.registry import lookup

Mask = tuple[Value, bool]


def merge_masks(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Take out each mask that another one with the same condition is put on top of."""
    uses = uses_of(graph.nodes, results)
    covered: dict[Value, set[Node]] = {}
    for node in graph.nodes:
        mask = _mask_of(node)
        if mask is not None:
            for value, user in _masked_alike(node, mask, uses):
                covered.setdefault(value, set()).add(user)
    replaced: dict[Value, Value] = {}
    for value, users in covered.items():
        # a gradient that several masks are put on top of must not be used anywhere else
        is_covered = sum(user.inputs.count(value) for user in users) == uses[value]
        if is_covered and value.node is not None and same_type(_masked(value.node).type, value.type):
            replaced[value] = _masked(value.node)
    for node in graph.nodes:
        while any(value in replaced for value in node.inputs):
            substitute(node, replaced)
    return list(results)


def _mask_of(node: Node) -> Mask | None:
    """Return the condition of a mask, and whether it keeps the places where that holds."""
    if node.forward is None or node.function is not np.where:
        return None
    condition, kept, other = node.arguments.values()
    if not isinstance(condition, Value):
        return None
    if _is_zero(other) and isinstance(kept, Value):
        return condition, True
    return (condition, False) if _is_zero(kept) and isinstance(other, Value) else None


def _is_zero(item: Any) -> bool:
    return isinstance(item, int | float) and item == 0


def _masked(node: Node) -> Value:
    """Return what a mask is put on."""
    _, kept, other = node.arguments.values()
    masked: Value = other if _is_zero(kept) else kept
    return masked


def _masked_alike(outer: Node, mask: Mask, uses: dict[Value, int]) -> list[tuple[Value, Node]]:
    """Return the values in an elementwise expression that have the same mask on, each with the node that uses it."""
    found: list[tuple[Value, Node]] = []
    pending = [(_masked(outer), outer)]
    while pending:
        step, user = pending.pop()
        node = step.node
        if node is None or not is_backward(step):
            continue
        is_unnamed = step.primal is None or step.primal.name is None
        if is_unnamed and _mask_of(node) == mask:
            found.append((step, user))
        record = lookup(node.function)
        if is_step(step) and uses.get(step, 0) == 1 and record is not None and record.elementwise:
            pending += [(value, node) for value in node.inputs]
    return found
