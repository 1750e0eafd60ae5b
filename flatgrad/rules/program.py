"""What programs do beside numbers: named constants, truth values, text, asserts and prints.

None of it has a gradient. The functions say what a node means; the emitted code has Python's own syntax for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flatgrad.graph.regions import accumulated
from flatgrad.markers import stop_gradient
from flatgrad.registry import Sample, no_gradient, real, rule
from flatgrad.rules.shapes import elementwise, same


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
    converters: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}
    return number if conversion is None else converters[conversion](number)


EFFECTS = (assertion, print, accumulated)


def _type_of_first(x: Any) -> tuple[np.dtype[Any], bool]:
    return x.dtype, x.type.weak


@rule(named, shape=same, dtype=_type_of_first, samples=[Sample(real(2, 3)), Sample(real())], linear=True, view=True)
def grad_named(x, y, grad_y):
    grad_x = grad_y
    return grad_x


no_gradient(conjunction, disjunction, shape=elementwise)
no_gradient(stop_gradient, shape=same, dtype=_type_of_first, view=True)
