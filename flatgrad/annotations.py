"""What annotations tell of parameters: numbers, arrays and their shapes, strings and other options, structures of these.

In: the syntax of an annotation, and what its names stand for. Out: a `Form`. Nothing of it is run. Layer: above `frontend`.
"""

from __future__ import annotations

import ast
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from flatgrad.annotated_classes import AnnotatedClass, Field, Finder, annotated_class, is_users_class
from flatgrad.frontend.constants import NotConstant, evaluate, names_only
from flatgrad.frontend.source import ForeignObject, NameUnknown


@dataclass(frozen=True, slots=True)
class Annotated:
    """A number or an array. `shape` holds numbers and names of sizes; it is None where the rank is not told.

    `static` marks what has to be known when the code is written: a string, a truth value, None.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | str, ...] | None = ()
    weak: bool = False
    static: bool = False


@dataclass(frozen=True, slots=True)
class Static:
    """An argument, or a part of one, that is known when the code is written."""

    value: Any


@dataclass(frozen=True, slots=True)
class Optional:
    """What may be None instead."""

    form: Form


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list or a tuple: the form of each part, or that of all of them where it is not told how many there are."""

    kind: type[list[Any]] | type[tuple[Any, ...]]
    parts: tuple[Form | None, ...] | None = None
    each: Form | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A dict whose keys are not told; `each` is the form of its values."""

    each: Form | None


@dataclass(frozen=True, slots=True)
class Attributes:
    """An object of a class of the user's, or a dict with known keys (`is_dict`), and the names of its fields.

    The form of a field is found when it is asked for: a class may have fields of its own kind.
    """

    described: AnnotatedClass

    @property
    def fields(self) -> Mapping[str, Field]:
        """The fields by name, in order."""
        return self.described.fields

    def form(self, name: str) -> Form | None:
        """Return what the annotation of a field tells."""
        field = self.fields[name]
        if field.annotation is None:
            return None if field.value is None else _form_of_value(field.value, field.names)
        if isinstance(field.annotation, ast.expr):
            return form_of(field.annotation, field.names)
        return _form_of_object(field.annotation)


Form = Annotated | Optional | Sequence | Table | Attributes

DTYPES: dict[str, type[Any]] = {
    "Float": np.float64, "Float16": np.float16, "Float32": np.float32, "Float64": np.float64, "Inexact": np.float64,
    "Real": np.float64, "Num": np.float64, "Shaped": np.float64, "Int": np.int64, "Integer": np.int64,
    "Int8": np.int8, "Int16": np.int16, "Int32": np.int32, "Int64": np.int64, "UInt": np.uint64, "UInt8": np.uint8,
    "UInt16": np.uint16, "UInt32": np.uint32, "UInt64": np.uint64, "Bool": np.bool_,
}  # fmt: skip
NUMBERS = {"float": np.float64, "int": np.int64}
STATIC = frozenset({"str", "bool", "None"})
ARRAYS = frozenset({"ndarray", "NDArray", "ArrayLike", "Array"})
LISTS = frozenset({"list", "List", "Sequence", "MutableSequence", "Iterable", "Collection"})
TUPLES = frozenset({"tuple", "Tuple"})
DICTS = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
# these say something about a type that its first argument is
WRAPPERS = frozenset({"Annotated", "Final", "Required", "NotRequired", "ReadOnly", "InitVar"})
OPTION = Annotated(np.dtype(np.bool_), (), static=True)


def form_of(syntax: ast.expr, names: Finder) -> Form | None:
    """Return what an annotation tells, or None where it tells nothing of numbers, arrays and structures of them."""
    match syntax:
        case ast.Constant(str(text)):
            inner = _parsed(text)
            return None if inner is None else form_of(inner, names)
        case ast.Constant(None):
            return OPTION
        case ast.BinOp(left, ast.BitOr(), right):
            return _one_of([left, right], names)
        case ast.Subscript():
            return _subscripted(syntax, names)
        case ast.Name() | ast.Attribute():
            return _named(syntax, names)
    return None


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None


def _one_of(options: list[ast.expr], names: Finder) -> Form | None:
    """Return the form of what may be None; None where it may be several things."""
    pending, kinds = list(options), list[ast.expr]()
    while pending:
        option = pending.pop(0)
        match option:
            case ast.BinOp(left, ast.BitOr(), right):
                pending[:0] = [left, right]
            case ast.Constant(None):
                pass
            case _:
                kinds.append(option)
    form = form_of(kinds[0], names) if len(kinds) == 1 else None
    return None if form is None else Optional(form)


def _named(syntax: ast.expr, names: Finder) -> Form | None:
    name = _last_name(syntax)
    if name in NUMBERS:
        return Annotated(np.dtype(NUMBERS[name]), (), weak=True)
    if name in STATIC:
        return OPTION
    found = _resolved(syntax, names)
    if is_users_class(found):
        described = annotated_class(found)
        return None if described is None else Attributes(described)
    if name in ARRAYS:
        return Annotated(np.dtype(np.float64), None)
    if name in LISTS:
        return Sequence(list)
    if name in TUPLES:
        return Sequence(tuple)
    if name in DICTS:
        return Table(None)
    return None if found is None else _form_of_object(found)


def _resolved(syntax: ast.expr, names: Finder) -> object:
    """Return what a name stands for; None where that can't be told, as for what only type checkers import."""
    try:
        return evaluate(syntax, names_only(names.find))
    except (NotConstant, NameUnknown):
        return None


