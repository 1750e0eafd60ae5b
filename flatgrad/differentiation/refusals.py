"""What can't be differentiated although it can be read: whole numbers, complex numbers under a rule for real ones, inputs without a rule.

In: a node that a gradient has come to. Out: nothing, or an error at its place in the user's source. Layer: above `registry`, below
`differentiate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flatgrad.errors import Problem, UnsupportedError
from flatgrad.frontend.wording import called
from flatgrad.graph.containers import leaves
from flatgrad.graph.size import SizeUnknown
from flatgrad.graph.values import Node, Value, problem_at
from flatgrad.registry import Record

_OWN_CODE = str(Path(__file__).parents[1])


def refuse_whole_numbers(node: Node, gradients: Mapping[Value, Value]) -> None:
    """Raise for a whole number that has a gradient."""
    for output in node.outputs:
        if output in gradients and not output.type.is_differentiable:
            message = f"the gradient passes through whole numbers here ({output.type})"
            hint = "convert to floats first, x.astype(float), or leave the whole number out of wrt"
            place = node.location
            raise UnsupportedError(problem_at(place, message, hint))


def refuse_complex(node: Node, record: Record) -> None:
    """Raise for a complex number where the rule is right for real numbers only."""
    if not record.holomorphic and any(value.dtype.kind == "c" for value in (*node.inputs, *node.outputs)):
        message = f"the gradient of {called(node.function)} has a rule for real numbers only, not for complex ones"
        raise UnsupportedError(problem_at(node.location, message, "take .real, .imag or np.abs before"))


def refuse_unknown(node: Node, record: Record, arguments: Mapping[str, Any], sources: Mapping[Value, None]) -> None:
    """Raise for an input whose gradient is wanted, and not known."""
    for name in record.unknown:
        if any(leaf in sources for leaf in leaves(arguments.get(name))):
            message = f"the gradient of {called(node.function)} by `{name}` is not known"
            hint = f"leave what `{name}` is computed from out of wrt, or write a number"
            raise UnsupportedError(problem_at(node.location, message, hint))


def note_place(error: SizeUnknown, node: Node) -> None:
    """Note where an error comes from that the caller may be able to mend by giving numbers.

    That is a place of the user's code, not the line of a rule.
    """
    problem: Problem | None = getattr(error, "problem", None)
    if node.location is not None and (problem is None or problem.file.startswith(_OWN_CODE)):
        hint = "give numbers for the sizes: shapes='x=(10,)'"
        error.problem = node.location.problem(f"the gradient {error}", hint)  # type: ignore[attr-defined]
