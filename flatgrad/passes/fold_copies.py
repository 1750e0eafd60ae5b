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

    def change(builder: Builder, node: Node) -> Value | None:
        return _folded(node, returned) if node.function is named else None

    return rewrite(graph, results, change)


def _folded(node: Node, returned: set[Value]) -> Value | None:
    copy, source = node.output, node.inputs[0]
    if copy.primal is None:
        return source
    may_be_renamed = is_backward(source) and not isinstance(source, Constant) and source not in returned
    if may_be_renamed and copy.primal.name is not None and (source.primal is None or source.primal.name is None):
        if copy in returned:
            # it is returned from here on, and keeps this name
            returned.add(source)
        source.primal, copy.primal = copy.primal, None
        return source
    if copy in returned:
        return None
    copy.primal = None
    return source
