"""The walk that all rewriting passes share: a backward node at a time, each replaced by an equal value or left.

In: a graph, and a function that offers an equal value for a node. Out: the graph with the offers taken. Layer: passes,
above `builder`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flatgrad.builder import Builder
from flatgrad.graph.containers import mapped
from flatgrad.graph.regions import branch, loop, merge_closed
from flatgrad.graph.values import Constant, Graph, Node, Recognised, Value
from flatgrad.rules.program import named

Change = Callable[[Builder, Node], Value | None]


def is_backward(value: Value) -> bool:
    """Tell whether a value is computed in the backward pass."""
    return value.node is not None and value.node.forward is not None


def is_step(value: Value) -> bool:
    """Tell whether a value is an unnamed step of the backward pass, which may be taken apart and put together anew."""
    return is_backward(value) and value.primal is None


def rewrite(graph: Graph, results: Sequence[Value], change: Change) -> list[Value]:
    """Ask `change` for an equal value for each backward node, operands before their users, and return the new results.

    What `change` appends to the builder comes to stand in the node's place.
    """
    builder = Builder(Graph(graph.name))
    nodes = builder.graph.nodes
    replaced: dict[Value, Value] = {}
    for node in graph.nodes:
        substitute(node, replaced)
        value = None
        if node.forward is not None and len(node.outputs) == 1 and not node.bodies:
            builder.statement, builder.forward = node.statement, node.forward
            value = change(builder, node)
        if value is None:
            nodes.append(node)
        else:
            replaced[node.output] = standing_in(builder, value, node.output)
    graph.nodes[:] = nodes
    return [replaced.get(value, value) for value in results]


def substitute(node: Node, replaced: Mapping[Value, Value]) -> None:
    """Let a node, and the form that it was recognised as, use other values instead of some."""
    if any(value in replaced for value in node.inputs):
        node.inputs = tuple([replaced.get(value, value) for value in node.inputs])
        if node.function in (branch, loop):
            merge_closed(node)
    form = node.recognised
    if form is not None and replaced and node.forward is None:
        arguments = {
            name: mapped(item, lambda leaf: _replaced(leaf, replaced)) for name, item in form.arguments.items()
        }
        node.recognised = Recognised(form.function, arguments, form.words)


def _replaced(leaf: Any, replaced: Mapping[Value, Value]) -> Any:
    return replaced.get(leaf, leaf) if isinstance(leaf, Value) else leaf


def standing_in(builder: Builder, value: Value, old: Value) -> Value:
    """Return `value` with the identity of `old`: if that was the gradient of a variable, there still is one.

    A value that is something else already gets a second name.
    """
    if old.primal is None:
        value.step_of = value.step_of or old.step_of
        if is_step(value):
            value.called = value.called or old.called
        return value
    if isinstance(value, Constant) or not is_step(value):
        value = builder.node(named, {"x": value}, [value.type]).output
    value.primal = old.primal
    return value
