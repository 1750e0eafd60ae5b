"""Leaves out what nothing needs of branches and loops: variables that are not read behind them, and all that only these need.

    before: y, t = branch(c, x)  with t only used inside
    after:  y = branch(c, x)

In: a graph. Out: the same with the results, the effects, and what these need. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flatgrad.graph.containers import leaves
from flatgrad.graph.regions import LoopParts, branch, constants_inside, loop, received
from flatgrad.graph.values import Graph, Node, Value, packed
from flatgrad.passes.prune import has_effect


def narrow(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Drop the outputs that nothing reads, in all bodies too; the results stay as they are."""
    needed = set(results)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.isdisjoint(node.outputs) and not has_effect(node):
            continue
        if node.function is branch:
            _narrow_branch(node, needed)
        elif node.function is loop:
            _narrow_loop(node, needed)
        else:
            for body in node.bodies:
                narrow(body, body.results)
        needed.update(node.inputs, constants_inside(node))
        kept.append(node)
    graph.nodes[:] = reversed(kept)
    return list(results)


def _narrow_branch(node: Node, needed: set[Value]) -> None:
    kept = [k for k, output in enumerate(node.outputs) if output in needed]
    node.outputs = tuple([node.outputs[k] for k in kept])
    for body in node.bodies:
        body.results[:] = [body.results[k] for k in kept]
        narrow(body, body.results)
    _drop_closed(node)


def _narrow_loop(node: Node, needed: set[Value]) -> None:
    parts, body = LoopParts(node), node.bodies[0]
    order = sorted(_carried_needed(node, needed))
    leave = [] if parts.leave is None else [parts.leave]
    start = len(body.parameters) - len(parts.own_closed) - len(parts.carried)
    body.parameters[start : start + len(parts.carried)] = [parts.carried[k] for k in order]
    body.results[:] = [*(parts.results[k] for k in order), *leave]
    for condition in node.bodies[1:]:
        condition.parameters[: len(parts.carried)] = [condition.parameters[k] for k in order]
        narrow(condition, condition.results)
    node.outputs = tuple([node.outputs[k] for k in order])
    node.inputs, node.call = packed(node.arguments | {"start": tuple([parts.start[k] for k in order])})
    narrow(body, body.results)
    _drop_closed(node)


def _carried_needed(node: Node, needed: set[Value]) -> set[int]:
    """Return the numbers of the carried values that outputs, or the turns to come, need."""
    parts, body = LoopParts(node), node.bodies[0]
    kept = {k for k, output in enumerate(node.outputs) if output in needed}
    for condition in node.bodies[1:]:
        read = needed_for(condition, condition.results)
        kept |= {k for k, value in enumerate(condition.parameters[: len(parts.carried)]) if value in read}
    leave = [] if parts.leave is None else [parts.leave]
    while True:
        read = needed_for(body, [*(parts.results[k] for k in kept), *leave])
        more = {k for k, value in enumerate(parts.carried) if value in read}
        if more <= kept:
            return kept
        kept |= more


def needed_for(graph: Graph, results: Iterable[Value]) -> set[Value]:
    """Return the values of a graph that results and effects need."""
    needed = set(results)
    for node in reversed(graph.nodes):
        if has_effect(node) or not needed.isdisjoint(node.outputs):
            needed |= _inputs_needed(node, needed)
    return needed


def _inputs_needed(node: Node, needed: set[Value]) -> set[Value]:
    """Return the inputs of a node that those of its outputs need that are needed."""
    arguments = node.arguments
    if node.function is branch:
        found = {arguments["condition"]}
        kept = [k for k, output in enumerate(node.outputs) if output in needed]
        for body in node.bodies:
            inside = needed_for(body, [body.results[k] for k in kept])
            found |= {outer for outer, inner in received(node, body).items() if inner in inside}
        return found
    if node.function is loop:
        parts, body = LoopParts(node), node.bodies[0]
        kept = sorted(_carried_needed(node, needed))
        found = {leaf for leaf in leaves(arguments["header"]) if isinstance(leaf, Value)}
        found |= {parts.start[k] for k in kept if isinstance(parts.start[k], Value)}
        results = [parts.results[k] for k in kept] + ([] if parts.leave is None else [parts.leave])
        for each, wanted in [(body, results), *((body, body.results) for body in node.bodies[1:])]:
            inside = needed_for(each, wanted)
            found |= {outer for outer, inner in received(node, each).items() if inner in inside}
        return found
    return set(node.inputs)


def _drop_closed(node: Node) -> None:
    """Leave out the values from around that no body reads."""
    closed = node.arguments["closed"]
    firsts = [len(body.parameters) - len(closed) for body in node.bodies]
    read = [needed_for(body, body.results) for body in node.bodies]
    kept = [
        k
        for k in range(len(closed))
        if any(body.parameters[first + k] in used for body, first, used in zip(node.bodies, firsts, read, strict=True))
    ]
    for body, first in zip(node.bodies, firsts, strict=True):
        body.parameters[first:] = [body.parameters[first + k] for k in kept]
    node.inputs, node.call = packed(node.arguments | {"closed": tuple([closed[k] for k in kept])})
