"""Which values have a gradient that matters: they depend on what is differentiated by, and results depend on them.

In: a forward graph with its bodies. Out: sets of values, those inside of bodies among them. Layer: above `frontend`, which
reads the rules, below `differentiate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from flatgrad.frontend.rule_bodies import inputs_with_gradient
from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import FORWARD, LoopParts, branch, call, edited, loop
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.registry import Record, lookup
from flatgrad.rules.listing import appended


def spread(graph: Graph, active: set[Value]) -> None:
    """Add to `active` the values that depend on those in it in a way that has a derivative, in all bodies too."""
    for node in graph.nodes:
        if node.function in SPREADING:
            SPREADING[node.function](node, active)
            continue
        record = lookup(node.function)
        if record is None or record.gradient is None:
            continue
        if any(leaf in active for leaf in inputs_of(record, node.arguments)):
            # whole numbers beside real ones count something, or say where it is
            real = [output for output in node.outputs if output.type.is_differentiable]
            active.update(output for output in real or node.outputs if not _is_counted(node, output))


def _is_counted(node: Node, output: Value) -> bool:
    """Tell whether a result changes by steps only: truth values, and numbers that are counted up to another one."""
    return output.dtype.kind == "b" or (node.function is np.arange and output.dtype.kind == "i")


def _spread_branch(node: Node, active: set[Value]) -> None:
    for body in node.bodies:
        _pass_in(node.arguments["closed"], body.parameters, active)
        spread(body, active)
        _pass_in(body.results, node.outputs, active)


def _spread_loop(node: Node, active: set[Value]) -> None:
    parts, body = LoopParts(node), node.bodies[0]
    _pass_in(parts.closed, parts.own_closed, active)
    for word, given, _, element in parts.sources:
        if word == "rows" and given[0] in active:
            active.add(element)
    _pass_in(parts.start, parts.carried, active)
    count = -1
    # a carried value is active in all turns if it is in one
    while count < len(active):
        count = len(active)
        spread(body, active)
        _pass_in(parts.results, parts.carried, active)
    _pass_in(parts.carried, node.outputs, active)


def _spread_call(node: Node, active: set[Value]) -> None:
    (body,) = node.bodies
    arguments = node.arguments["arguments"]
    _pass_in(arguments, body.parameters, active)
    if body.custom is not None:
        if any(argument in active for argument in arguments):
            active.update(value for value in (*node.outputs, *body.results) if value.dtype.kind in "fci")
        return
    spread(body, active)
    if any(argument in active for argument in arguments):
        _pass_in(body.results, node.outputs, active)


def _spread_edited(node: Node, active: set[Value]) -> None:
    _pass_in(node.inputs[:1], node.outputs, active)


SPREADING = {branch: _spread_branch, loop: _spread_loop, call: _spread_call, edited: _spread_edited}


def _pass_in(given: Iterable[Any], received: Iterable[Value], active: set[Value]) -> None:
    for outer, inner in zip(given, received, strict=False):
        if outer in active and inner.dtype.kind != "b" and not isinstance(inner, Constant):
            active.add(inner)


def reached_from(
    nodes: Sequence[Node], results: Iterable[Value], active: set[Value]
) -> tuple[set[Value], dict[Node, dict[Value, None]]]:
    """Return the active values that results may depend on, and for each node between them those that it passes a gradient on to."""
    reached = {value for value in results if value in active}
    sources: dict[Node, dict[Value, None]] = {}
    for node in reversed(nodes):
        if not reached.isdisjoint(node.outputs):
            sources[node] = sources_of(node, active)
            reached.update(sources[node])
    return reached, sources


def sources_of(node: Node, active: set[Value]) -> dict[Value, None]:
    """Return the active values whose gradients an operation adds to, in the order of its arguments."""
    if node.function in FORWARD:
        given = [item for name, item in node.arguments.items() if name != "condition"]
        passed: Iterable[Any] = leaves(tuple(given))
    elif node.function is edited:
        passed = node.inputs[:1]
    else:
        function, arguments = derived_from(node)
        record = lookup(function)
        if record is None or record.gradient is None:
            return {}
        passed = inputs_of(record, arguments)
    return dict.fromkeys(leaf for leaf in passed if isinstance(leaf, Value) and leaf in active)


def finished_lists(nodes: Sequence[Node], active: set[Value]) -> list[Value]:
    """Return the active lists that are appended to, as they are behind the last operation that changes them."""
    changing = [node for node in nodes if node.function is appended or node.bodies]
    changed = {value for node in changing for value in node.inputs if value.type.is_list}
    outputs = [value for node in changing for value in node.outputs if value.type.is_list]
    return [value for value in outputs if value in active and value not in changed]


def derived_from(node: Node) -> tuple[Any, Mapping[str, Any]]:
    """Return the function and arguments whose derivative is taken: those of the recognised form, or the node's own."""
    if node.recognised is not None:
        return node.recognised.function, node.recognised.arguments
    return node.function, node.arguments


def inputs_of(record: Record, arguments: Mapping[str, Any]) -> Iterator[Any]:
    """Return what an operation passes a gradient on to, or has to."""
    assert record.gradient is not None
    for name in (*inputs_with_gradient(record.gradient), *record.unknown):
        yield from leaves(arguments.get(name))
