"""Writes a transposed product as the product that it is.

    before: grad_W = (x.T @ grad_y).T
    after:  grad_W = grad_y.T @ x

In: a joint graph. Out: the same with fewer transposes; each element sums the same products. Layer: passes.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.values import Graph, Node, Value
from flatgrad.passes.rewriting import is_step, rewrite
from flatgrad.passes.simplify import read_equations, simpler

TURNED_PRODUCTS = (
    "(-x).T = -x.T",
    "np.outer(x, y).T = np.outer(y, x)",
    "(x.T @ y).T = y.T @ x",
    "(x.T @ y + z.T @ w).T = y.T @ x + w.T @ z",
    "(np.outer(x, y) + z.T @ w).T = np.outer(y, x) + w.T @ z",
    "(x.mT @ y).mT = y.mT @ x",
    "np.swapaxes(np.swapaxes(x, -1, -2) @ y, -1, -2) = y.mT @ x",
)
TAKEN_APART = frozenset({operator.add, operator.neg})
TRANSPOSES = frozenset({np.transpose, np.matrix_transpose, np.swapaxes})


def turn_products(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Apply the equations to products that nothing else reads."""
    table = read_equations(TURNED_PRODUCTS)
    reads = Counter(value for node in graph.nodes for value in node.inputs) + Counter(results)

    def turned(builder: Builder, node: Node) -> Value | None:
        is_turned = node.function in TRANSPOSES and _is_read_once(node.inputs[0], reads)
        return simpler(builder, node, table) if is_turned else None

    return rewrite(graph, results, turned)


def _is_read_once(value: Value, reads: Mapping[Value, int]) -> bool:
    """Tell whether a step, and the steps that it adds up, would not be computed a second time."""
    if not is_step(value) or value.node is None or reads[value] != 1:
        return False
    return value.node.function not in TAKEN_APART or all(_is_read_once(part, reads) for part in value.node.inputs)
