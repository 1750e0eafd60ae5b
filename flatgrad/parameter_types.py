"""Puts together what is known of a parameter: its annotation, the shapes given for it, its default, and how it is used.

In: these, for a parameter or a part of one. Out: a `Type`, a `Static`, or a structure of such, and what is missing. Layer:
above `annotations` and `given_shapes`.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from flatgrad.annotated_classes import NO_VALUE
from flatgrad.annotations import Annotated, Attributes, Form, Optional, Sequence, Static, Table
from flatgrad.errors import SignatureError
from flatgrad.frontend.static_objects import Partial, StaticCall, StaticClass, StaticFunction
from flatgrad.frontend.used_parts import EVERY, Use, Used
from flatgrad.given_shapes import EACH, Given, Step, path_text
from flatgrad.graph.containers import Dict, List, Record
from flatgrad.graph.size import Size, minus, plus, symbolic, times
from flatgrad.graph.values import FLOAT, Type
from flatgrad.infer import type_of
from flatgrad.parts import Opaque, Untold, inside, is_static_part
from flatgrad.structures import spelled, structure_of

Path = tuple[Step, ...]
# a class with fields of its own kind has no end
DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that shapes have to say: the text to write, and where it is needed. `kind` is "array", "function" or ""."""

    path: Path
    text: str
    use: Use | None = None
    kind: str = ""

    @property
    def place(self) -> str:
        """The part as it is written in shapes."""
        return self.text.rpartition("=")[0]


@dataclass(slots=True)
class Known:
    """What is known of a part: its annotation, what is given for it, its uses, and its default."""

    form: Form | None = None
    given: Given = field(default_factory=Given)
    used: Used = field(default_factory=Used)
    default: Any = NO_VALUE


