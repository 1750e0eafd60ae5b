"""Keys of items: equal where reading a function with one item or the other gives the same graph.

In: items. Out: objects that can be hashed and compared. Layer: above `callees`.
"""

from __future__ import annotations

import functools
from typing import Any

from flatgrad.frontend.callees import LocalFunction, callee_of
from flatgrad.frontend.static_objects import Partial
from flatgrad.graph.containers import Dict, Record, Slice
from flatgrad.graph.size import resolved
from flatgrad.graph.values import Constant, Type, Value
from flatgrad.hashing import hashed


def key_of(item: Any, seen: tuple[Any, ...] = ()) -> Any:
    """Return the key of an item; of a value, what is known of it when the code is written."""
    if isinstance(item, Constant):
        return ("number", *_number(item))
    if isinstance(item, Value):
        return ("value", _type(item.type), None if isinstance(item.known, tuple) else _known(item))
    if isinstance(item, Record):
        return ("object", Same(item.kind), item.names, *(key_of(part, seen) for part in item))
    if isinstance(item, Dict):
        return ("Dict", key_of(item.keys), *(key_of(part, seen) for part in item))
    if isinstance(item, tuple):
        return (type(item).__name__, *(key_of(part, seen) for part in item))
    if isinstance(item, dict):
        return ("dict", *((name, key_of(part, seen)) for name, part in item.items()))
    if isinstance(item, Slice):
        return ("slice", *(key_of(part, seen) for part in (item.start, item.stop, item.step)))
    if isinstance(item, int | float | str | None):
        return (type(item).__name__, repr(item))
    if isinstance(item, LocalFunction):
        if any(item is other for other in seen):
            return "the function itself"
        callee = callee_of(item)
        free = tuple(key_of(part, (*seen, item)) for part in callee.free.values())
        return ("function", callee.identity, key_of(tuple(item.defaults.values()), seen), free)
    if isinstance(item, Partial | functools.partial):
        function: Any = item.func if isinstance(item, functools.partial) else item.function
        keywords = item.keywords if isinstance(item, functools.partial) else item.kwargs
        return ("partial", key_of(function, seen), key_of(tuple(item.args), seen), key_of(dict(keywords), seen))
    return ("object", Same(item))


class Same:
    """An object that is equal to itself only."""

    __slots__ = ("item",)

    def __init__(self, item: Any) -> None:
        self.item = item

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and (self.item is other.item)

    def __hash__(self) -> int:
        return id(self.item)


def _number(constant: Constant) -> tuple[Any, ...]:
    if constant.type.weak:
        return (type(constant.number).__name__, repr(constant.number))
    return (_type(constant.type), hashed(constant.number.tobytes()))


def _type(known: Type) -> tuple[Any, ...]:
    return (known.dtype.str, known.weak, tuple(map(resolved, known.shape)))


def _known(value: Value) -> Any:
    return None if value.known is None or isinstance(value.known, tuple) else resolved(value.known)
