"""Reads attributes: of arrays, of modules, of objects and classes, of what is known when the code is written. Fills EXPRESSIONS. Layer: beside `reader`."""

from __future__ import annotations

import difflib
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.classes import held_names, is_enumeration, is_users_class, name_of
from flatgrad.frontend.containers import bound_method
from flatgrad.frontend.expressions import array_constant, item_of
from flatgrad.frontend.iterators import Deferred
from flatgrad.frontend.known import plain_number, with_known_text
from flatgrad.frontend.known_functions import READ_MODULES
from flatgrad.frontend.objects import Super, attribute_of, is_instance, kind_of, own_attributes, set_attribute
from flatgrad.frontend.passing import is_object, of_sys
from flatgrad.frontend.placeholders import NOTHING, Bound
from flatgrad.frontend.reader import Reader, reads
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.static_objects import StaticModule
from flatgrad.frontend.unpacking import assigns
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import List, Record, Results, Slice
from flatgrad.graph.values import Constant, Value
from flatgrad.infer import type_of

# attributes of an array that are read as functions of it
PROPERTIES: dict[str, Callable[..., Any]] = {
    "T": np.transpose, "mT": np.matrix_transpose, "size": np.size, "real": np.real, "imag": np.imag,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an array, before it is called."""

    value: Value
    name: str


@reads(cst.Attribute)
def read_attribute(reader: Reader, syntax: cst.Attribute) -> Any:
    return attribute(reader, reader.expression(syntax.value), syntax.attr.value, syntax)


def known_attribute(reader: Reader, owner: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return an attribute of an item, NOTHING where it has none."""
    if isinstance(owner, Super) or is_instance(owner) or (is_users_class(owner) and not is_enumeration(owner)):
        found = attribute_of(reader, owner, name, syntax)
        if found is NOTHING or (isinstance(found, Value | tuple) and isinstance(owner, Record)):
            return reader.refreshed(found)
        return item_of(reader, found, name, syntax)
    has = hasattr(np.ndarray, name) if isinstance(owner, Value) else hasattr(owner, name)
    return attribute(reader, owner, name, syntax) if has else NOTHING


def attribute(reader: Reader, owner: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return an attribute of an item; that there is none is reported at its place."""
    if is_object(owner):
        return Bound(owner, name)
    owner = with_known_text(reader, owner, syntax)
    if owner is sys and not reader.inlined:
        return of_sys(reader, name, syntax)
    if isinstance(owner, Value):
        return _attribute_of_value(reader, owner, name, syntax)
    if isinstance(owner, Super) or is_instance(owner) or (is_users_class(owner) and not is_enumeration(owner)):
        return _attribute_of_object(reader, owner, name, syntax)
    if isinstance(owner, Results) and name in owner.names:
        return owner[owner.names.index(name)]
    if isinstance(owner, tuple | frozenset | Deferred):
        return bound_method(reader, owner, name, syntax)
    if isinstance(owner, Slice | Method):
        reader.fail(f"`.{name}` of {described(owner)} can't be read", syntax)
    found = plain_number(reader, _member(reader, owner, name, syntax), syntax)
    if isinstance(owner, StaticModule | types.ModuleType) and not reader.inlined:
        return _member_of_module(reader, owner, name, found, syntax)
    if isinstance(found, int | float) and isinstance(owner, types.ModuleType):
        constant = Constant(found, type_of(found), text=_spelled(owner, name))
        reader.spelled_out.add(constant)
        return constant
    return found


def _attribute_of_object(reader: Reader, owner: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return an attribute of an object, a class or a `super()`."""
    found = known_attribute(reader, owner, name, syntax)
    if found is NOTHING:
        known, what = _known_attributes(owner)
        near = difflib.get_close_matches(name, known, n=1)
        reader.fail(f"{what} has no `{name}`", syntax, f"did you mean `{near[0]}`?" if near else "")
    return found


def _known_attributes(owner: Any) -> tuple[list[str], str]:
    """Return the attributes that an object has, and what it is."""
    if isinstance(owner, Super):
        return [], "super()"
    if is_instance(owner):
        return [*own_attributes(owner), *held_names(kind_of(owner))], f"a {name_of(kind_of(owner))}"
    return held_names(owner), f"the class `{name_of(owner)}`"


@assigns(cst.Attribute)
def assign_attribute(reader: Reader, target: cst.Attribute, item: Any) -> None:
    """Assign an attribute of an object that the function has made."""
    set_attribute(reader, reader.expression(target.value), target.attr.value, item, target)


def augmented_attribute(reader: Reader, target: cst.Attribute, change: Callable[[Any], Any]) -> None:
    """Read `owner.name += ...`: `change` makes of what the attribute is what it is behind that."""
    owner, name = reader.expression(target.value), target.attr.value
    before = attribute(reader, owner, name, target)
    after = change(before)
    if after is not before:
        # an array that is changed in place stays the attribute that it is
        set_attribute(reader, reader.refreshed(owner), name, after, target)


def _member(reader: Reader, owner: Any, name: str, syntax: cst.CSTNode) -> Any:
    """Return the attribute of something that is known when the code is written."""
    try:
        return owner.member(name) if isinstance(owner, StaticModule) else getattr(owner, name)
    except NameUnknown as error:
        return reader.fail(error.message, syntax, error.hint)
    except AttributeError:
        place = getattr(owner, "__name__", described(owner))
        near = difflib.get_close_matches(name, dir(owner), n=1)
        return reader.fail(f"{place} has no `{name}`", syntax, f"did you mean `{near[0]}`?" if near else "")


def _spelled(module: types.ModuleType, name: str) -> str:
    return f"{'np' if module is np else module.__name__}.{name}"


def _member_of_module(reader: Reader, owner: Any, name: str, found: Any, syntax: cst.CSTNode) -> Any:
    """Return what a module holds: the numbers of the user's own become constants of the emitted module."""
    is_known = isinstance(owner, types.ModuleType) and owner.__name__.partition(".")[0] in READ_MODULES
    if isinstance(found, int | float | complex):
        if is_known and not owner.__name__.startswith("scipy."):
            return Constant(found, type_of(found), text=_spelled(owner, name))
        return reader.constant(found, name)
    if isinstance(found, np.ndarray | np.generic) and not is_known:
        return array_constant(reader, found, name, syntax)
    return List(found) if isinstance(found, list) else found


def _attribute_of_value(reader: Reader, owner: Value, name: str, syntax: cst.CSTNode) -> Any:
    # to a rule a list is an array
    if owner.type.is_list and not reader.inlined:
        return Method(owner, name)
    if name == "shape":
        return reader.apply(syntax, np.shape, owner, form=".shape")
    if name == "ndim":
        return owner.rank
    if name == "dtype":
        return owner.dtype
    if name == "mT" and reader.inlined and owner.rank == 2:
        # a rule for stacks of matrices reads as usual for one matrix
        name = "T"
    if name in PROPERTIES:
        return reader.apply(syntax, PROPERTIES[name], owner, form=f".{name}")
    if not hasattr(np.ndarray, name):
        near = difflib.get_close_matches(name, dir(np.ndarray), n=1)
        place = syntax.attr if isinstance(syntax, cst.Attribute) else syntax
        reader.fail(f"an array has no `{name}`", place, f"did you mean `{near[0]}`?" if near else "")
    return Method(owner, name)
