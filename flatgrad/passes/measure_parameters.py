"""Takes the sizes that the backward pass needs from arrays that have a name.

    before: t7 = log_p[t6, labels]; grad_t7 = grad_t8 / t7.size
    after:  grad_t7 = grad_t8 / len(X)

In: a joint graph. Out: the same numbers, from a parameter if one has that size. Layer: passes, compact style.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.size import Expression, Size, count, resolved
from flatgrad.graph.values import INTEGER, Constant, Graph, Node, Value, same_type
from flatgrad.passes.rewriting import rewrite
from flatgrad.rules.creation import size_of_axis
from flatgrad.rules.static import axes_count

SIZES = frozenset({axes_count, np.size, size_of_axis, len})


def measure_parameters(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Replace the sizes of unnamed arrays by those of named ones, or by their numbers, and return the new results."""
    named = [value for node in graph.nodes if node.forward is None for value in node.outputs if value.name is not None]
    # a list may be longer by then
    measured = _measures([value for value in (*graph.parameters, *named) if not value.type.is_list])

    def change(builder: Builder, node: Node) -> Value | None:
        if node.function not in SIZES or node.inputs[0].name is not None:
            return None
        size = _size_of(node)
        if isinstance(size, int):
            return Constant(size, INTEGER) if same_type(INTEGER, node.output.type) else None
        measure = None if size is None else measured.get(size)
        if measure is None:
            return None
        function, *arguments = measure
        value: Value = builder.apply(function, *arguments, form=".size" if function is np.size else "")
        return value

    return rewrite(graph, results, change)


def _size_of(node: Node) -> Size | None:
    array, axis, *_ = (*node.arguments.values(), None)
    if node.function is len:
        axis = 0
    if isinstance(axis, Value):
        axis = axis.number if isinstance(axis, Constant) else axis
    if axis is None:
        return resolved(count(array.shape))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return resolved(count(tuple(array.shape[k] for k in axes))) if all(isinstance(k, int) for k in axes) else None


def _measures(values: Sequence[Value]) -> dict[Size, tuple[Any, ...]]:
    """Return how to get each size: an axis or all elements of the first value that has it, lengths before other axes."""
    found: dict[Size, tuple[Any, ...]] = {}
    for value in values:
        if value.rank and not isinstance(value, Constant):
            found.setdefault(resolved(value.shape[0]), (len, value))
    for value in values:
        for axis, size in enumerate(value.shape):
            found.setdefault(resolved(size), (size_of_axis, value, axis))
    for value in values:
        if value.rank:
            found.setdefault(resolved(count(value.shape)), (np.size, value))
    return {size: measure for size, measure in found.items() if isinstance(size, Expression)}
