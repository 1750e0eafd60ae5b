"""Objects of the user's classes: their attributes.

In: objects as items, names of attributes. Out: items, and methods bound to their object; a changed attribute is noted in the
reader's memory. Layer: above `memory` and `classes`, below `special_methods`.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import libcst as cst

from flatgrad.frontend.classes import (
    dataclass_option,
    fields,
    held_by,
    is_dataclass,
    is_object,
    is_tuple,
    name_of,
    property_of,
)
from flatgrad.frontend.iterators import BoundMethod
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.static_classes import MISSING
from flatgrad.frontend.static_objects import Partial, StaticFunction
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Dict, Record
from flatgrad.graph.values import Constant, Value
from flatgrad.parts import Untold, attributes_of

CallReader = Callable[..., Any]
# what reads calls of functions of the user's: for what they give, "call", and for what they do, "perform"
CALL_READERS: dict[str, CallReader] = {}


@dataclass(frozen=True, eq=False, slots=True)
class Super:
    """What `super()` gives: the attributes of an object, or of a class, that the bases behind `behind` hold."""

    owner: Any
    behind: Any


def is_instance(item: Any) -> bool:
    """Tell whether an item is an object of a user's class: of the program, or found outside of the function."""
    return not isinstance(item, Value) and (isinstance(item, Record) or is_object(item))


def kind_of(item: Any) -> Any:
    """Return the class of an object."""
    return item.kind if isinstance(item, Record) else type(item)


@contextmanager
def told(reader: Reader, syntax: cst.CSTNode) -> Iterator[None]:
    """Report at a place of the source what can't be told of a class."""
    try:
        yield
    except NameUnknown as error:
        reader.fail(error.message, syntax, error.hint)


def read_call_of(reader: Reader, function: Any, args: Sequence[Any], syntax: cst.CSTNode) -> Any:
    """Return what a method gives for some arguments."""
    return CALL_READERS["call"](reader, function, args, {}, syntax)


# attributes


