"""Loops over the rows of an array that they change: the rows are read by their numbers, as views of what the array holds then.

In: what a loop goes through. Out: the same by numbers, and the elements of a turn. Layer: above `iterables`, below `carried`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import libcst as cst

from flatgrad.frontend.iterables import Iterable
from flatgrad.frontend.reader import Reader
from flatgrad.graph.values import Value
from flatgrad.rules.creation import size_of_axis


@dataclass(frozen=True)
class Numbered(Iterable):
    """The numbers of the rows of `array`, which stand for the rows."""

    array: Any = None


def arrays_of(source: Iterable) -> Iterator[Value]:
    """Yield the arrays whose rows a loop gets, in the order of its elements."""
    if source.word == "rows":
        yield source.values[0]
    for part in source.parts:
        yield from arrays_of(part)


def numbered(reader: Reader, source: Iterable, is_changed: Callable[[Value], bool]) -> Iterable:
    """Return what a loop goes through, with numbers for the rows of the arrays that it changes."""
    if source.word == "rows" and is_changed(source.values[0]):
        array = source.values[0]
        return Numbered("range", (0, reader.builder.apply(size_of_axis, array, 0), 1), array=array)
    if not any(is_changed(array) for array in arrays_of(source)):
        return source
    return replace(source, parts=tuple([numbered(reader, part, is_changed) for part in source.parts]))


def element_of(reader: Reader, source: Iterable, element: Any, syntax: cst.CSTNode) -> Any:
    """Return what a turn gets: numbers that stand for rows are replaced by these."""
    if isinstance(source, Numbered):
        return reader.apply(syntax, operator.getitem, source.array, index=element)
    if source.word == "enumerate":
        return (element[0], element_of(reader, source.parts[0], element[1], syntax))
    if source.word == "reversed":
        return element_of(reader, source.parts[0], element, syntax)
    if source.word == "zip":
        pairs = zip(source.parts, element, strict=True)
        return tuple([element_of(reader, part, inner, syntax) for part, inner in pairs])
    return element
