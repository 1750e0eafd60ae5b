"""What programs do beside numbers: named constants, truth values, text, asserts and prints.

None of it has a gradient. The functions say what a node means; the emitted code has Python's own syntax for them.
"""

from __future__ import annotations

from typing import Any

from flatgrad.markers import stop_gradient
from flatgrad.registry import no_gradient
from flatgrad.rules.shapes import dtype_of_first, elementwise, same


def literal(number: Any) -> Any:
    """A constant that the function gives a name to."""
    return number


def named(x: Any) -> Any:
    """A second name for a value."""
    return x


def conjunction(a: Any, b: Any) -> Any:
    """`a and b` of truth values."""
    return a and b


def disjunction(a: Any, b: Any) -> Any:
    """`a or b` of truth values."""
    return a or b


def assertion(test: Any, message: Any = None) -> None:
    """The statement `assert test, message`."""
    assert test, message


def formatted(*parts: Any) -> str:
    """An f-string; a part is text, or a value with its conversion and its format."""
    return "".join(
        part if isinstance(part, str) else format(_converted(part[0], part[1]), part[2] or "") for part in parts
    )


def _converted(number: Any, conversion: str | None) -> Any:
    return {None: lambda x: x, "r": repr, "s": str, "a": ascii}[conversion](number)


EFFECTS = (assertion, print)

no_gradient(conjunction, disjunction, shape=elementwise)
no_gradient(stop_gradient, shape=same, dtype=dtype_of_first)
