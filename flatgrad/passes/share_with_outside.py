"""Lets branches and loops use what is computed before them, instead of computing it anew.

    before: t0 = abs(r); if t0 <= d: ... else: t1 = abs(r); y = d * t1
    after:  t0 = abs(r); if t0 <= d: ... else: y = d * t0

In: a joint graph. Out: the same; gradients stay where they are, inside of the body. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from flatgrad.graph.regions import branch, close_over, loop, received
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.passes.rewriting import substitute
from flatgrad.passes.share import key_of
from flatgrad.rules.program import caught


def share_with_outside(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Replace what bodies compute again; the results stay as they are."""
    seen: dict[Hashable, Node] = {}
    for node in graph.nodes:
        if node.function in (branch, loop):
            condition = node.inputs[0].node if node.inputs else None
            # what a `try` computes has no value where its exception is caught
            if condition is None or condition.function is not caught:
                for body in node.bodies:
                    _take(node, body, seen)
        elif node.forward is None and not node.bodies:
            key = key_of(node, node.inputs)
            if key is not None:
                seen.setdefault(key, node)
    return list(results)


def _take(node: Node, body: Graph, seen: dict[Hashable, Node]) -> None:
    """Let a body of a node use the values in `seen`."""
    outside = {inner: outer for outer, inner in received(node, body).items()}
    replaced: dict[Value, Value] = {}
    hosts: dict[Node, Node] = {}
    for inner in body.nodes:
        substitute(inner, replaced)
        if inner.forward is not None or not all(isinstance(v, Constant) or v in outside for v in inner.inputs):
            continue
        key = key_of(inner, [outside.get(value, value) for value in inner.inputs])
        first = None if key is None else seen.get(key)
        if first is None:
            continue
        hosts[inner] = first
        for value, outer in zip(inner.outputs, first.outputs, strict=True):
            close_over(node, outer)
            replaced[value] = received(node, body)[outer]
            outside[replaced[value]] = outer
    if replaced:
        _replace(body, replaced, hosts)


def _replace(body: Graph, replaced: dict[Value, Value], hosts: dict[Node, Node]) -> None:
    body.nodes[:] = [node for node in body.nodes if node not in hosts]
    body.results[:] = [replaced.get(value, value) for value in body.results]
    body.gradients[:] = [replaced.get(value, value) for value in body.gradients]
    for value in (*body.upstream, *body.values()):
        if value.primal in replaced:
            value.primal = replaced[value.primal]
    for node in body.nodes:
        node.forward = hosts.get(node.forward, node.forward) if node.forward is not None else None
