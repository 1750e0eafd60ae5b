"""Reads calls of builtins and of the standard library on objects: getattr, super, dataclasses.replace and their like.

In: the items that such a call gives. Out: items. Fills CALLS. Layer: above `calls`.
"""

from __future__ import annotations

import copy
import dataclasses
import types
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.attributes import attribute, known_attribute
from flatgrad.frontend.builtin_calls import class_of_any
from flatgrad.frontend.call_tables import METHODS, calls
from flatgrad.frontend.callees import is_followed
from flatgrad.frontend.classes import fields, is_dataclass, is_tuple, is_users_class, name_of
from flatgrad.frontend.construction import constructed, initialise_fields, namespace, replaced
from flatgrad.frontend.containers import new_dict
from flatgrad.frontend.iterators import BoundMethod
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.objects import Super, is_instance, kind_of, own_attributes, put_attribute, set_attribute, told
from flatgrad.frontend.passing import is_object
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.special_methods import special
from flatgrad.frontend.static_classes import FileClass
from flatgrad.frontend.static_objects import StaticClass
from flatgrad.frontend.unpacking import parts
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Dict, List, Record, rebuilt
from flatgrad.graph.values import Value


def _one(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    if len(args) != 1 or kwargs:
        reader.fail("one argument is needed here", syntax)
    return args[0]


def _named(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode, most: int) -> tuple[Any, str]:
    """Return the object and the name of its attribute among the arguments of a call such as getattr."""
    if kwargs or not 2 <= len(args) <= most:
        reader.fail("such arguments do not fit", syntax)
    if not isinstance(args[1], str):
        reader.fail("the name of the attribute has to be known when the code is written", syntax)
    return args[0], args[1]


@calls(getattr)
def read_getattr(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    owner, name = _named(reader, args, kwargs, syntax, 3)
    found = known_attribute(reader, owner, name, syntax)
    if found is NOTHING and len(args) == 3:
        return args[2]
    return attribute(reader, owner, name, syntax)


@calls(hasattr)
def read_hasattr(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> bool:
    owner, name = _named(reader, args, kwargs, syntax, 2)
    return known_attribute(reader, owner, name, syntax) is not NOTHING


@calls(setattr)
def read_setattr(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    owner, name = _named(reader, args[:2], kwargs, syntax, 2)
    set_attribute(reader, owner, name, _third(reader, args, syntax), syntax)


@calls(object.__setattr__)
def read_plain_setattr(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    """Do what a frozen class needs to set attributes of its own."""
    owner, name = _named(reader, args[:2], kwargs, syntax, 2)
    put_attribute(reader, owner, name, _third(reader, args, syntax), syntax)


def _third(reader: Reader, args: list[Any], syntax: cst.CSTNode) -> Any:
    if len(args) != 3:
        reader.fail("an object, the name of an attribute and a value are needed here", syntax)
    return args[2]


@calls(vars)
def read_vars(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Dict:
    """Return the attributes of an object as a dict that can't be changed: to change it would change the object."""
    owner = _instance(reader, _one(reader, args, kwargs, syntax), syntax)
    return Dict.of(owner.attributes)


@calls(type)
def read_type(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    item = _one(reader, args, kwargs, syntax)
    if is_instance(item):
        return kind_of(item)
    return class_of_any(reader, item, syntax)


@calls(callable)
def read_callable(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> bool:
    item = _one(reader, args, kwargs, syntax)
    if is_object(item):
        reader.fail("whether an object that is not read can be called is not known", syntax)
    if is_instance(item):
        return special(reader, item, "__call__", syntax) is not None
    return callable(item) or is_followed(item) or isinstance(item, StaticClass | BoundMethod)


@calls(super)
def read_super(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Super:
    if len(args) == 2 and is_users_class(args[0]):
        return Super(args[1], args[0])
    definition = reader.definition
    first = [*definition.params.posonly_params, *definition.params.params][:1] if definition is not None else []
    if args or kwargs or not first:
        reader.fail("super() is read inside of a method only", syntax)
    try:
        behind = reader.names.find("__class__")
    except NameUnknown:
        reader.fail("super() is read inside of a method only", syntax)
    return Super(reader.refreshed(reader.variables[first[0].name.value]), behind)


@calls(object.__init__)
def read_plain_init(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> None:
    """Do what the `__init__` of a class does that has none of its own: nothing, or what a dataclass does."""
    made = reader.refreshed(args[0])
    if isinstance(made, Record) and (len(args) > 1 or kwargs):
        initialise_fields(reader, made, args[1:], kwargs, syntax)


@calls(types.SimpleNamespace)
def read_namespace(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Record:
    if len(args) > 1 or (args and not isinstance(args[0], Dict)):
        reader.fail("SimpleNamespace takes names and values", syntax)
    return namespace(reader, {**(args[0].items if args else {}), **kwargs})


@calls(dataclasses.replace)
def read_replace(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    return replaced(reader, _instance(reader, _one(reader, args, {}, syntax), syntax), kwargs, syntax)


def _replace(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    return replaced(reader, _one(reader, args, {}, syntax), kwargs, syntax)


def _asdict(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Dict:
    return new_dict(reader, _one(reader, args, kwargs, syntax).attributes)


def _make(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    if len(args) != 2 or kwargs:
        reader.fail("_make takes what is gone through", syntax)
    return constructed(reader, args[0], parts(reader, args[1], syntax), {}, syntax)


# the methods that every named tuple has
METHODS.update({(Record, "_replace"): _replace, (Record, "_asdict"): _asdict})
METHODS.update({(kind, "_make"): _make for kind in (type, FileClass)})


@calls(dataclasses.fields)
def read_fields(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    item = _one(reader, args, kwargs, syntax)
    with told(reader, syntax):
        return tuple(field for field in fields(kind_of(item) if is_instance(item) else item) if field.stored)


@calls(dataclasses.is_dataclass)
def read_is_dataclass(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> bool:
    item = _one(reader, args, kwargs, syntax)
    with told(reader, syntax):
        kind = kind_of(item) if is_instance(item) else item
        return is_users_class(kind) and is_dataclass(kind)


@calls(dataclasses.asdict)
def read_asdict(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Dict:
    return new_dict(reader, {name: _plain(reader, part, dict) for name, part in _fields(reader, args, kwargs, syntax)})


@calls(dataclasses.astuple)
def read_astuple(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> tuple[Any, ...]:
    return tuple([_plain(reader, part, tuple) for _, part in _fields(reader, args, kwargs, syntax)])


def _fields(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> list[tuple[str, Any]]:
    owner = _instance(reader, _one(reader, args, kwargs, syntax), syntax)
    with told(reader, syntax):
        if not is_dataclass(owner.kind):
            reader.fail(f"a {name_of(owner.kind)} is not a dataclass", syntax)
        return [(field.name, owner.attributes[field.name]) for field in fields(owner.kind) if field.stored]


def _plain(reader: Reader, item: Any, made: type) -> Any:
    """Return an item with the dataclasses in it as dicts or tuples, and what holds them as a copy of it."""
    if isinstance(item, Record) and not is_tuple(item.kind) and is_dataclass(item.kind):
        parts = {name: _plain(reader, part, made) for name, part in item.attributes.items()}
        return new_dict(reader, parts) if made is dict else tuple(parts.values())
    return _again(item, [_plain(reader, part, made) for part in item]) if isinstance(item, tuple) else item


@calls(copy.copy)
def read_copy(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    item = _one(reader, args, kwargs, syntax)
    if isinstance(item, Value):
        return _copied(reader, item, syntax)
    return _again(item, item) if isinstance(item, tuple) else item


@calls(copy.deepcopy)
def read_deepcopy(reader: Reader, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    item = _one(reader, args, kwargs, syntax)
    again: dict[int, Any] = {}

    def copied(part: Any) -> Any:
        if isinstance(part, Value):
            return again.setdefault(id(part), _copied(reader, part, syntax))
        if not isinstance(part, tuple) or hasattr(part, "_fields"):
            return part
        key = id(getattr(part, "ref", None) or part)
        if key not in again:
            again[key] = _again(part, [copied(inner) for inner in part])
        return again[key]

    return copied(item)


def _again(item: tuple[Any, ...], parts: Any) -> Any:
    """Return another container of the same kind."""
    made = rebuilt(item, parts)
    if isinstance(made, List | Dict | Record):
        made.ref = Ref()
    return made


def _copied(reader: Reader, value: Value, syntax: cst.CSTNode) -> Any:
    return reader.apply(syntax, np.copy, value) if value.rank else value


def _instance(reader: Reader, item: Any, syntax: cst.CSTNode) -> Record:
    """Return an object, also one that was found outside of the function, with its attributes as items."""
    if isinstance(item, Record):
        return item
    if not is_instance(item):
        reader.fail(f"{described(item)} is not an object of a class", syntax)
    return Record.of(type(item), {name: attribute(reader, item, name, syntax) for name in own_attributes(item)})
