"""How values go into and out of branches and loops, in the forward and in the backward pass.

In: a node. Out: its `Interface`. Layer: emission, below `variables`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flatgrad.graph.regions import BACKWARD, LoopParts, branch, loop, received
from flatgrad.graph.values import Graph, Node, Value

Side = tuple[Graph, Sequence[Value], dict[Value, Value]]


@dataclass(slots=True)
class Interface:
    """How values go into and out of a branch or loop, in the forward or in the backward pass.

    `sides` has for each body that makes the outputs its results, and its names for values from around. A loop has `start` and
    `carried`.
    """

    outputs: Sequence[Value]
    sides: list[Side]
    start: Sequence[Value | None] = ()
    carried: Sequence[Value] = ()


def interface_of(node: Node) -> Interface | None:
    """Return the interface of a branch or loop; None for other nodes."""
    if node.function is branch:
        both: list[Side] = [(body, body.results, received(node, body)) for body in node.bodies]
        return Interface(node.outputs, both)
    if node.function is loop:
        parts, body = LoopParts(node), node.bodies[0]
        return Interface(node.outputs, [(body, parts.results, received(node, body))], parts.start, parts.carried)
    if node.function is BACKWARD[branch]:
        upstream = node.arguments["upstream"]
        sides: list[Side] = [(body, body.gradients, _known_as(upstream, body.upstream)) for body in node.bodies]
        return Interface(node.outputs, sides)
    if node.function is BACKWARD[loop]:
        upstream, body = node.arguments["upstream"], node.bodies[0]
        changed = [k for k, gradient in enumerate(body.gradients) if gradient is not body.upstream[k]]
        outputs, start, carried, results = (
            [values[k] for k in changed] for values in (node.outputs, upstream, body.upstream, body.gradients)
        )
        return Interface(outputs, [(body, results, {})], start, carried)
    return None


def _known_as(outside: Sequence[Value], inside: Sequence[Value]) -> dict[Value, Value]:
    """Return for each value the parameters that stand for it; the first where there are several."""
    return dict(reversed(list(zip(outside, inside, strict=True))))
