"""Computes nothing twice: equal operations on equal values become one.

    before: t0 = np.exp(x); grad_x = grad_y * np.exp(x)
    after:  t0 = np.exp(x); grad_x = grad_y * t0

In: a joint graph. Out: the same without repetitions; the first one stays. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from flatgrad.builder import Builder
from flatgrad.graph.values import Constant, Graph, Node, Slot, Value, leaves
from flatgrad.passes.rewriting import standing_in, substitute
from flatgrad.registry import lookup
from flatgrad.rules.program import EFFECTS


def share(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Replace each repetition by the first of its kind, and return the new results."""
    builder = Builder(Graph(graph.name))
    replaced: dict[Value, Value] = {}
    seen: dict[Hashable, Node] = {}
    for node in graph.nodes:
        substitute(node, replaced)
        key = _key(node)
        first = node if key is None else seen.setdefault(key, node)
        if first is node:
            builder.graph.nodes.append(node)
            continue
        builder.statement, builder.forward = node.statement, node.forward
        for value, old in zip(first.outputs, node.outputs, strict=True):
            value.name = value.name or old.name
            replaced[old] = standing_in(builder, value, old)
    graph.nodes[:] = builder.graph.nodes
    return [replaced.get(value, value) for value in results]


def _key(node: Node) -> Hashable:
    """Return what two operations with the same results have in common; None for one that is to stay."""
    # names, copies and text have no record; what has an effect or a body of its own stays
    if lookup(node.function) is None or node.function in EFFECTS or node.bodies:
        return None
    call = tuple([(name, structure, _kinds(structure)) for name, structure in node.call])
    return (node.function, call, tuple(map(_identity, node.inputs)), len(node.outputs))


def _kinds(structure: Any) -> tuple[Hashable, ...]:
    # 2, 2.0 and True are equal as keys, and so are 0.0 and -0.0
    return tuple([(type(leaf), None if type(leaf) is Slot else repr(leaf)) for leaf in leaves(structure)])


def _identity(value: Value) -> Hashable:
    if isinstance(value, Constant) and not value.rank:
        return (value.dtype, value.type.weak, repr(value.number))
    return value