def attribute_of(reader: Reader, owner: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return an attribute of an object or of a `super()`; NOTHING where there is none.

    What was found outside of the function comes as the Python object that it is.
    """
    behind = owner.behind if isinstance(owner, Super) else None
    item = owner.owner if isinstance(owner, Super) else owner
    kind = kind_of(item) if is_instance(item) else item
    with told(reader, syntax):
        _require_plain_look_up(kind)
        getter = property_of(kind, name) if behind is None and is_instance(item) else None
    if behind is None and is_instance(item) and getter is None:
        inside = own_attributes(item)
        if name in inside:
            if isinstance(inside[name], Untold):
                hint = f"annotate it in its class, or give its shape, as in {inside[name].kind}=(n,d)"
                reader.fail(f"what `{name}` of a {name_of(kind)} holds is not known", syntax, hint)
            return inside[name]
    with told(reader, syntax):
        found, _ = held_by(kind, name, behind)
    if isinstance(found, property) and is_instance(item):
        return read_call_of(reader, found.fget, [item], syntax)
    if found is MISSING:
        return _special_attribute(reader, item, kind, name, syntax)
    if isinstance(found, functools.cached_property):
        return _kept(reader, item, name, read_call_of(reader, found.func, [item], syntax), syntax)
    return bound(reader, found, item if is_instance(item) else None, kind, name, syntax)


def own_attributes(item: Any) -> Mapping[str, Any]:
    """Return the attributes that an object has itself, by name."""
    return item.attributes if isinstance(item, Record) else attributes_of(item) or {}


def bound(reader: Reader, found: Any, owner: Any, kind: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return what a class holds as Python gives it for an object, or, where that is None, for the class."""
    if isinstance(found, staticmethod):
        return found.__func__
    if isinstance(found, classmethod):
        return Partial(found.__func__, (kind,), {})
    if isinstance(found, functools.partialmethod | functools.singledispatchmethod):
        reader.fail(f"`{name}` is a {type(found).__name__}, which is not followed", syntax, "write a plain method")
    if owner is None or not (isinstance(found, StaticFunction) or hasattr(type(found), "__get__")):
        return found
    if not callable(found) and not isinstance(found, StaticFunction):
        what = f"`{name}` of {name_of(kind)} is a descriptor of the class {type(found).__name__}"
        reader.fail(f"{what}, which is not followed", syntax, "use a property")
    return Partial(found, (owner,), {})


def _require_plain_look_up(kind: Any) -> None:
    found = held_by(kind, "__getattribute__")[0]
    # classes written in C, such as tuples, have one that does as that of `object` does
    if found is not MISSING and not isinstance(found, types.WrapperDescriptorType):
        message = f"what an attribute of a {name_of(kind)} is, is decided by its `__getattribute__`"
        raise NameUnknown(message, "use attributes and properties")


def _special_attribute(reader: Reader, item: Any, kind: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return an attribute that no class of the user's holds."""
    if name == "__class__" and is_instance(item):
        return kind
    if name in ("__name__", "__qualname__") and item is kind:
        return name_of(kind)
    if name == "__dict__" and isinstance(item, Record):
        return Dict.of(item.attributes)
    if name == "__init__":
        return Partial(object.__init__, (item,), {})
    with told(reader, syntax):
        if held_by(kind, "__getattr__")[0] is not MISSING:
            if is_instance(item) and not isinstance(item, Record):
                # the object is at hand: what it gives now is watched
                return getattr(item, name, NOTHING)
            message = f"`{name}` of a {name_of(kind)} is decided by its `__getattr__`"
            raise NameUnknown(message, "use attributes and properties")
        if is_tuple(kind) and name == "_fields":
            return tuple(field.name for field in fields(kind))
        if is_tuple(kind) and name in ("_asdict", "_make", "_replace"):
            return BoundMethod(kind if name == "_make" else item, name)
    return NOTHING


def _kept(reader: Reader, owner: Any, name: str, item: Any, syntax: cst.CSTNode) -> Any:
    """Return a cached property, which an object of the program keeps as an attribute."""
    if isinstance(owner, Record) and owner.ref is not None:
        _put(reader, reader.refreshed(owner), name, item, syntax)
    return item


def set_attribute(reader: Reader, owner: Any, name: str, item: Any, syntax: cst.CSTNode) -> None:
    """Assign an attribute of an object: of one that the function has made."""
    if not is_instance(owner):
        reader.fail(f"an attribute of {described(owner)} can't be assigned here", syntax, "use a local variable")
    kind = kind_of(owner)
    with told(reader, syntax):
        found = property_of(kind, name)
        _require_assignable(kind, name)
    if found is not None:
        if found.fset is None:
            reader.fail(f"the property `{name}` of {name_of(kind)} can't be assigned", syntax)
        CALL_READERS["perform"](reader, found.fset, [owner, item], {}, syntax)
        return
    put_attribute(reader, owner, name, item, syntax)


def put_attribute(reader: Reader, owner: Any, name: str, item: Any, syntax: cst.CSTNode) -> None:
    """Give an object of the program an attribute, past all that its class has to say about it."""
    if not isinstance(owner, Record) or owner.ref is None:
        words = f"this would change an object that the caller sees: `{name}` of a {name_of(kind_of(owner))}"
        reader.fail(words, syntax, "use a local variable, or return a new object: dataclasses.replace, copy.copy")
    _put(reader, owner, name, item, syntax)


def _put(reader: Reader, owner: Record, name: str, item: Any, syntax: cst.CSTNode) -> None:
    if isinstance(item, Value) and not isinstance(item, Constant) and item.name is None and item.node is not None:
        item.name = name
    after = Record.of(owner.kind, {**owner.attributes, name: item})
    after.ref = owner.ref
    reader.changed(owner, after, syntax)


def delete_attribute(reader: Reader, owner: Any, name: str, syntax: cst.CSTNode) -> None:
    """Take an attribute from an object of the program: ``del owner.name``."""
    if not isinstance(owner, Record) or owner.ref is None:
        reader.fail(f"`{name}` of an object that the caller sees can't be deleted", syntax)
    with told(reader, syntax):
        _require_assignable(owner.kind, name)
    if name not in owner.names:
        reader.fail(f"a {name_of(owner.kind)} has no attribute `{name}` of its own here", syntax)
    after = Record.of(owner.kind, {each: item for each, item in owner.attributes.items() if each != name})
    after.ref = owner.ref
    reader.changed(owner, after, syntax)


def _require_assignable(kind: Any, name: str) -> None:
    """Raise NameUnknown where assigning an attribute is an error in Python, or more than an assignment."""
    if is_tuple(kind) or (is_dataclass(kind) and dataclass_option(kind, "frozen")):
        message = f"`{name}` of a {name_of(kind)} can't be assigned: its objects are never changed"
        raise NameUnknown(message, "make a new one: _replace(...)" if is_tuple(kind) else "dataclasses.replace(...)")
    if held_by(kind, "__setattr__")[0] is not MISSING or held_by(kind, "__delattr__")[0] is not MISSING:
        message = f"what assigning `{name}` of a {name_of(kind)} does is decided by its `__setattr__`"
        raise NameUnknown(message, "use a property")
