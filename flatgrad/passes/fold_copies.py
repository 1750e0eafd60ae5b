"""Leaves out gradients that are another gradient under a second name.

    before: grad_t1 = grad_out * x; grad_b = grad_t1
    after:  grad_b = grad_out * x

In: a joint graph. Out: the same; of two names the one that the user knows stays. Layer: passes, compact style.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.builder import Builder
from flatgrad.graph.values import Constant, Graph, Node, Value
from flatgrad.passes.rewriting import is_backward, rewrite
from flatgrad.rules.program import named


def fold_copies(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Replace second names by the first ones; a result whose value is known by another name keeps both."""
    returned = set(results)
    read = {value for node in graph.nodes if node.forward is not None for value in node.inputs}

    def change(builder: Builder, node: Node) -> Value | None:
        return _folded(node, returned, read) if node.function is named else None

    return rewrite(graph, results, change)


def _folded(node: Node, returned: set[Value], read: set[Value]) -> Value | None:
    copy, source = node.output, node.inputs[0]
    if copy.primal is None:
        return source
    # what comes out of a loop or branch has the name that it has there
    fixed = isinstance(source, Constant) or (source.node is not None and bool(source.node.bodies))
    may_be_renamed = is_backward(source) and not fixed and source not in returned
    if may_be_renamed and _has_the_better_name(copy.primal, source.primal, read):
        if copy in returned:
            # it is returned from here on, and keeps this name
            returned.add(source)
        source.primal, copy.primal = copy.primal, None
        return source
    if copy in returned:
        return None
    copy.primal = None
    return source


def _has_the_better_name(primal: Value, other: Value | None, read: set[Value]) -> bool:
    """Tell whether a gradient is better called after `primal`: by a name of the user's, or one that has a line."""
    if other is None or primal.name is not None:
        return other is None or other.name is None
    return other.name is None and primal in read and other not in read
