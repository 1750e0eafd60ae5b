"""Lets the gradient of a subexpression be part of the expression that uses it.

    before: grad_t0 = np.full_like(t0, grad_f); grad_q = grad_t0 * 2 * q
    after:  grad_q = np.full_like(t0, grad_f) * 2 * q

In: a joint graph. Out: the same, where a gradient with one use is nobody's gradient if its variable has no name of the
user's; the passes behind see an unnamed step there. Layer: passes, compact style.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.values import Graph, Value, uses_of


def merge_steps(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Take the gradients of unnamed variables for unnamed steps; the results stay as they are."""
    returned = set(results)
    uses = uses_of(graph.nodes)
    for node in graph.nodes:
        for value in () if node.bodies else node.outputs:
            primal = value.primal
            if primal is not None and primal.name is None and uses.get(value, 0) <= 1 and value not in returned:
                value.primal, value.step_of = None, primal
    return list(results)
