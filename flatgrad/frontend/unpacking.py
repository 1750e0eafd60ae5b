"""Binds names to what an expression gives, and takes tuples and arrays apart. Layer: beside `reader`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.iterators import DictView, LazyIterator, rest_of, seen
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.reader import Reader, is_list
from flatgrad.frontend.special_methods import gone_through
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Dict, List, Record
from flatgrad.graph.size import SizeUnknown, resolved
from flatgrad.graph.values import INTEGER, Constant, Value
from flatgrad.infer import type_of
from flatgrad.rules.program import literal

# how a target that is no name and no tuple is assigned, by its syntax class
Assigning = Callable[[Reader, Any, Any], None]
TARGETS: dict[type[cst.CSTNode], Assigning] = {}


def assigns(*classes: type[cst.CSTNode]) -> Callable[[Assigning], Assigning]:
    """Enter the decorated function into TARGETS as what assigns to these syntax classes."""

    def enter(function: Assigning) -> Assigning:
        TARGETS.update(dict.fromkeys(classes, function))
        return function

    return enter


def assign(reader: Reader, target: cst.CSTNode, item: Any) -> None:
    """Bind a target to an item; tuples are taken apart."""
    if isinstance(target, cst.Name):
        bind(reader, target.value, item)
    elif isinstance(target, cst.Tuple | cst.List):
        unpack(reader, target, item)
    elif type(target) in TARGETS:
        TARGETS[type(target)](reader, target, item)
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
        middle.ref = Ref()
        items = (*items[:first], middle, *items[len(items) - behind :])
    for element, part in zip(elements, items, strict=True):
        assign(reader, element.value, part)


def parts(reader: Reader, item: Any, syntax: cst.CSTNode) -> tuple[Any, ...]:
    """Return what going through an item gives: of a dict its keys, of a shape its sizes, of an array its rows.

    An iterator is at its end then. Raises SizeUnknown for an array whose number of rows is not known.
    """
    item = gone_through(reader, item, syntax)
    if isinstance(item, LazyIterator):
        return rest_of(reader, item, syntax)
    if isinstance(item, DictView):
        return seen(reader, item)
    if isinstance(item, Dict):
        return item.keys
    if isinstance(item, frozenset):
        return _ordered(reader, item, syntax)
    if isinstance(item, tuple | str | range):
        return tuple(item)
    if not isinstance(item, Value):
        reader.fail(f"{described(item)} can't be gone through", syntax)
    if isinstance(item.known, tuple):
        return sizes(reader, item)
    if is_list(item):
        hint = "go through it with a loop, or make an array of it: np.array(...)"
        reader.need_items("how many items this list has is known at run time only", syntax, hint)
    if item.rank:
        rows = resolved(item.shape[0])
        if isinstance(rows, int):
            return tuple([reader.apply(syntax, operator.getitem, item, index=k) for k in range(rows)])
        error = SizeUnknown((rows,))
        error.problem = reader.problem(  # type: ignore[attr-defined]
            "the number of rows to go through is not known", syntax, "give it a number in the shapes: shapes='x=(3,)'"
        )
        raise error
    return reader.fail("a number can't be gone through", syntax)


def _ordered(reader: Reader, items: frozenset[Any], syntax: cst.CSTNode) -> tuple[Any, ...]:
    """Return the only item of a set: the order of several may differ from one run of Python to the next."""
    if len(items) > 1:
        reader.fail("the order of the items of a set is not known", syntax, "use sorted(...), or a list")
    return tuple(items)


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
            if item in reader.unnamed and not reader.unrolled:
                # the user's name for it, instead of one made of its place
                item.name = name
                reader.unnamed.discard(item)
            if item.name is None and item.node is not None:
                item.name = name
        elif isinstance(item, Dict):
            for key, part in item.items.items():
                name_part(reader, name, key, part)
        elif isinstance(item, tuple) and not isinstance(item, Record):
            for position, part in enumerate(item):
                name_part(reader, name, position, part)
    elif isinstance(item, Value):
        call_step(reader, name, item)
    reader.variables[name] = item


def call_step(reader: Reader, name: str, item: Value) -> None:
    """Note what a rule calls a step of the backward pass; its parameters and their gradients have names of the user's."""
    is_step = item.node is not None and item.node.forward is not None
    if is_step and item.called is None and name not in reader.given:
        item.called = name


def name_part(reader: Reader, name: str, key: Any, item: Any) -> None:
    """Name a value that is a part of a container after the variable that holds it: `hs[0]` becomes `hs_0`."""
    if not isinstance(item, Value) or item.name is not None or item.node is None or isinstance(item, Constant):
        return
    keys = key if isinstance(key, tuple) else (key,)
    joined = "_".join([name, *map(str, keys)])
    if not reader.inlined and joined.isidentifier() and joined not in reader.own_names:
        item.name = joined


def bind_element(reader: Reader, target: cst.CSTNode, item: Any) -> None:
    """Bind the target of a loop to what a turn gets; a number that is known stays the number."""
    if isinstance(target, cst.Name):
        if isinstance(item, Value) and not reader.inlined:
            if not item.rank and item.node is None and item.name is None:
                # an element of an array is a number, and so is a counter
                reader.numbers.add(item)
            item.name = item.name or target.value
        reader.variables[target.value] = item
    elif (
        isinstance(target, cst.Tuple | cst.List)
        and type(item) in (tuple, List)
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