class ParameterTypes:
    """Makes types of what is known. Names of sizes stand for the same size everywhere.

    `missing` and `assumed` collect what shapes have to say and what was taken for granted, `pinned` are places whose numbers
    decide what code is written.
    """

    def __init__(self, pinned: frozenset[str] = frozenset()) -> None:
        self.pinned = {spelled(place) for place in pinned}
        self.symbols: dict[str, Size] = {}
        self.missing: list[Missing] = []
        self.assumed: list[str] = []

    def of(self, path: Path, known: Known) -> Any:
        """Return the type of a parameter or a part, None where it is missing. Raises SignatureError for shapes that don't fit."""
        if len(path) > DEEPEST:
            raise SignatureError(
                f"`{path_text(path[:3])}` holds objects of its own kind without end", "give it a default"
            )
        given, form = known.given, known.form
        if spelled(path_text(path)) in self.pinned:
            return self._static(path, given.leaf.value if isinstance(given.leaf, Static) else known.default)
        if given.leaf is not None:
            if given.has_parts:
                raise SignatureError(f"shapes has `{path_text(path)}` and parts of it")
            return self._leaf(path, given.leaf)
        if isinstance(form, Optional):
            if not given.has_parts and known.default is not NO_VALUE:
                return self._default(path, known.default)
            form = form.form
        if isinstance(form, Annotated):
            return self._annotated(path, form, known)
        if isinstance(form, Attributes):
            return self._attributes(path, form, known)
        if isinstance(form, Sequence) and (given.has_parts or known.default is NO_VALUE):
            return self._sequence(path, form, known)
        if given.has_parts:
            return self._of_given_parts(path, form.each if isinstance(form, Table) else None, known)
        if known.default is not NO_VALUE:
            return self._default(path, known.default)
        if isinstance(form, Table):
            return self._table(path, form, known)
        return self._by_use(path, known.used)

    def _miss(self, path: Path, value: str, use: Use | None = None, kind: str = "") -> None:
        self.missing.append(Missing(path, f"{path_text(path)}={value}", use, kind))

    # leaves

    def _leaf(self, path: Path, leaf: Annotated | Static) -> Any:
        if isinstance(leaf, Static):
            return leaf
        if leaf.weak and leaf.dtype.kind == "i" and len(path) > 1:
            return self._miss(path, "...")
        return self._type(leaf)

    def _type(self, leaf: Annotated) -> Type:
        assert leaf.shape is not None
        return Type(leaf.dtype, tuple([self.size(size) for size in leaf.shape]), leaf.weak)

    def _annotated(self, path: Path, form: Annotated, known: Known) -> Any:
        """Return the type of what is annotated as a number, an array or an option."""
        if known.given.has_parts:
            raise SignatureError(f"shapes has parts of `{path_text(path)}`, which is annotated as a number or an array")
        decides = form.static or (form.weak and form.dtype.kind == "i" and len(path) > 1)
        if decides and known.default is NO_VALUE:
            return self._miss(path, "...", known.used.first)
        if decides:
            return self._static(path, known.default)
        if form.shape is None:
            return self._miss(path, "(...)", known.used.first, "array")
        return self._type(form)

    def _static(self, path: Path, value: Any) -> Any:
        if value is NO_VALUE:
            raise SignatureError(
                f"`{path_text(path)}` decides what code is written, and has no default",
                f"give it: {path_text(path)}=...",
            )
        return Static(value)

    def _default(self, path: Path, value: Any) -> Any:
        """Return the type of a default: containers are taken apart."""
        if inside(value) is not None and not is_static_part(value):
            return structure_of(path_text(path), value, lambda place, part: _type_of_part(part, nested=True))
        return _type_of_part(value, nested=len(path) > 1)

    # structures

    def _attributes(self, path: Path, form: Attributes, known: Known) -> Any:
        """Return an object, or a dict with known keys."""
        described, given, used = form.described, known.given, known.used
        is_open = described.style == "plain"
        unknown = [step for step in given.parts if step not in form.fields]
        if unknown and not (is_open and all(isinstance(step, str) for step in unknown)):
            fields = ", ".join(form.fields)
            place = path_text((*path, unknown[0]))
            raise SignatureError(f"shapes has `{place}`, and {described.name} has no such field", f"it has {fields}")
        parts: dict[Any, Any] = {}
        for name, each in form.fields.items():
            inner = Known(form.form(name), _given(given, name), used.of(name), each.default)
            is_told = (
                inner.form is not None or inner.given.has_parts or inner.given.leaf or inner.default is not NO_VALUE
            )
            if is_open and not is_told and inner.used.first is None:
                # what is not used need not be known
                parts[name] = Static(Untold(path_text((*path, name))))
                continue
            parts[name] = self.of((*path, name), inner)
        for step in unknown:
            parts[step] = self.of((*path, step), Known(None, given.parts[step], used.of(str(step))))
        if is_open:
            parts |= self._undeclared(path, form, used, parts)
        return Dict.of(parts) if described.style == "dict" else Record.of(described.kind, parts)

    def _undeclared(self, path: Path, form: Attributes, used: Used, parts: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return the attributes of an object that are used, and that its class does not speak of."""
        wanted = [
            name
            for name, part in used.parts.items()
            if isinstance(name, str) and name not in parts and part.first is not None
        ]
        return {
            name: self._by_use((*path, name), used.parts[name])
            for name in wanted
            if not _has_member(form.described.kind, name)
        }

    def _sequence(self, path: Path, form: Sequence, known: Known) -> Any:
        """Return a list or a tuple."""
        given = known.given
        numbers = given.numbers()
        if form.parts is not None:
            count: int | None = len(form.parts)
        elif given.count is not None:
            count = given.count
        elif given.kind is not None or (numbers and numbers == list(range(len(numbers)))):
            count = len(numbers)
        else:
            count = None
        if count is None:
            self.missing.append(Missing(path, f"len({path_text(path)})=...", known.used.first))
            self._each(path, form, known)
            return None
        beyond = [number for number in numbers if number >= count]
        if beyond:
            raise SignatureError(
                f"shapes has `{path_text((*path, beyond[0]))}`, and `{path_text(path)}` has {count} parts"
            )
        parts = [self.of((*path, number), self._of_element(form, known, number)) for number in range(count)]
        return List(parts) if form.kind is list else tuple(parts)

    def _of_element(self, form: Sequence, known: Known, number: int) -> Known:
        inner = form.each if form.parts is None else form.parts[number]
        given = merged(known.given.parts.get(EACH), known.given.parts.get(number))
        return Known(inner, given, known.used.of(number))

    def _each(self, path: Path, form: Sequence, known: Known) -> None:
        """Note what is missing of the parts of a list whose length is missing."""
        every = Known(form.each, known.given.parts.get(EACH, Given()), known.used.of(EVERY))
        if (
            every.form is not None
            or every.given.leaf is not None
            or every.given.has_parts
            or every.used.first is not None
        ):
            self.of((*path, EACH), every)

    def _table(self, path: Path, form: Table, known: Known) -> Any:
        """Note the keys of a dict that are not told."""
        keys = [key for key, part in known.used.parts.items() if key != EVERY and part.first is not None]
        if not keys or known.used.is_iterated is not None:
            return self._miss((*path, "NAME"), _text(form.each), known.used.first)
        for key in keys:
            self._miss((*path, key), _text(form.each), known.used.first)
        return None

    def _of_given_parts(self, path: Path, each: Form | None, known: Known) -> Any:
        """Return the structure whose parts are given."""
        given, used = known.given, known.used
        keys = [step for step in given.parts if isinstance(step, str)]
        if not keys and not given.is_dict and each is None:
            kind = given.kind or (tuple if used.as_tuple is not None else list)
            return self._sequence(path, Sequence(kind), known)
        if EACH in given.parts or given.count is not None or (keys and given.numbers() and not given.is_dict):
            raise SignatureError(f"shapes has `{path_text(path)}` as a list and as a dict or an object")
        parts: dict[Any, Any] = {}
        for key, inner in given.parts.items():
            parts[key] = self.of((*path, key), Known(each, inner, used.of(key)))  # type: ignore[arg-type]
        for key in used.parts:
            if isinstance(key, str) and key not in parts and used.parts[key].first is not None:
                parts[key] = self.of((*path, key), Known(each, Given(), used.parts[key]))
        is_object = used.as_object is not None and used.as_dict is None and not given.is_dict and each is None
        return Record.of(types.SimpleNamespace, parts) if is_object else Dict.of(parts)

    def _by_use(self, path: Path, used: Used) -> Any:
        """Note what is missing of something that only its use tells of."""
        if used.is_structure:
            return self._structure_by_use(path, used)
        if used.as_function is not None:
            return self._miss(path, "...", used.as_function, "function")
        use = used.as_array or used.as_list or used.as_tuple
        if use is not None:
            return self._miss(path, "(...)", use, "array")
        if len(path) > 1:
            return self._miss(path, "...", used.first)
        self.assumed.append(path_text(path))
        return FLOAT

    def _structure_by_use(self, path: Path, used: Used) -> None:
        names = [key for key, part in used.parts.items() if isinstance(key, str) and part.first is not None]
        numbers = [key for key in used.parts if isinstance(key, int) and key != EVERY]
        if used.as_dict is None and used.as_object is None:
            is_told = used.as_tuple is not None and used.count is not None
            if not is_told:
                self.missing.append(Missing(path, f"len({path_text(path)})=...", used.first))
            each: list[Step] = list(numbers) if is_told or EVERY not in used.parts else [EACH]
            for step in each:
                self._by_use((*path, step), used.of(EVERY if step is EACH else step))
            return
        for name in names:
            self._by_use((*path, name), used.of(name))
        if not names:
            self._miss((*path, "NAME"), "(...)", used.first)

    # sizes

    def size(self, size: int | str) -> Size:
        """Return a size by its number or its name."""
        if isinstance(size, int):
            return size
        if size == "_":
            return symbolic()
        if not size.isidentifier():
            return self._computed(ast.parse(size, mode="eval").body)
        return self.symbols.setdefault(size, symbolic(size))

    def _computed(self, node: ast.expr) -> Size:
        """Return the size that an annotation such as ``4*h`` computes from others."""
        if isinstance(node, ast.BinOp):
            combine = {ast.Add: plus, ast.Sub: minus, ast.Mult: times}[type(node.op)]
            return combine(self._computed(node.left), self._computed(node.right))
        return self.size(int(node.value) if isinstance(node, ast.Constant) else ast.unparse(node))  # type: ignore[arg-type]


def merged(every: Given | None, own: Given | None) -> Given:
    """Return what is given for all parts of a list with what is given for one of them, which counts more."""
    if every is None or own is None:
        return own or every or Given()
    if own.leaf is not None:
        return own
    steps = dict.fromkeys((*every.parts, *own.parts))
    parts = {step: merged(every.parts.get(step), own.parts.get(step)) for step in steps}
    count = every.count if own.count is None else own.count
    return Given(None, count, every.is_dict or own.is_dict, own.kind or every.kind, parts)


def _given(given: Given, step: Step) -> Given:
    return given.parts.get(step) or Given()


def _has_member(kind: Any, name: str) -> bool:
    """Tell whether a class has something under a name itself: a method, a constant."""
    owners = kind.mro if isinstance(kind, StaticClass) else kind.__mro__
    return any(name in (owner.held if isinstance(kind, StaticClass) else vars(owner)) for owner in owners)


def _type_of_part(value: Any, *, nested: bool) -> Any:
    """Return what is known of a default, or of a part of one."""
    is_static = is_static_part(value) if nested else (is_static_part(value) and type(value) is not int)
    if is_static or isinstance(value, StaticFunction | StaticCall | Partial):
        return Static(value)
    if isinstance(value, int | float | np.ndarray | np.generic):
        found = type_of(value)
        if found.dtype.kind in "fcbiu":
            return found
    return Static(value if isinstance(value, Opaque) else Opaque(type(value).__name__))


def _text(form: Form | None) -> str:
    """Return what shapes may say of something with an annotation; dots where that is open."""
    if isinstance(form, Annotated) and form.shape is not None and not form.static:
        if form.weak:
            return str(Type(form.dtype, (), weak=True)) if form.dtype.kind == "f" else "..."
        dtype = "" if form.dtype == np.float64 else "int" if form.dtype == np.int64 else str(form.dtype)
        return f"{dtype}({','.join(map(str, form.shape))}{',' * (len(form.shape) == 1)})"
    return "..." if isinstance(form, Annotated) and form.static else "(...)"
