"""The parts of a table's key: what the code for a call depends on in each argument.

In: an argument. Out: what is equal for arguments that the same code is for. Layer: above `world`, below `lookup`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from flatgrad.functions.world import Meaning
from flatgrad.parts import flat, is_function, is_static_argument

# functions that are looked at with little work when they come again; they are kept alive
KEPT_FUNCTIONS = 32


def kind_of(argument: Any, asked: frozenset[str]) -> Any:
    """Return the part of the key for an argument: shape and dtype, or the type of a number, or a value.

    `asked` are names that may be asked of the objects that a function leads to.
    """
    kind = type(argument)
    if kind is np.ndarray:
        return (argument.shape, argument.dtype)
    if isinstance(argument, np.ndarray):
        return (argument.shape, argument.dtype, kind)
    if isinstance(argument, np.generic):
        return ((), argument.dtype)
    if is_static_argument(argument):
        return _static_kind(argument, asked)
    return kind


def number_of(argument: Any, asked: frozenset[str]) -> Any:
    """Return the same for an argument whose number has decided what was written."""
    return (type(argument), repr(argument)) if isinstance(argument, int | float) else kind_of(argument, asked)


def functions_in(arguments: Iterable[Any]) -> Iterator[Any]:
    """Yield the functions among arguments, those in tuples too."""
    return (
        part for argument in arguments if is_static_argument(argument) for part in flat(argument) if is_function(part)
    )


def names_asked_by(function: Any, asked: frozenset[str]) -> frozenset[str]:
    """Return the names that may be asked of objects, with those that a function asks for."""
    return _watched(function, asked).meaning.names


def _static_kind(argument: Any, asked: frozenset[str]) -> Any:
    kind = type(argument)
    if isinstance(argument, tuple):
        return (kind, *(_static_kind(part, asked) for part in argument))
    if isinstance(argument, int | float):
        # 1, 1.0 and True are equal
        return (kind, repr(argument))
    if is_function(argument):
        return (kind, _watched(argument, asked).digest())
    return (kind, argument)


class _Watched:
    """A function, with what it stands for now."""

    __slots__ = ("function", "meaning")

    def __init__(self, function: Any, asked: frozenset[str]) -> None:
        self.function = function
        self.meaning = Meaning(function, asked)

    def digest(self) -> str:
        """Return a digest that is the same for another function that does the same, such as a lambda that is made anew."""
        meaning = self.meaning
        if not meaning.is_current():
            meaning = self.meaning = Meaning(self.function, meaning.names)
        return meaning.digest


@lru_cache(maxsize=KEPT_FUNCTIONS)
def _watched(function: Any, asked: frozenset[str]) -> _Watched:
    return _Watched(function, asked)
