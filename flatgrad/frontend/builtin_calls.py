"""Reads calls of builtins on containers: len, list, sum, max, sorted, all and their like. Fills CALLS. Layer: above `calls`."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.call_tables import calls
from flatgrad.frontend.calls import call
from flatgrad.frontend.classes import is_subclass
from flatgrad.frontend.containers import is_plain, known_key, mapping_of, new_dict, new_list, same_item
from flatgrad.frontend.expressions import operation
from flatgrad.frontend.iterators import DictView, LazyIterator, seen
from flatgrad.frontend.known import as_number, is_static, plain, static_call
from flatgrad.frontend.objects import told
from flatgrad.frontend.passing import is_object
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader, is_list
from flatgrad.frontend.special_methods import compared
from flatgrad.frontend.truth import condition, decided
from flatgrad.frontend.unpacking import parts
from flatgrad.graph.containers import Dict, List, Record, Slice
from flatgrad.graph.values import Constant, Value
from flatgrad.rules.program import conjunction, disjunction

NOT_GIVEN = object()


def arguments_of(
    reader: Reader, args: list[Any], kwargs: dict[str, Any], names: tuple[str, ...], syntax: cst.CSTNode, least: int = 1
) -> list[Any]:
    """Return the arguments of a call in the order of their names; NOT_GIVEN for those that are left out."""
    given = dict(zip(names, args, strict=False))
    unknown = [name for name in kwargs if name not in names or name in given]
    if len(args) > len(names) or unknown or any(name not in given and name not in kwargs for name in names[:least]):
        reader.fail(f"such arguments do not fit: it takes {', '.join(names)}", syntax)
    return [given.get(name, kwargs.get(name, NOT_GIVEN)) for name in names]


# Containers


@calls(len)
def read_len(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (item,) = arguments_of(reader, args, kwargs, ("obj",), syntax)
    if isinstance(item, DictView):
        return len(seen(reader, item))
    if isinstance(item, LazyIterator):
        reader.fail("an iterator has no len()", syntax, "make a list of it first")
    if isinstance(item, tuple):
        return len(item)
    if isinstance(item, Value) and not isinstance(item, Constant):
        return reader.apply(syntax, len, item)
    return static_call(reader, syntax, len, [item], {})


@calls(tuple)
def read_tuple(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("iterable",), syntax, 0)
    return () if items is NOT_GIVEN else parts(reader, items, syntax)


@calls(list)
def read_list(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("iterable",), syntax, 0)
    return new_list(reader, () if items is NOT_GIVEN else parts(reader, items, syntax))


@calls(dict)
def read_dict(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    if len(args) > 1:
        reader.fail(f"dict takes at most 1 argument without a name, not {len(args)}", syntax)
    items = mapping_of(reader, args[0], syntax) if args else {}
    return new_dict(reader, {**items, **kwargs})


@calls(set, frozenset)
def read_set(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("iterable",), syntax, 0)
    if items is NOT_GIVEN:
        return frozenset()
    if isinstance(items, frozenset):
        return items
    return frozenset(known_key(reader, part, syntax, "item of a set") for part in parts(reader, items, syntax))


@calls(slice)
def read_slice(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Make a slice, whose bounds may be data."""
    if kwargs or not 1 <= len(args) <= 3 or all(map(is_static, args)):
        return static_call(reader, syntax, slice, args, kwargs)
    return Slice(*args) if len(args) > 1 else Slice(None, args[0])


# Sums and truths


