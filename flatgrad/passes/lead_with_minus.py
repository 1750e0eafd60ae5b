"""Moves a minus out of a sum, where it may meet another one.

    before: grad_mean = np.sum(-grad_x, axis=0)
    after:  grad_mean = -np.sum(grad_x, axis=0)

In: a joint graph. Out: the same numbers, but for the sign of a sum that is zero. Layer: passes.
"""

from __future__ import annotations

from collections.abc import Sequence

from flatgrad.graph.values import Graph, Value
from flatgrad.passes.simplify import EQUATIONS, apply_equations

SUM_OF_NEGATED = "np.sum(-x, axis=axis, keepdims=keepdims) = -np.sum(x, axis=axis, keepdims=keepdims)"


def lead_with_minus(graph: Graph, results: Sequence[Value]) -> list[Value]:
    """Apply the equation for sums, and again those that are exact."""
    return apply_equations(graph, results, (*EQUATIONS, SUM_OF_NEGATED))
