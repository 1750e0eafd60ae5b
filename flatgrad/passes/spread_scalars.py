"""Lets broadcasting spread a number, instead of an array that is filled with it.

    before: grad_q = np.full_like(t0, grad_f) * 2 * q
    after:  grad_q = grad_f * 2 * q

In: a joint graph. Out: the same values; where everything is a number but the filled array, the filling comes last. Numbers
that meet before they are spread may be rounded in another precision. Layer: passes, compact style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flatgrad.builder import Builder
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Graph, Node, Type, Value, same_type
from flatgrad.infer import infer
from flatgrad.passes.rewriting import is_backward, rewrite
from flatgrad.registry import Record, lookup
from flatgrad.rules.placing import placed
from flatgrad.rules.program import named


def spread_scalars(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Take filled arrays out of elementwise operations and assignments, and return the new results."""
    return rewrite(graph, results, _spread)


def _spread(builder: Builder, node: Node) -> Value | None:
    record = lookup(node.function)
    if record is None or node.form or node.function is named or not (record.elementwise or node.function is placed):
        return None
    arguments = node.arguments
    filled = {name: fill for name, item in arguments.items() if name != "like" and (fill := _filling(item)) is not None}
    if not filled:
        return None
    bare = arguments | {name: fill.arguments["fill_value"] for name, fill in filled.items()}
    type = type_of_call(record, node, bare)
    if type is None:
        return None
    if same_type(type, node.output.type):
        return builder.node(node.function, bare, [type], positional=node.positional, location=node.location).output
    if all(name in filled or not getattr(item, "rank", 0) for name, item in arguments.items()):
        like = next(iter(filled.values())).arguments["x"]
        number = builder.node(node.function, bare, [type], positional=node.positional, location=node.location).output
        spread: Value = builder.apply(np.full_like, like, number)
        if same_type(spread.type, node.output.type):
            return spread
        del builder.graph.nodes[-2:]
    return None


def _filling(item: Any) -> Node | None:
    """Return the operation that fills an array, if that is what an item is."""
    # a gradient that the user has a name for is shown as it is
    if (
        not isinstance(item, Value)
        or not is_backward(item)
        or (item.primal is not None and item.primal.name is not None)
    ):
        return None
    node = item.node
    is_fill = node is not None and node.function is np.full_like and set(node.arguments) == {"x", "fill_value"}
    return node if is_fill else None


def type_of_call(record: Record, node: Node, arguments: Mapping[str, Any]) -> Type | None:
    try:
        found = infer(record, node.function, dict(arguments), node.positional)
    except SizeUnknown:
        # the filled array settled a shape that is not known without it
        return None
    return found if isinstance(found, Type) else None