@calls(sum)
def read_sum(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Add items, as the builtin does: the first one is added to 0, which is left out where that changes nothing."""
    iterable, start = arguments_of(reader, args, kwargs, ("iterable", "start"), syntax)
    if is_static(iterable) and (start is NOT_GIVEN or is_static(start)) and not isinstance(iterable, Dict):
        return static_call(reader, syntax, sum, [iterable] if start is NOT_GIVEN else [iterable, start], {})
    if is_list(iterable) and start is NOT_GIVEN:
        return reader.apply(syntax, sum, iterable)
    items = list(parts(reader, iterable, syntax))
    total = start
    if start is NOT_GIVEN:
        total = items.pop(0) if items and _is_sum_by_itself(items) else 0
    for item in items:
        total = operation(reader, syntax, operator.add, total, item)
    return total


def _is_sum_by_itself(items: list[Any]) -> bool:
    """Tell whether 0 + the first of these items is that item: truth values would become numbers, an array a copy."""
    first = items[0]
    if isinstance(first, Value):
        return first.dtype.kind != "b" and (len(items) > 1 or not first.rank)
    return isinstance(first, int | float) and not isinstance(first, bool)


@calls(all)
def read_all(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("iterable",), syntax)
    return _truth_of_several(reader, parts(reader, items, syntax), True, syntax)


@calls(any)
def read_any(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (items,) = arguments_of(reader, args, kwargs, ("iterable",), syntax)
    return _truth_of_several(reader, parts(reader, items, syntax), False, syntax)


@calls(bool)
def read_bool(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    if not args and not kwargs:
        return False
    (item,) = arguments_of(reader, args, kwargs, ("obj",), syntax)
    return condition(reader, item, syntax)


def _truth_of_several(reader: Reader, items: Iterable[Any], neutral: bool, syntax: cst.CSTNode) -> bool | Value:
    """Return whether all items hold, or where `neutral` is False whether any does."""
    result: bool | Value = neutral
    combine = conjunction if neutral else disjunction
    for item in items:
        test = condition(reader, item, syntax)
        if isinstance(test, bool):
            if test is not neutral:
                return test
        else:
            result = test if isinstance(result, bool) else reader.apply(syntax, combine, result, test)
    return result


@calls(np.isscalar)
def read_isscalar(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (item,) = arguments_of(reader, args, kwargs, ("element",), syntax)
    return is_number(reader, item) if isinstance(item, Value) else np.isscalar(as_number(item))


@calls(np.result_type)
def read_result_type(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return the dtype that all arguments fit into; a Python number takes on that of the arrays."""
    found = [item.dtype.type(1).item() if item.type.weak else item.dtype for item in args if isinstance(item, Value)]
    return static_call(
        reader, syntax, np.result_type, found + [item for item in args if not isinstance(item, Value)], kwargs
    )


# Order


@functools.total_ordering
class Ordered:
    """An item among those that are sorted by what is known of them when the code is written."""

    def __init__(self, reader: Reader, key: Any, syntax: cst.CSTNode) -> None:
        self.reader = reader
        self.key = key
        self.syntax = syntax

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ordered) and not self < other and not other < self

    def __lt__(self, other: Ordered) -> bool:
        return _is_less(self.reader, self.key, other.key, self.syntax)


def _is_less(reader: Reader, a: Any, b: Any, syntax: cst.CSTNode) -> bool:
    by_class = compared(reader, operator.lt, a, b, syntax)
    if isinstance(by_class, bool):
        return by_class
    if is_static(a) and is_static(b):
        try:
            return bool(plain(a) < plain(b))
        except (TypeError, ValueError) as error:
            reader.fail(f"{error}", syntax)
    if is_plain(a) and type(a) is type(b):
        for x, y in zip(a, b, strict=False):
            if not same_item(reader, x, y, syntax):
                return _is_less(reader, x, y, syntax)
        return len(a) < len(b)
    if isinstance(a, Value | int) and isinstance(b, Value | int):
        # sizes are known, or asked for
        known = decided(reader, reader.apply(syntax, operator.lt, a, b), syntax)
        if known is not None:
            return known
    hint = "sort by a key that is known when the code is written, or use np.sort"
    return reader.fail("an order that depends on data can't be read", syntax, hint)


