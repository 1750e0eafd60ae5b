"""Makes objects of the user's classes inside of the function: what `Point(x, y)` gives.

In: a class, and the items that its call gives. Out: a `Record` whose attributes are items. An `__init__` is read into the
caller's graph. Layer: above `functions`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping, Sequence
from typing import Any

import libcst as cst

from flatgrad.frontend.classes import (
    fields,
    held_by,
    is_enumeration,
    is_tuple,
    is_typed_dict,
    makes_from_fields,
    name_of,
    refuse_unusual,
)
from flatgrad.frontend.containers import new_dict
from flatgrad.frontend.expressions import item_of
from flatgrad.frontend.functions import performed
from flatgrad.frontend.known import as_number, is_static
from flatgrad.frontend.memory import Ref
from flatgrad.frontend.objects import bound, read_call_of, told
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.special_methods import special
from flatgrad.frontend.static_classes import MISSING, Field
from flatgrad.graph.containers import Record


def constructed(reader: Reader, kind: Any, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what the call of a class gives."""
    with told(reader, syntax):
        if is_enumeration(kind):
            return _member(reader, kind, args, syntax)
        if is_typed_dict(kind):
            return new_dict(reader, kwargs)
        refuse_unusual(kind)
        named_tuple, from_fields = is_tuple(kind), makes_from_fields(kind)
    if named_tuple:
        return record_of(kind, _given(reader, kind, args, kwargs, syntax))
    made = _new(reader, kind, syntax)
    if from_fields:
        initialise_fields(reader, made, args, kwargs, syntax)
        return reader.refreshed(made)
    with told(reader, syntax):
        function, _ = held_by(kind, "__init__")
    if function is MISSING:
        if args or kwargs:
            reader.fail(f"{name_of(kind)}() takes no arguments", syntax)
        return made
    initialise = bound(reader, function, made, kind, "__init__", syntax)
    performed(reader, initialise, args, kwargs, syntax)
    return reader.refreshed(made)


def record_of(kind: Any, attributes: Mapping[str, Any]) -> Record:
    """Return a new object with these attributes."""
    made = Record.of(kind, attributes)
    made.ref = Ref()
    return made


def namespace(reader: Reader, attributes: Mapping[str, Any]) -> Record:
    """Return a new types.SimpleNamespace."""
    return record_of(types.SimpleNamespace, attributes)


def initialise_fields(
    reader: Reader, made: Record, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode
) -> None:
    """Do what the `__init__` that a dataclass gets does."""
    given = _given(reader, made.kind, args, kwargs, syntax)
    with told(reader, syntax):
        declared = fields(made.kind)
    for field in declared:
        if field.stored and field.name in given:
            _put(reader, made, field.name, given[field.name], syntax)
    behind = special(reader, made, "__post_init__", syntax)
    if behind is not None:
        performed(reader, behind, [given[field.name] for field in declared if not field.stored], {}, syntax)


def _new(reader: Reader, kind: Any, syntax: cst.CSTNode) -> Record:
    """Return an object without attributes."""
    if isinstance(kind, type) and inspect.isabstract(kind):
        reader.fail(f"the class `{name_of(kind)}` is abstract: it has no objects", syntax)
    return record_of(kind, {})


def _put(reader: Reader, made: Record, name: str, item: Any, syntax: cst.CSTNode) -> None:
    """Give a new object an attribute, also where its class forbids to change it later."""
    now = reader.refreshed(made)
    after = Record.of(now.kind, {**now.attributes, name: item})
    after.ref = now.ref
    reader.changed(now, after, syntax)


def _given(
    reader: Reader, kind: Any, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode
) -> dict[str, Any]:
    """Return the value of each field, bound as Python binds arguments."""
    with told(reader, syntax):
        declared = fields(kind)
    # the order of fields with and without defaults was right when the class was made
    positional = [field for field in declared if field.init and not field.keyword_only]
    words = [field.name for field in declared if field.init]
    if len(args) > len(positional):
        reader.fail(f"{name_of(kind)}() takes {len(positional)} arguments, not {len(args)}", syntax)
    given = {field.name: item for field, item in zip(positional, args, strict=False)}
    for name, item in kwargs.items():
        if name not in words or name in given:
            what = "got multiple values for" if name in given else "has no"
            reader.fail(f"{name_of(kind)}() {what} argument {name!r}", syntax)
        given[name] = item
    found = {field.name: given.get(field.name, NOTHING) for field in declared}
    for field in declared:
        if found[field.name] is NOTHING:
            found[field.name] = _default(reader, kind, field, syntax)
    return {name: item for name, item in found.items() if item is not NOTHING}


def _default(reader: Reader, kind: Any, field: Field, syntax: cst.CSTNode) -> Any:
    """Return the default of a field; NOTHING where one that no call gives has none."""
    for found in (field.default, field.factory):
        if isinstance(found, NameUnknown):
            reader.fail(f"the default of `{field.name}`: {found.message}", syntax, found.hint)
    if field.default is not MISSING:
        return item_of(reader, field.default, field.name, syntax)
    if field.factory is not MISSING:
        return read_call_of(reader, field.factory, [], syntax)
    if not field.init:
        return NOTHING
    return reader.fail(f"{name_of(kind)}() misses the argument {field.name!r}", syntax)


def _member(reader: Reader, kind: Any, args: Sequence[Any], syntax: cst.CSTNode) -> Any:
    """Return the member of an enumeration with a value."""
    if len(args) != 1 or not is_static(args[0]):
        reader.fail(f"which member of {name_of(kind)} this is has to be known when the code is written", syntax)
    try:
        return kind(as_number(args[0]))
    except ValueError as error:
        return reader.fail(f"{error}", syntax)


def replaced(reader: Reader, owner: Record, changes: Mapping[str, Any], syntax: cst.CSTNode) -> Any:
    """Return a copy of a dataclass or named tuple with other values: `dataclasses.replace`, `_replace`."""
    with told(reader, syntax):
        declared = fields(owner.kind)
    known = {field.name for field in declared if field.init}
    for name in changes:
        if name not in known:
            reader.fail(f"a {name_of(owner.kind)} has no field {name!r} that can be given", syntax)
    values = {name: item for name, item in owner.attributes.items() if name in known} | dict(changes)
    return constructed(reader, owner.kind, [], values, syntax)