def _subscripted(syntax: ast.Subscript, names: Finder) -> Form | None:
    name = _last_name(syntax.value)
    arguments = syntax.slice.elts if isinstance(syntax.slice, ast.Tuple) else [syntax.slice]
    first = arguments[0] if arguments else None
    if name == "Literal":
        return OPTION
    if name in ARRAYS:
        return Annotated(np.dtype(np.float64), None)
    if name in WRAPPERS and first is not None:
        return form_of(first, names)
    if name == "Optional" and first is not None:
        return _one_of([first, ast.Constant(None)], names)
    if name == "Union":
        return _one_of(list(arguments), names)
    if name in LISTS and first is not None:
        return Sequence(list, each=form_of(first, names))
    if name in TUPLES:
        return _tuple(list(arguments), names)
    if name in DICTS and len(arguments) == 2:
        return Table(form_of(arguments[1], names))
    if name in DTYPES and len(arguments) == 2:
        text = arguments[1]
        if isinstance(text, ast.Constant) and isinstance(text.value, str):
            return Annotated(np.dtype(DTYPES[name]), sizes_in(text.value))
    return None


def _form_of_value(value: ast.expr, names: Finder) -> Form | None:
    """Return what is known of what an expression makes: objects of the user's classes, and lists and tuples of such."""
    match value:
        case ast.Call(ast.Name() | ast.Attribute() as called):
            found = _resolved(called, names)
            described = annotated_class(found) if is_users_class(found) else None
            return None if described is None else Attributes(described)
        case ast.List(elts) | ast.Tuple(elts):
            kind: type[Any] = list if isinstance(value, ast.List) else tuple
            parts = tuple([_form_of_value(part, names) for part in elts])
            return Sequence(kind, parts) if parts and None not in parts else None
        case ast.ListComp(elt):
            return Sequence(list, each=_form_of_value(elt, names))
    return None


def _tuple(arguments: list[ast.expr], names: Finder) -> Sequence:
    match arguments:
        case [each, ast.Constant(value)] if value is Ellipsis:
            return Sequence(tuple, each=form_of(each, names))
    return Sequence(tuple, tuple([form_of(part, names) for part in arguments]))


# sizes that are computed from others: 4*h, n-1
COMPUTED = re.compile(r"\w+(?:[-+*]\w+)+")


def sizes_in(text: str) -> tuple[int | str, ...] | None:
    """Return the sizes in a jaxtyping string; None where it leaves the rank open."""
    sizes: list[int | str] = []
    for part in text.split():
        if part == "..." or part.startswith("*"):
            return None
        # `#` allows broadcasting and `?` differs from leaf to leaf: neither is a known size
        open_size = part.startswith(("#", "?"))
        part = part.split("=")[-1].lstrip("#?")
        if part.isdecimal():
            sizes.append(int(part))
        elif not open_size and not part.startswith("_") and (part.isidentifier() or COMPUTED.fullmatch(part)):
            sizes.append(part)
        else:
            sizes.append("_")
    return tuple(sizes)


def _last_name(syntax: ast.expr) -> str:
    if isinstance(syntax, ast.Attribute):
        return syntax.attr
    return syntax.id if isinstance(syntax, ast.Name) else ""


@dataclass(frozen=True, slots=True)
class _Given:
    """Names for the parts of a type that is there as an object."""

    objects: Mapping[str, object]

    def find(self, name: str) -> object:
        """Return the object that a name was made up for. Raises NameUnknown."""
        if name not in self.objects:
            raise NameUnknown(f"`{name}` is not defined")
        return self.objects[name]


def _form_of_object(found: object) -> Form | None:
    """Return what a name for a type tells, such as ``Weights = Float[np.ndarray, "d h"]``."""
    objects: dict[str, object] = {}
    syntax = syntax_of_type(found, objects)
    return None if syntax is None else form_of(syntax, _Given(objects))


def syntax_of_type(found: object, objects: dict[str, object]) -> ast.expr | None:
    """Return a type as the syntax of an annotation; classes of the user's get names there, entered into `objects`."""
    if found is None or found is type(None):
        return ast.Constant(None)
    if isinstance(found, str) or found is Ellipsis:
        return ast.Constant(found)
    if isinstance(found, typing.ForwardRef):
        return ast.Constant(found.__forward_arg__)
    if is_users_class(found):
        name = f"class_{len(objects)}"
        objects[name] = found
        return ast.Name(name)
    if isinstance(found, ForeignObject):
        return _applied(found.dotted_name.rpartition(".")[2], found.arguments, objects)
    origin = typing.get_origin(found)
    if origin is types.UnionType:
        origin = typing.Union
    if origin is not None:
        name = getattr(origin, "__name__", None) or str(origin).rpartition(".")[2]
        return _applied(name, typing.get_args(found), objects)
    # jaxtyping's types are classes whose name is the annotation
    name = getattr(found, "__name__", "")
    return _parsed(name) if isinstance(found, type) and name else None


def _applied(name: str, arguments: tuple[object, ...], objects: dict[str, object]) -> ast.expr | None:
    parts = [syntax_of_type(argument, objects) for argument in arguments]
    if not parts:
        return ast.Name(name)
    known = [ast.Name("Unknown") if part is None else part for part in parts]
    return ast.Subscript(ast.Name(name), ast.Tuple(known) if len(known) > 1 else known[0])
