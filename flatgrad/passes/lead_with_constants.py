"""Writes a number in front of what it multiplies.

    before: grad_q = grad_f * 2 * q
    after:  grad_q = 2 * grad_f * q

In: a joint graph. Out: the same numbers. Layer: passes, compact style.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from flatgrad.graph.values import Constant, Graph, Node, Value, packed
from flatgrad.passes.rewriting import is_step

# in front of these the number would need parentheses around them
FACTORED = (operator.mul, operator.truediv, operator.matmul)


def lead_with_constants(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Swap the operands of ``x * number`` in the backward pass; the results stay as they are."""
    for node in graph.nodes:
        if node.forward is not None and node.function is operator.mul:
            (left, x), (right, number) = node.arguments.items()
            if _is_number(number) and not _is_number(x) and not _is_factored(x):
                node.inputs, node.call = packed({left: number, right: x})
    return list(results)


def _is_number(item: Any) -> bool:
    return isinstance(item, int | float) or (isinstance(item, Constant) and item.type.weak and item.name is None)


def _is_factored(item: Any) -> bool:
    node: Node | None = item.node if isinstance(item, Value) and is_step(item) else None
    return node is not None and node.function in FACTORED
