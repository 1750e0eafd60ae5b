"""Gives the gradients back their names whose variables have a line of their own after all.

    before: t0 = x / c; t1 = np.sqrt(1 + t0**2); grad_x = grad_y / (2 * t1) * 2 * t0 / c
    after:  t0 = x / c; t1 = np.sqrt(1 + t0**2); grad_t0 = grad_y / (2 * t1) * 2 * t0; grad_x = grad_t0 / c

In: a joint graph. Out: the same, where a reader can follow the gradients line by line. Layer: passes, compact style, behind
all that makes unnamed steps.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.values import Graph, Value

# more forward lines than this in one expression are hard to follow
MOST_LINES = 1


def restore_steps(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Undo `merge_steps` where an expression would lead through more than `MOST_LINES` lines of the forward pass."""
    read = {value for node in graph.nodes if node.forward is not None for value in node.inputs}
    has_gradient = {value.primal for value in graph.values() if value.primal is not None}
    lines: dict[Value, int] = {}
    for node in graph.nodes:
        if node.forward is None or len(node.outputs) != 1:
            continue
        value = node.output
        crossed = max((lines.get(operand, 0) for operand in node.inputs if operand.primal is None), default=0)
        if value.primal is None and value.step_of in read and value.step_of not in has_gradient:
            if crossed == MOST_LINES:
                value.primal = value.step_of
                has_gradient.add(value.primal)
            else:
                crossed += 1
        lines[value] = crossed
    return list(results)
