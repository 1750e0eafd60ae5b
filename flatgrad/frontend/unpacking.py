"""Binds names to what an expression gives, and takes tuples and arrays apart. Layer: beside `reader`."""

from __future__ import annotations

import operator
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.reader import IN_PLACE_HINT, Reader
from flatgrad.graph.size import SizeUnknown, resolved
from flatgrad.graph.values import INTEGER, Constant, List, Value
from flatgrad.infer import type_of
from flatgrad.rules.program import literal


def assign(reader: Reader, target: cst.CSTNode, item: Any) -> None:
    """Bind a target to an item; tuples are taken apart."""
    if isinstance(target, cst.Name):
        bind(reader, target.value, item)
    elif isinstance(target, cst.Tuple | cst.List):
        unpack(reader, target, item)
    elif isinstance(target, cst.Subscript):
        reader.fail("an assignment into an array can't be differentiated", target, IN_PLACE_HINT)
    elif isinstance(target, cst.Attribute):
        reader.fail("an assignment to an attribute can't be differentiated", target, "use a local variable")
    else:
        reader.refuse(target)


def unpack(reader: Reader, target: cst.Tuple | cst.List, item: Any) -> None:
    """Bind each target to its part of a tuple, or to a row of an array."""
    elements = target.elements
    starred = [k for k, element in enumerate(elements) if isinstance(element, cst.StarredElement)]
    items = parts(reader, item, target)
    if len(starred) > 1 or len(items) < len(elements) - len(starred) or (not starred and len(items) > len(elements)):
        reader.fail(f"{len(items)} values for {len(elements)} names", target)
    if starred:
        first = starred[0]
        behind = len(elements) - first - 1
        middle = List(items[first : len(items) - behind])
        items = (*items[:first], middle, *items[len(items) - behind :])
    for element, part in zip(elements, items, strict=True):
        assign(reader, element.value, part)


def parts(reader: Reader, item: Any, syntax: cst.CSTNode) -> tuple[Any, ...]:
    """Return the parts of a tuple or list, the sizes of a shape, or the rows of an array whose number is known."""
    if isinstance(item, tuple | str):
        return tuple(item)
    if not isinstance(item, Value):
        reader.value(item, syntax)
    if isinstance(item.known, tuple):
        return sizes(reader, item)
    if isinstance(item, Value) and item.rank:
        rows = resolved(item.shape[0])
        if isinstance(rows, int):
            return tuple([reader.apply(syntax, operator.getitem, item, index=k) for k in range(rows)])
        error = SizeUnknown((rows,))
        error.problem = reader.problem(  # type: ignore[attr-defined]
            "the number of rows to unpack is not known", syntax, "give it a number in the shapes: shapes='x=(3,)'"
        )
        raise error
    return reader.fail("only tuples, shapes and arrays can be unpacked", syntax)


def sizes(reader: Reader, shape: Value) -> tuple[Value, ...]:
    """Return the sizes in an array's shape, all of them made by one node."""
    node = shape.node
    assert node is not None and isinstance(shape.known, tuple)
    unpacked = reader.builder.node(np.shape, node.arguments, [INTEGER] * len(shape.known), form=node.form)
    for value, size in zip(unpacked.outputs, shape.known, strict=True):
        value.known = size
    return unpacked.outputs


def bind(reader: Reader, name: str, item: Any) -> None:
    """Let a variable stand for an item; a new value takes on the variable's name."""
    if not reader.inlined:
        if isinstance(item, int | float) and not isinstance(item, bool):
            item = held(reader, Constant(item, type_of(item)), name)
        elif isinstance(item, Constant):
            if item.name is None:
                item = held(reader, item, name)
        elif isinstance(item, Value):
            if item.name is None and item.node is not None:
                item.name = name
            else:
                reader.shared.add(item)
    reader.variables[name] = item


def bind_element(reader: Reader, target: cst.CSTNode, item: Any) -> None:
    """Bind the target of a loop to what a turn gets; a number that is known stays the number."""
    if isinstance(target, cst.Name):
        if isinstance(item, Value):
            item.name = item.name or target.value
            if not item.rank:
                # an element of an array is a number, and so is a counter
                reader.numbers.add(item)
        reader.variables[target.value] = item
    elif (
        isinstance(target, cst.Tuple | cst.List)
        and isinstance(item, tuple)
        and len(target.elements) == len(item)
        and not any(isinstance(element, cst.StarredElement) for element in target.elements)
    ):
        for element, part in zip(target.elements, item, strict=True):
            bind_element(reader, element.value, part)
    else:
        assign(reader, target, item)


def held(reader: Reader, number: Constant, name: str | None) -> Constant:
    """Return a constant that the function itself holds in a variable, by a line of its own."""
    if number.node is not None:
        number.name = name
        return number
    node = reader.builder.node(literal, {"number": number}, [])
    constant = Constant(number.number, number.type, name)
    constant.node = node
    node.outputs = (constant,)
    return constant
