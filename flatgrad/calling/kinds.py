"""The parts of a table's key: what the code for a call depends on in each argument.

In: an argument. Out: what is equal for arguments that the same code is for. Layer: above `world`, below `lookup`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from flatgrad.functions.world import Meaning
from flatgrad.parts import attributes_of, check_depth, classes_in, flat, is_function, is_static_argument

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
    if kind is float or kind is int:
        return kind
    if is_static_argument(argument):
        return _static_kind(argument, asked)
    return _kind_of_container(argument, asked, 0)


def _kind_of_container(argument: Any, asked: frozenset[str], depth: int) -> Any:
    """Return the part of the key for a container: its class, its keys, and the same of its parts."""
    check_depth(argument, depth)
    kind: Any = type(argument)
    if kind is dict:
        return (dict, tuple(argument), *[_kind_of_part(part, asked, depth) for part in argument.values()])
    if kind is list or kind is tuple:
        return (kind, *[_kind_of_part(part, asked, depth) for part in argument])
    attributes = attributes_of(argument)
    if attributes is None:
        return kind
    parts = [_kind_of_part(part, asked, depth) for part in attributes.values()]
    return (kind, _watched(kind, asked).digest(), tuple(attributes), *parts)


def _kind_of_part(part: Any, asked: frozenset[str], depth: int) -> Any:
    """Return the part of the key for a part of a container: of a whole number, its value."""
    kind = type(part)
    if kind is np.ndarray:
        return (part.shape, part.dtype)
    if kind is float:
        return float
    if kind is int:
        return (int, part)
    if kind is dict or kind is list:
        return _kind_of_container(part, asked, depth + 1)
    if isinstance(part, np.ndarray | np.generic) or is_static_argument(part):
        return kind_of(part, asked)
    return (kind, repr(part)) if isinstance(part, int) else _kind_of_container(part, asked, depth + 1)


def number_of(argument: Any, asked: frozenset[str]) -> Any:
    """Return the same for an argument whose number has decided what was written, or how it lies in memory."""
    if isinstance(argument, int | float):
        return (type(argument), repr(argument))
    if isinstance(argument, np.ndarray):
        return (kind_of(argument, asked), argument.flags.c_contiguous)
    numbers = tuple(
        repr(part) if isinstance(part, float) else part.flags.c_contiguous
        for part in flat(argument)
        if isinstance(part, float | np.ndarray)
    )
    return (kind_of(argument, asked), numbers) if numbers else kind_of(argument, asked)


def functions_in(arguments: Iterable[Any]) -> Iterator[Any]:
    """Yield the functions among arguments, those in containers too, and the classes of objects."""
    for argument in arguments:
        yield from classes_in(argument)
        yield from (part for part in flat(argument) if is_function(part))


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
