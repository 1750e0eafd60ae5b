"""Runs a graph on arrays: what a graph means, and the oracle of the passes.

In: a graph, arrays for its parameters. Out: the wanted values. Layer: above `graph`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flatgrad.graph.values import Constant, Graph, List, Slice, Value


def interpret(graph: Graph, arguments: Sequence[Any], results: Sequence[Value]) -> list[Any]:
    """Return the numbers and arrays that `results` stand for, with these arguments for the parameters."""
    numbers: dict[Value, Any] = dict(zip(graph.parameters, arguments, strict=True))
    for node in graph.nodes:
        given = {name: _filled(item, numbers) for name, item in node.arguments.items()}
        # operators and methods take no names
        nameless = getattr(node.function, "__module__", None) in ("_operator", None)
        positional = len(given) if nameless else node.positional
        values = list(given.values())
        result = node.function(*values[:positional], **dict(list(given.items())[positional:]))
        outputs = [result] if len(node.outputs) == 1 else result
        if node.outputs:
            numbers.update(zip(node.outputs, outputs, strict=True))
    return [_filled(value, numbers) for value in results]


def _filled(item: Any, numbers: dict[Value, Any]) -> Any:
    """Return a part of a call as Python's own objects, with numbers for the values."""
    if isinstance(item, Value):
        return item.number if isinstance(item, Constant) else numbers[item]
    if isinstance(item, Slice):
        return slice(*(_filled(part, numbers) for part in (item.start, item.stop, item.step)))
    if isinstance(item, tuple):
        parts = [_filled(part, numbers) for part in item]
        return parts if isinstance(item, List) else tuple(parts)
    return item
