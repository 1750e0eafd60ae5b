"""What programs do beside numbers: named constants, truth values, text, asserts, prints, `with`, `try` and `raise`.

None of it has a gradient. The functions say what a node means; the emitted code has Python's own syntax for them.

A block is a run of nodes between two marks. What stands in it belongs to the graph around it; no gradient line does:

    entered(manager, name)      ...      closed()                                           with manager as name: ...
    tried()    ...    caught(kinds, name), a branch on that    ...    closed()              try: ... except kinds as name: ...
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
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
    """An f-string; a part is text, or a value with its conversion and its format, which may have such parts itself."""
    return "".join(part if isinstance(part, str) else _shown(*part) for part in parts)


def _shown(number: Any, conversion: str | None, spec: Any) -> str:
    return format(_converted(number, conversion), formatted(*spec) if isinstance(spec, tuple) else spec or "")


def _converted(number: Any, conversion: str | None) -> Any:
    converters: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}
    return number if conversion is None else converters[conversion](number)


def filled(text: str, values: Any) -> str:
    """The text `text % values`."""
    return str(text % values)


def concatenated(first: str, second: str) -> str:
    """The text `first + second`."""
    return first + second


@dataclass(frozen=True, slots=True)
class Member:
    """Something of a module that the program uses and that is not read: the emitted code imports it.

    `name` may have dots: of `numpy`, `random.rand`. `maker` is the function that has made it, where its methods are known by that.
    """

    module: str
    name: str
    maker: str = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        found: Any = importlib.import_module(self.module)
        for part in self.name.split("."):
            found = getattr(found, part)
        return found(*args, **kwargs)


@dataclass(frozen=True, slots=True)
class Made:
    """An object that a call with known arguments makes, such as a logger: it is made again in the emitted module."""

    function: Member
    args: tuple[Any, ...] = ()


def made(function: Any, *args: Any, **kwargs: Any) -> Any:
    """An object that is made where it is used: an exception that is raised, a context manager that is entered."""
    return function(*args, **kwargs)


def performed(function: Any, *args: Any, **kwargs: Any) -> Any:
    """A call that is kept as it is, once and in its place: what it returns differs from call to call, or it returns nothing."""
    return function(*args, **kwargs)


def performed_by(owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    """A call of a method that is kept as it is, as `performed`."""
    return getattr(owner, name)(*args, **kwargs)


def looked_up(owner: Any, name: str) -> Any:
    """An attribute of an object, which may differ from time to time."""
    return getattr(owner, name)


def raised(exception: Any = None, cause: Any = None) -> None:
    """The statement `raise exception from cause`."""
    raise exception from cause


def entered(manager: Any) -> None:
    """The head of a `with` block; an output is the name behind `as`."""


def tried() -> None:
    """The head of a `try` block."""


def caught(kinds: Any) -> bool:
    """Where an exception is caught: a branch on it holds what is done then. A second output is the name behind `as`."""
    return False


def otherwise() -> None:
    """The head of what follows a `try` without an exception."""


def ended() -> None:
    """The head of what follows a `try` in any case."""


def closed() -> None:
    """The end of a `with` or `try` block."""


# what begins a part of a block
PARTS = frozenset({caught, otherwise, ended})
BLOCKS = frozenset({entered, tried, closed}) | PARTS
# what can be seen from outside, so that to run it twice is not to run it once
SEEN = frozenset({print, performed, performed_by, looked_up, entered})
EFFECTS = frozenset({assertion, print, accumulated, performed, performed_by, looked_up, raised}) | BLOCKS


def _type_of_first(x: Any) -> tuple[np.dtype[Any], bool]:
    return x.dtype, x.type.weak


@rule(named, shape=same, dtype=_type_of_first, samples=[Sample(real(2, 3)), Sample(real())], linear=True, view=True)
def grad_named(x, y, grad_y):
    grad_x = grad_y
    return grad_x


no_gradient(conjunction, disjunction, shape=elementwise)
no_gradient(stop_gradient, shape=same, dtype=_type_of_first, view=True)
