"""Reads attributes: of arrays, of modules, of what is known when the code is written. Fills EXPRESSIONS. Layer: beside `reader`."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import libcst as cst
import numpy as np

from flatgrad.frontend.constants import READ_MODULES
from flatgrad.frontend.expressions import array_constant
from flatgrad.frontend.known import plain_number
from flatgrad.frontend.reader import Reader, described, reads
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.static_objects import StaticModule
from flatgrad.graph.values import Constant, List, Slice, Value
from flatgrad.infer import type_of

# attributes of an array that are read as functions of it
PROPERTIES: dict[str, Callable[..., Any]] = {"T": np.transpose, "mT": np.matrix_transpose, "size": np.size}


@dataclass(frozen=True, slots=True)
class Method:
    """A method of an array, before it is called."""

    value: Value
    name: str


@reads(cst.Attribute)
def read_attribute(reader: Reader, syntax: cst.Attribute) -> Any:
    owner = reader.expression(syntax.value)
    name = syntax.attr.value
    if isinstance(owner, Value):
        return _attribute_of_value(reader, owner, name, syntax)
    if isinstance(owner, tuple | Slice | Method):
        reader.fail(f"`.{name}` of {described(owner)} can't be read", syntax)
    found = plain_number(reader, _member(reader, owner, name, syntax), syntax)
    if isinstance(owner, StaticModule | types.ModuleType) and not reader.inlined:
        return _member_of_module(reader, owner, name, found, syntax)
    if isinstance(found, int | float) and isinstance(owner, types.ModuleType):
        constant = Constant(found, type_of(found), text=_spelled(owner, name))
        reader.spelled_out.add(constant)
        return constant
    return found


def _member(reader: Reader, owner: Any, name: str, syntax: cst.Attribute) -> Any:
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


def _member_of_module(reader: Reader, owner: Any, name: str, found: Any, syntax: cst.Attribute) -> Any:
    """Return what a module holds: the numbers of the user's own become constants of the emitted module."""
    is_known = isinstance(owner, types.ModuleType) and owner.__name__.partition(".")[0] in READ_MODULES
    if isinstance(found, int | float):
        if is_known:
            return Constant(found, type_of(found), text=_spelled(owner, name))
        return reader.constant(found, name)
    if isinstance(found, np.ndarray | np.generic) and not is_known:
        return array_constant(reader, found, name, syntax)
    return List(found) if isinstance(found, list) else found


def _attribute_of_value(reader: Reader, owner: Value, name: str, syntax: cst.Attribute) -> Any:
    if name == "shape":
        return reader.apply(syntax, np.shape, owner, form=".shape")
    if name == "ndim":
        return owner.rank
    if name == "dtype":
        return owner.dtype
    if name in PROPERTIES:
        return reader.apply(syntax, PROPERTIES[name], owner, form=f".{name}")
    if not hasattr(np.ndarray, name):
        near = difflib.get_close_matches(name, dir(np.ndarray), n=1)
        reader.fail(f"an array has no `{name}`", syntax.attr, f"did you mean `{near[0]}`?" if near else "")
    return Method(owner, name)
