"""Runs a graph on arrays: what a graph means, and the oracle of the passes.

In: a graph, arrays for its parameters. Out: the wanted values. Layer: above `binding`.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flatgrad.binding import spread
from flatgrad.graph.containers import List, Slice, leaves
from flatgrad.graph.regions import branch, call, edited, loop
from flatgrad.graph.values import Constant, Graph, Node, Value


def interpret(graph: Graph, arguments: Sequence[Any], results: Sequence[Any]) -> list[Any]:
    """Return the numbers and arrays that `results` stand for, with these arguments for the parameters.

    A variable that has no value (yet) is None.
    """
    numbers: dict[Value, Any] = dict(zip(graph.parameters, arguments, strict=True))
    for node in graph.nodes:
        given = {name: _filled(item, numbers) for name, item in node.arguments.items()}
        if node.function in _REGIONS:
            outputs = _REGIONS[node.function](node, given)
        else:
            result = _applied(node, given)
            outputs = [result] if len(node.outputs) == 1 and not node.in_list else result
        if node.outputs:
            numbers.update(zip(node.outputs, outputs, strict=True))
    return [_filled(value, numbers) for value in results]


def _applied(node: Node, given: Mapping[str, Any]) -> Any:
    # operators and methods take no names
    is_operator = getattr(node.function, "__module__", None) == "_operator"
    nameless = is_operator or isinstance(node.function, types.MethodDescriptorType)
    positional = len(given) if nameless else node.positional
    args, kwargs = spread(node.function, given, positional)
    return node.function(*args, **kwargs)


def _run(body: Graph, *arguments: Any) -> list[Any]:
    return interpret(body, arguments, body.results)


def _branch(node: Node, given: Mapping[str, Any]) -> list[Any]:
    then, otherwise = node.bodies
    return _run(then if given["condition"] else otherwise, *given["closed"])


def _loop(node: Node, given: Mapping[str, Any]) -> list[Any]:
    body, *conditions = node.bodies
    carried, closed = list(given["start"]), given["closed"]
    for turn, element in enumerate(_elements(given["header"])):
        if not all(_run(condition, *carried, *closed)[0] for condition in conditions):
            break
        results = _run(body, turn, *leaves(element), *carried, *closed)
        carried = results[: len(carried)]
        if given["leaves"] and results[-1]:
            break
    return carried


def _call(node: Node, given: Mapping[str, Any]) -> list[Any]:
    # behind what it returns, a function with a gradient of its own has what that needs
    return _run(node.bodies[0], *given["arguments"])[: len(node.outputs)]


def _edited(node: Node, given: Mapping[str, Any]) -> list[Any]:
    return [given["x"]]


_REGIONS: dict[Callable[..., Any], Callable[[Node, Mapping[str, Any]], list[Any]]] = {
    branch: _branch,
    loop: _loop,
    call: _call,
    edited: _edited,
}


def _elements(header: Any) -> Iterable[Any]:
    """Return what the header of a loop gives to each turn: a number, a row, or a nested tuple of them."""
    if header is None or header[0] == "forever":
        return itertools.repeat(())
    word, *parts = header
    if word == "range":
        return range(*parts)
    if word == "rows":
        return list(parts[0])
    if word == "enumerate":
        return enumerate(_elements(parts[0]), *parts[1:])
    if word == "zip":
        return zip(*map(_elements, parts), strict=False)
    if word == "reversed":
        return list(_elements(parts[0]))[::-1]
    raise ValueError(f"no header of a loop: {header!r}")


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
