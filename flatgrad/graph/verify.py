"""Checks that a graph is one: run after every stage.

In: a graph and the values that are wanted of it. Out: nothing, or `IllFormed`. Layer: above `regions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flatgrad.graph.containers import Slot, leaves
from flatgrad.graph.regions import branch, call, elements_of, loop, returned_by
from flatgrad.graph.values import Constant, Graph, Node, Type, Value


class IllFormed(AssertionError):
    """A graph that breaks its own rules: a mistake in flatgrad, not in the user's code."""


def verify(graph: Graph, results: Sequence[Value]) -> None:
    """Raise IllFormed unless each value is made once, before it is used, and has a type; in the bodies of nodes, too."""
    _verify(graph, results, set(), set())


def _verify(graph: Graph, results: Sequence[Value], around: set[Value], seen: set[int]) -> None:
    """Check a graph that may use the constants `around` it; bodies in `seen` are those of a node that came before."""
    given = [*graph.parameters, *graph.upstream]
    if len(set(given)) < len(given):
        raise IllFormed(f"a parameter of {graph.name} occurs twice")
    made = {*given, *around}
    constants = set(around)
    for node in graph.nodes:
        problem = _problem(node, made) or _problem_of_bodies(node)
        if problem:
            raise IllFormed(f"{problem} in {graph.name}: {node!r}")
        for body in node.bodies:
            if id(body) not in seen:
                seen.add(id(body))
                _verify(body, [*body.results, *body.gradients], constants, seen)
                if body.custom is not None:
                    # a gradient that is always zero is None
                    gradients = [value for value in body.custom.results if isinstance(value, Value)]
                    _verify(body.custom, gradients, constants, seen)
        made.update(node.outputs)
        constants.update(value for value in node.outputs if isinstance(value, Constant))
    for value in results:
        if not _is_at_hand(value, made):
            raise IllFormed(f"the result {value!r} of {graph.name} is never made")


def _problem(node: Node, made: set[Value]) -> str:
    """Return what is wrong with a node; "" if nothing is."""
    # one slot for each input, in order
    slots = [leaf.index for _, structure in node.call for leaf in leaves(structure) if type(leaf) is Slot]
    if slots != list(range(len(node.inputs))):
        return "the call does not fit the inputs"
    for value in node.inputs:
        if not _is_at_hand(value, made):
            return f"{value!r} is used before it is made"
    for value in node.outputs:
        if value in made:
            return f"{value!r} is made twice"
        if value.node is not node:
            return f"{value!r} does not know its node"
        if not isinstance(value.type, Type):
            return f"{value!r} has no type"
    return ""


def _is_at_hand(value: Value, made: set[Value]) -> bool:
    return value in made or (isinstance(value, Constant) and value.node is None)


def _problem_of_bodies(node: Node) -> str:
    """Return where the parameters and results of the node's bodies do not fit it; "" if they do."""
    if node.function not in _INTERFACES:
        return ""
    if node.function is loop and len(node.outputs) != len(node.arguments["start"]):
        return f"{len(node.outputs)} outputs for {len(node.arguments['start'])} carried values"
    interfaces = _INTERFACES[node.function](node)
    if len(node.bodies) not in range(1 if node.function is loop else len(interfaces), len(interfaces) + 1):
        return f"{len(node.bodies)} bodies"
    for body, (parameters, results) in zip(node.bodies, interfaces, strict=False):
        if len(body.parameters) != parameters:
            return f"{body.name} has {len(body.parameters)} parameters, not {parameters},"
        if len(body.results) != results and (body.custom is None or len(body.results) < results):
            return f"{body.name} has {len(body.results)} results, not {results},"
    return ""


# how many parameters and how many results each body of a node has
_Interfaces = list[tuple[int, int]]


def _of_branch(node: Node) -> _Interfaces:
    return [(len(node.arguments["closed"]), len(node.outputs))] * 2


def _of_loop(node: Node) -> _Interfaces:
    arguments: dict[str, Any] = node.arguments
    carried, closed = len(arguments["start"]), len(arguments["closed"])
    elements = len(list(elements_of(arguments["header"])))
    return [(1 + elements + carried + closed, carried + arguments["leaves"]), (carried + closed, 1)]


def _of_call(node: Node) -> _Interfaces:
    return [(len(node.arguments["arguments"]), len(returned_by(node)))]


_INTERFACES: dict[Callable[..., Any], Callable[[Node], _Interfaces]] = {
    branch: _of_branch,
    loop: _of_loop,
    call: _of_call,
}
