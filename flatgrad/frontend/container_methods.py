"""Reads calls of the methods of lists, dicts, tuples and sets. Fills METHODS. Layer: above `builtin_calls`.

The first argument is the container that the method belongs to, as it is now.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.builtin_calls import NOT_GIVEN, arguments_of, ordered
from flatgrad.frontend.call_tables import METHODS, CallReader, calls
from flatgrad.frontend.containers import (
    change_dict,
    change_list,
    delete_item,
    item_at,
    known_key,
    mapping_of,
    new_dict,
    new_list,
    position_of,
    same_item,
)
from flatgrad.frontend.iterators import Deferred, DictView
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.plain_numbers import is_number
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.unpacking import name_part, parts
from flatgrad.graph.containers import Dict, List, Record, rebuilt
from flatgrad.graph.values import Value


def method(kind: type, *names: str) -> Callable[[CallReader], CallReader]:
    """Enter the decorated function into METHODS as what reads the calls of these methods of a class."""

    def enter(read: CallReader) -> CallReader:
        METHODS.update({(kind, name): read for name in names})
        return read

    return enter


# Lists


@method(List, "append")
def read_append(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    owner, item = arguments_of(reader, args, kwargs, ("self", "object"), syntax, 2)
    called = syntax.func if isinstance(syntax, cst.Call) else None
    if isinstance(called, cst.Attribute) and isinstance(called.value, cst.Name):
        name_part(reader, called.value.value, len(owner), item)
    change_list(reader, owner, [*owner, item], syntax)


@method(List, "extend")
def read_extend(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    owner, items = arguments_of(reader, args, kwargs, ("self", "iterable"), syntax, 2)
    change_list(reader, owner, [*owner, *parts(reader, items, syntax)], syntax)


@method(List, "insert")
def read_insert(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    owner, index, item = arguments_of(reader, args, kwargs, ("self", "index", "object"), syntax, 3)
    items = list(owner)
    items.insert(known_key(reader, index, syntax, "index"), item)
    change_list(reader, owner, items, syntax)


@method(List, "pop")
def read_pop(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, index = arguments_of(reader, args, kwargs, ("self", "index"), syntax)
    if not owner:
        reader.fail("pop from an empty list", syntax)
    place = -1 if index is NOT_GIVEN else index
    item = item_at(reader, owner, place, syntax)
    delete_item(reader, owner, place, syntax)
    return item


@method(List, "remove")
def read_remove(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    owner, item = arguments_of(reader, args, kwargs, ("self", "value"), syntax, 2)
    place = position_of(reader, owner, item, syntax)
    if place is None:
        reader.fail("list.remove(x): x not in list", syntax)
    delete_item(reader, owner, place, syntax)


@method(List, "clear")
def read_clear(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    (owner,) = arguments_of(reader, args, kwargs, ("self",), syntax)
    change_list(reader, owner, (), syntax)


@method(List, "reverse")
def read_reverse(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    (owner,) = arguments_of(reader, args, kwargs, ("self",), syntax)
    change_list(reader, owner, owner[::-1], syntax)


@method(List, "sort")
def read_sort(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    if len(args) > 1:
        reader.fail("sort takes key=... and reverse=... by their names", syntax)
    owner, key, reverse = arguments_of(reader, args, kwargs, ("self", "key", "reverse"), syntax)
    change_list(reader, owner, ordered(reader, owner, key, reverse, syntax), syntax)


@method(List, "copy")
def read_copy_of_list(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (owner,) = arguments_of(reader, args, kwargs, ("self",), syntax)
    return new_list(reader, owner)


@method(List, "index")
@method(tuple, "index")
def read_index(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, item = arguments_of(reader, args, kwargs, ("self", "value"), syntax, 2)
    place = position_of(reader, owner, item, syntax)
    if place is None:
        reader.fail("the item is not in the list", syntax)
    return place


@method(List, "count")
@method(tuple, "count")
def read_count(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, item = arguments_of(reader, args, kwargs, ("self", "value"), syntax, 2)
    return sum(same_item(reader, each, item, syntax) for each in owner)


# Dicts


@method(Dict, "get")
def read_get(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, key, default = arguments_of(reader, args, kwargs, ("self", "key", "default"), syntax, 2)
    return owner.items.get(known_key(reader, key, syntax), None if default is NOT_GIVEN else default)


@method(Dict, "setdefault")
def read_setdefault(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, key, default = arguments_of(reader, args, kwargs, ("self", "key", "default"), syntax, 2)
    known = known_key(reader, key, syntax)
    if known in owner.items:
        return owner.items[known]
    item = None if default is NOT_GIVEN else default
    change_dict(reader, owner, {**owner.items, known: item}, syntax)
    return item


@method(Dict, "pop")
def read_pop_of_dict(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, key, default = arguments_of(reader, args, kwargs, ("self", "key", "default"), syntax, 2)
    if default is not NOT_GIVEN and known_key(reader, key, syntax) not in owner.items:
        return default
    item = item_at(reader, owner, key, syntax)
    delete_item(reader, owner, key, syntax)
    return item


@method(Dict, "popitem")
def read_popitem(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (owner,) = arguments_of(reader, args, kwargs, ("self",), syntax)
    if not owner:
        reader.fail("popitem(): the dict is empty", syntax)
    delete_item(reader, owner, owner.keys[-1], syntax)
    return (owner.keys[-1], owner[-1])


@method(Dict, "update")
def read_update(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    owner, *others = args
    if len(others) > 1:
        reader.fail("update takes at most one dict", syntax)
    items = mapping_of(reader, others[0], syntax) if others else {}
    change_dict(reader, owner, {**owner.items, **items, **kwargs}, syntax)


@method(Dict, "clear")
def read_clear_of_dict(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    (owner,) = arguments_of(reader, args, kwargs, ("self",), syntax)
    change_dict(reader, owner, {}, syntax)


@method(Dict, "copy")
def read_copy_of_dict(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (owner,) = arguments_of(reader, args, kwargs, ("self",), syntax)
    return new_dict(reader, owner.items)


def _shows(word: str) -> None:
    def read(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
        (owner,) = arguments_of(reader, args, kwargs, ("self",), syntax)
        return DictView(owner, word)

    METHODS[Dict, word] = read


for _word in ("items", "keys", "values"):
    _shows(_word)


@calls(dict.fromkeys)
def read_fromkeys(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    keys, item = arguments_of(reader, args, kwargs, ("iterable", "value"), syntax)
    default = None if item is NOT_GIVEN else item
    return new_dict(reader, {known_key(reader, key, syntax): default for key in parts(reader, keys, syntax)})


# Sets


def _of_sets(name: str) -> None:
    function = getattr(frozenset, name)

    def read(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
        owner, *others = args
        items = [
            each
            if isinstance(each, frozenset)
            else [known_key(reader, part, syntax, "item of a set") for part in parts(reader, each, syntax)]
            for each in others
        ]
        return function(owner, *items)

    METHODS[frozenset, name] = read


for _name in (
    "union", "intersection", "difference", "symmetric_difference", "issubset", "issuperset", "isdisjoint", "copy",
):  # fmt: skip
    _of_sets(_name)


# Copies


@calls(copy.copy)
def read_copy(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (item,) = arguments_of(reader, args, kwargs, ("x",), syntax)
    if isinstance(item, List):
        return new_list(reader, item)
    if isinstance(item, Dict):
        return new_dict(reader, item.items)
    return _copied(reader, item, syntax)


@calls(copy.deepcopy)
def read_deepcopy(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    (item,) = arguments_of(reader, args, kwargs, ("x",), syntax)
    return _deep(reader, item, {}, syntax)


def _deep(reader: Reader, item: Any, made: dict[Any, Any], syntax: cst.CSTNode) -> Any:
    """Return a copy of an item with copies in it; what is the same twice is copied once, as in Python."""
    key = getattr(item, "ref", None) or (item if isinstance(item, Value) else None)
    if key is not None and key in made:
        return made[key]
    if isinstance(item, tuple):
        copied = rebuilt(item, [_deep(reader, part, made, syntax) for part in item])
        if isinstance(item, List | Dict | Record):
            copied.ref = Ref()
    else:
        copied = _copied(reader, item, syntax)
    if key is not None:
        made[key] = copied
    return copied


def _copied(reader: Reader, item: Any, syntax: cst.CSTNode) -> Any:
    """Return a copy of an array; numbers and what else can't be changed are their own copies."""
    if isinstance(item, Deferred):
        reader.fail("an iterator or a view of a dict can't be copied", syntax, "make a list of it")
    if isinstance(item, Value) and not is_number(reader, item):
        return reader.apply(syntax, np.copy, item)
    return item
