"""Leaves out new axes in front of an array, where broadcasting adds them anyhow.

    before: grad_x = np.full_like(x, np.expand_dims(grad_y, 0) / len(x))
    after:  grad_x = np.full_like(x, grad_y / len(x))

In: a joint graph. Out: the same values; what is done to the array and numbers alone is done before the axes are added. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.values import Graph, Node, Value, same_type
from flatgrad.passes.rewriting import is_step, rewrite
from flatgrad.passes.spread_scalars import type_of_call
from flatgrad.registry import lookup
from flatgrad.rules.program import named


def drop_leading_axes(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Take new leading axes out of what broadcasts, and return the new results."""
    return rewrite(graph, results, _dropped)


def _dropped(builder: Builder, node: Node) -> Value | None:
    record = lookup(node.function)
    broadcasts = record is not None and (record.elementwise or node.function is np.full_like)
    if record is None or not broadcasts or node.form or node.function is named:
        return None
    arguments = node.arguments
    led = {name: item.node for name, item in arguments.items() if _has_leading_axes(item)}
    bare = arguments | {name: _without_axes(axes) for name, axes in led.items()}
    type = type_of_call(record, node, bare) if led else None
    if type is None:
        return None
    if same_type(type, node.output.type):
        return builder.node(node.function, bare, [type], positional=node.positional, location=node.location).output
    if len(led) == 1 and all(name in led or not getattr(item, "rank", 0) for name, item in arguments.items()):
        (axes,) = led.values()
        inner = builder.node(node.function, bare, [type], positional=node.positional, location=node.location).output
        _, axis = axes.arguments.values()
        expanded: Value = builder.apply(np.expand_dims, inner, axis)
        if same_type(expanded.type, node.output.type):
            return expanded
        del builder.graph.nodes[-2:]
    return None


def _without_axes(axes: Node) -> Value:
    """Return the array that new axes were given to; it has the name that it would have had with them."""
    array: Value = next(iter(axes.arguments.values()))
    if is_step(array):
        array.called = array.called or axes.output.called
    return array


def _has_leading_axes(item: Any) -> bool:
    """Tell whether a step of the backward pass is an array with new axes, all of them in front."""
    if (
        not isinstance(item, Value)
        or not is_step(item)
        or item.node is None
        or item.node.function is not np.expand_dims
    ):
        return False
    _, axis = item.node.arguments.values()
    axes = axis if isinstance(axis, tuple) else (axis,)
    return {each % item.rank for each in axes} == set(range(len(axes)))
