"""The arguments of a call: which are known when the code is written, and which become parameters of a graph.

In: the items of a function's parameters. Out: values of the caller, parameters that stand for them, and items made of these.
Layer: above `known`, below `bodies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flatgrad.frontend.known import is_static
from flatgrad.frontend.leaf_names import Path, leaf_names, parts_by_key
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.graph.containers import Record, leaves, mapped, rebuilt
from flatgrad.graph.size import resolved
from flatgrad.graph.values import Constant, Value
from flatgrad.infer import type_of
from flatgrad.rules.creation import size_of_axis


@dataclass(slots=True)
class Inputs:
    """The arguments of a call that are known at run time only, and the parameters of a graph that stand for them.

    Of the arguments, constants whose number is in `static` are known when the code is written.
    """

    static: frozenset[int]
    values: list[Value] = field(default_factory=list)
    parameters: list[Value] = field(default_factory=list)
    # the places of each parameter's values among them
    places: dict[str, range] = field(default_factory=dict)
    # the parameters that stand for parts of objects and dicts
    parts: set[Value] = field(default_factory=set)

    def items(self, reader: Reader, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the items with parameters in place of values."""
        items = {}
        names = leaf_names(given)
        for name, item in given.items():
            start = len(self.values)
            items[name] = self._item(reader, names, (name,), item)
            self.places[name] = range(start, len(self.values))
        return items

    def _item(self, reader: Reader, names: Mapping[Path, str], path: Path, item: Any, owner: Any = None) -> Any:
        parts = parts_by_key(item)
        if parts is not None:
            inner = {key: self._item(reader, names, (*path, key), part, item) for key, part in parts.items()}
            return rebuilt(item, inner.values())
        name = names[path]
        if isinstance(item, Value) and isinstance(item.known, tuple) and not isinstance(item, Constant):
            item = sizes_of(reader, item)
        if isinstance(item, tuple) and not is_static(item):
            count = iter(range(len(list(leaves(item)))))
            return mapped(item, lambda leaf: self._leaf(reader, f"{name}{next(count)}", leaf, in_tuple=True))
        if isinstance(item, np.ndarray):
            item = Constant(item, type_of(item))
        if isinstance(item, tuple):
            return mapped(item, detached)
        # a whole number in a container is likely a size, or a choice
        in_tuple = isinstance(path[-1], int) or (owner is not None and isinstance(item, int))
        in_tuple = in_tuple or (isinstance(owner, Record) and not isinstance(item, Value))
        made = self._leaf(reader, name, item, in_tuple=in_tuple)
        if len(path) > 1:
            self.parts.update(self.parameters[-1:])
        return made

    def _leaf(self, reader: Reader, name: str, item: Any, *, in_tuple: bool) -> Any:
        if isinstance(item, int | float) and not isinstance(item, bool) and not in_tuple:
            item = Constant(item, type_of(item))
        is_constant = isinstance(item, Constant)
        if not isinstance(item, Value) or (is_constant and (in_tuple or item.type.dtype.kind == "b")):
            return detached(item)
        self.values.append(reader.current(item))
        known = None if is_constant else item.known
        parameter = Value(item.type, name, known=known)
        self.parameters.append(parameter)
        if is_number(reader, item):
            reader.numbers.add(parameter)
        if len(self.values) - 1 not in self.static:
            return parameter
        if isinstance(item, Constant):
            return item.number if item.type.weak else detached(item)
        # a size whose number is known by now stands for that
        return number_of(item)

    def settle(self) -> frozenset[int]:
        """Return the arguments that are static, with all those among them that are whole numbers in the program."""
        whole = {
            number
            for number, value in enumerate(self.values)
            if isinstance(value, Constant) and value.type.weak and value.type.dtype.kind == "i"
        }
        return self.static | whole

    def dynamic(self) -> tuple[list[Value], list[Value]]:
        """Return the values that are known at run time only, and their parameters."""
        chosen = [number for number in range(len(self.values)) if number not in self.static]
        return [self.values[number] for number in chosen], [self.parameters[number] for number in chosen]


def sizes_of(reader: Reader, shape: Value) -> tuple[Any, ...]:
    """Return the sizes in an array's shape, one by one."""
    assert shape.node is not None and isinstance(shape.known, tuple)
    (array,) = shape.node.arguments.values()
    return tuple([reader.builder.apply(size_of_axis, array, axis) for axis in range(len(shape.known))])


def number_of(value: Value) -> int | None:
    """Return the number that a size is known to be."""
    known = value.known
    number = None if known is None or isinstance(known, tuple) else resolved(known)
    return number if isinstance(number, int) else None


def detached(item: Any) -> Any:
    """Return a constant that a line of the caller makes as one that needs no line; anything else as it is."""
    if isinstance(item, Constant) and item.node is not None:
        return Constant(item.number, item.type, text=item.text)
    return item
