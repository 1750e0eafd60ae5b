"""Computes nothing twice: equal operations on equal values become one.

    before: t0 = np.exp(x); grad_x = grad_y * np.exp(x)
    after:  t0 = np.exp(x); grad_x = grad_y * t0

In: a joint graph. Out: the same without repetitions; the first one stays. Layer: passes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.frontend.views import is_made_anew
from flatgrad.graph.containers import Slice, Slot
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.passes.block_parts import parts_of
from flatgrad.passes.rewriting import standing_in, substitute
from flatgrad.registry import lookup
from flatgrad.rules.listing import listed
from flatgrad.rules.program import EFFECTS, named

# two spellings of one operation on arrays; others, such as math.exp and np.exp, may differ in the last bit
OPERATORS: dict[Callable[..., Any], Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.negative: operator.neg,
    np.matmul: operator.matmul,
}

# what the program has two names for may be written into
MADE: frozenset[Callable[..., Any]] = frozenset(
    {np.zeros, np.ones, np.empty, np.full, np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.copy}
)

# in a loop, to compute these again costs less than to keep an array for each turn
ARITHMETIC = frozenset({operator.add, operator.sub, operator.mul, operator.truediv, operator.neg, operator.pow})


def share(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Replace each repetition by the first of its kind, and return the new results."""
    builder = Builder(Graph(graph.name))
    replaced: dict[Value, Value] = {}
    seen: dict[Hashable, Node] = {}
    parts = parts_of(graph)
    for node in graph.nodes:
        substitute(node, replaced)
        key = key_of(node, node.inputs)
        first = node if key is None else seen.setdefault(key, node)
        if node.forward is None and parts.get(node) != parts.get(first) and not _is_view(node):
            # what warns in one context need not do so in another
            first = seen.setdefault((key, parts[node]), node)
        if graph.repeats and node.forward is not None and first.forward is None and node.function in ARITHMETIC:
            first = seen[key] = node
        if first is node:
            builder.graph.nodes.append(node)
            continue
        builder.statement, builder.forward = node.statement, node.forward
        for value, old in zip(first.outputs, node.outputs, strict=True):
            value.name = value.name or old.name
            replaced[old] = standing_in(builder, value, old)
    graph.nodes[:] = builder.graph.nodes
    return [replaced.get(value, value) for value in results]


def _is_view(node: Node) -> bool:
    record = lookup(node.function)
    return record is not None and record.view and not is_made_anew(node)


def key_of(node: Node, inputs: Sequence[Value]) -> Hashable:
    """Return what two operations on such inputs with the same results have in common; None for one that is to stay."""
    # literals and text have no record; second names, and what has an effect or a body of its own, stay as well
    if lookup(node.function) is None or node.function is named or node.function in EFFECTS or node.bodies:
        return None
    if node.in_callers or node.function is listed or (node.function in MADE and node.output.name is not None):
        return None
    call = tuple([(name, _written(structure)) for name, structure in node.call])
    types = tuple([value.type.weak for value in node.outputs])
    return (OPERATORS.get(node.function, node.function), call, tuple(map(_identity, inputs)), types)


def _written(structure: Any) -> Hashable:
    """Return a key of a part of a call: x[[0, 1]] is not x[0, 1], and 2, 2.0 and True are not the same argument."""
    if type(structure) is Slot:
        return structure.index
    if isinstance(structure, tuple):
        return (type(structure), *map(_written, structure))
    if isinstance(structure, Slice):
        return (Slice, *map(_written, (structure.start, structure.stop, structure.step)))
    # the text of a long array leaves numbers out
    return id(structure) if isinstance(structure, np.ndarray) else (type(structure), repr(structure))


def _identity(value: Value) -> Hashable:
    if isinstance(value, Constant) and not value.rank:
        return (value.dtype, value.type.weak, value.name, repr(value.number))
    return value
