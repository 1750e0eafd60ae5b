"""Reads calls of the functions of the `operator` module: they do what the operators do. Fills CALLS. Layer: above `calls`."""

from __future__ import annotations

import operator
from typing import Any

import libcst as cst

from flatgrad.frontend.attributes import attribute
from flatgrad.frontend.builtin_calls import arguments_of
from flatgrad.frontend.call_tables import CALLS, GETTERS, calls
from flatgrad.frontend.containers import contains
from flatgrad.frontend.expressions import BINARY, operation
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.subscripts import item_of_any


def _operator(function: Any) -> None:
    def read(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
        return operation(reader, syntax, function, *arguments_of(reader, args, kwargs, ("a", "b"), syntax, 2))

    CALLS[function] = read


for _function in BINARY.values():
    _operator(_function)


@calls(operator.getitem)
def read_getitem(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, index = arguments_of(reader, args, kwargs, ("a", "b"), syntax, 2)
    return item_of_any(reader, owner, index, syntax)


@calls(operator.contains)
def read_contains(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, item = arguments_of(reader, args, kwargs, ("a", "b"), syntax, 2)
    return contains(reader, owner, item, syntax)


def _item_getter(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what an operator.itemgetter picks: an item, or a tuple of several."""
    getter, owner = arguments_of(reader, args, kwargs, ("self", "obj"), syntax, 2)
    found = tuple([item_of_any(reader, owner, index, syntax) for index in getter.__reduce__()[1]])
    return found[0] if len(found) == 1 else found


def _attribute_getter(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what an operator.attrgetter picks: an attribute, or a tuple of several."""
    getter, owner = arguments_of(reader, args, kwargs, ("self", "obj"), syntax, 2)
    found = []
    for path in getter.__reduce__()[1]:
        item = owner
        for name in path.split("."):
            item = attribute(reader, item, name, syntax)
        found.append(item)
    return found[0] if len(found) == 1 else tuple(found)


GETTERS[operator.itemgetter] = _item_getter
GETTERS[operator.attrgetter] = _attribute_getter
