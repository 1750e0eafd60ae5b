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
from flatgrad.passes.rewriting import is_step, substitute
from flatgrad.registry import lookup

Mask = tuple[Value, bool]


def merge_masks(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Take out each mask that another one with the same condition is put on top of."""
    uses = uses_of(graph.nodes, results)
    replaced: dict[Value, Value] = {}
    for node in graph.nodes:
        mask = _mask_of(node)
        if mask is not None:
            for inner in _masked_alike(_masked(node), mask, uses):
                if same_type(_masked(inner).type, inner.output.type):
                    replaced[inner.output] = _masked(inner)
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


def _masked_alike(value: Value, mask: Mask, uses: dict[Value, int]) -> list[Node]:
    """Return the nodes that put the same mask on what an elementwise expression is made of."""
    found: list[Node] = []
    pending = [value]
    while pending:
        step = pending.pop()
        node = step.node
        if node is None or not is_step(step) or uses.get(step, 0) != 1:
            continue
        if _mask_of(node) == mask:
            found.append(node)
        record = lookup(node.function)
        if record is not None and record.elementwise:
            pending += node.inputs
    return found
