"""Lists that grow while a loop runs, whose length is known at run time only: `hs = []`, `hs.append(h)`, `np.stack(hs)`.

In: a list whose items a loop adds to. Out: a value for the whole list, which the loop carries as it does an array. All its elements
have one shape and dtype. Layer: above `joining`, below `carried`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from flatgrad.frontend.iterables import Iterable
from flatgrad.frontend.joining import NUMBERS, as_value, joined_type
from flatgrad.frontend.list_values import relate
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.unsettled import EqualityUnknown
from flatgrad.graph.containers import List
from flatgrad.graph.size import Size, plus, symbolic, times
from flatgrad.graph.values import Graph, Type, Value
from flatgrad.rules.listing import appended, listed


def as_growing(reader: Reader, key: Any, before: Any, after: Any) -> bool:
    """Let a list that a turn of a loop has added to be a value. Return False, with nothing done, where it can't be one."""
    if not reader.may_grow or not isinstance(key, Ref) or not isinstance(before, List) or not isinstance(after, List):
        return False
    if len(after) <= len(before) or not all(isinstance(item, NUMBERS) for item in after):
        return False
    element = _type_of_elements([as_value(item).type for item in after])
    if element is None:
        return False
    type = Type(element.dtype, (len(before), *element.shape), is_list=True)
    root = reader.builder.node(listed, {"items": tuple(before)}, [type]).output
    held = [
        name
        for name, item in reader.variables.items()
        if getattr(item, "ref", None) is key and not name.startswith("__")
    ]
    root.name = held[0] if held else None
    for item in before:
        relate(reader, root, item)
    reader.memory[key] = root
    return True


def of_any_length(type: Type) -> Type:
    """Return a type as a turn of a loop finds it: a list may have got longer."""
    return replace(type, shape=(symbolic(may_be_one=True), *type.shape[1:])) if type.is_list else type


def _type_of_elements(types: Sequence[Type]) -> Type | None:
    """Return the type of all elements of a list; None where there is none, or where it can't be told whether there is."""
    element: Type | None = types[0]
    for each in types[1:]:
        try:
            element = None if element is None else joined_type(element, each)
        except EqualityUnknown:
            return None
    return element


def length_behind(source: Iterable | None, body: Graph, parameter: Value, result: Value, start: Value | None) -> Size:
    """Return how many elements a list has behind a loop: in each turn of it, it gets as many more."""
    more = 0
    value = result
    while value is not parameter:
        if value.node is None or value.node.function is not appended or value.node not in body.nodes:
            return symbolic(may_be_one=True)
        more, value = more + 1, value.node.inputs[0]
    turns = None if source is None else source.length
    if turns is None or start is None:
        return symbolic(may_be_one=True)
    return plus(start.shape[0], times(turns, more))