def ordered(reader: Reader, items: Iterable[Any], key: Any, reverse: Any, syntax: cst.CSTNode) -> list[Any]:
    """Return items in the order of what is known of them; `key` is a function of the program."""
    is_reversed = False if reverse is NOT_GIVEN else decided(reader, reverse, syntax)
    if is_reversed is None:
        reader.fail("whether the order is reversed depends on data", syntax)
    pairs = [(Ordered(reader, _key(reader, key, item, syntax), syntax), item) for item in items]
    return [item for _, item in sorted(pairs, key=operator.itemgetter(0), reverse=is_reversed)]


def _key(reader: Reader, key: Any, item: Any, syntax: cst.CSTNode) -> Any:
    return item if key is None or key is NOT_GIVEN else call(reader, key, [item], {}, syntax)


@calls(sorted)
def read_sorted(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    items, key, reverse = arguments_of(reader, args, kwargs, ("iterable", "key", "reverse"), syntax)
    found = sorted(items, key=repr) if isinstance(items, frozenset) else parts(reader, items, syntax)
    return new_list(reader, ordered(reader, found, key, reverse, syntax))


@calls(min)
def read_min(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    return _extreme(reader, min, args, kwargs, syntax)


@calls(max)
def read_max(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    return _extreme(reader, max, args, kwargs, syntax)


def _extreme(
    reader: Reader, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode
) -> Any:
    """Return the least or the greatest of several items; of numbers, that of two at a time."""
    if not args or any(name not in ("key", "default") for name in kwargs):
        reader.fail(f"{function.__name__} takes items, a key and a default", syntax)
    items = list(parts(reader, args[0], syntax)) if len(args) == 1 else args
    if not items:
        if "default" not in kwargs:
            reader.fail(f"{function.__name__}() of nothing", syntax)
        return kwargs["default"]
    key = kwargs.get("key", NOT_GIVEN)
    if key is not NOT_GIVEN and key is not None:
        # Python takes the first of several that are equal
        by_key = ordered(reader, items if function is min else items[::-1], key, NOT_GIVEN, syntax)
        return by_key[0 if function is min else -1]
    if all(map(is_static, items)):
        return static_call(reader, syntax, function, items, {}) if len(items) > 1 else items[0]
    if any(isinstance(item, tuple) for item in items):
        found = ordered(reader, items if function is min else items[::-1], key, NOT_GIVEN, syntax)
        return found[0 if function is min else -1]
    result = items[0]
    for item in items[1:]:
        if is_static(result) and is_static(item):
            result = static_call(reader, syntax, function, [result, item], {})
        else:
            result = reader.apply(syntax, function, result, item)
    return result


# Classes


@calls(isinstance)
def read_isinstance(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    item, kinds = arguments_of(reader, args, kwargs, ("obj", "kinds"), syntax, 2)
    kind = class_of_any(reader, item, syntax)
    if reader.inlined and kind is list:
        # to a rule, several arrays are a tuple of them however the user has written them
        kind = tuple
    try:
        with told(reader, syntax):
            return any(is_subclass(kind, each) for each in (kinds if isinstance(kinds, tuple) else (kinds,)))
    except TypeError as error:
        return reader.fail(f"{error}", syntax)


def class_of_any(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    """Return the class of an item."""
    if is_object(item):
        reader.fail("the class of an object that is not read is not known", syntax)
    return class_of(item) or type(as_number(item))


def class_of(item: Any) -> Any:
    """Return the class that a container, an object or a value of the graph has in the program; None for what is at hand."""
    if isinstance(item, Record):
        return item.kind
    if isinstance(item, Value) and not isinstance(item, Constant):
        return {"f": float, "i": int, "b": bool, "U": str}[item.dtype.kind] if item.type.weak else np.ndarray
    if isinstance(item, List):
        return list
    if isinstance(item, Dict):
        return dict
    if isinstance(item, Slice):
        return slice
    return tuple if is_plain(item) else None
