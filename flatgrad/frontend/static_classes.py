"""Classes that a file defines, as far as they can be told without running it: fields, methods, constants, order of bases.

In: the syntax of a class, and what the names of its file stand for. Out: `FileClass`, whose parts look as those of a
class object do: functions, and `property`, `staticmethod` and `classmethod` around functions. Layer: `frontend`, above
`constants`, below `static_names`.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import libcst as cst

from flatgrad.frontend.bindings import Bindings
from flatgrad.frontend.class_syntax import Classes, changed_by, merged, stored
from flatgrad.frontend.constants import NotConstant, evaluate, is_immutable
from flatgrad.frontend.source import ForeignObject, Names, NameUnknown, Source
from flatgrad.frontend.static_instances import instance_of
from flatgrad.frontend.static_objects import StaticClass, StaticFunction
from flatgrad.frontend.trees import AnyDef


class _Missing:
    """Stands for what is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()

# bases that add nothing that a program reads
EMPTY_BASES = ("abc.ABC", "typing.Protocol", "typing.Generic", "typing_extensions.Protocol")
STYLES = {
    "typing.NamedTuple": "namedtuple", "typing.TypedDict": "typeddict", "typing_extensions.TypedDict": "typeddict",
}  # fmt: skip
WRAPPERS = {
    "staticmethod": staticmethod, "classmethod": classmethod, "property": property,
    "functools.cached_property": functools.cached_property,
}  # fmt: skip
# decorators that leave a method as it is
WITHOUT_EFFECT = (
    "abc.abstractmethod", "typing.override", "typing_extensions.override", "typing.final",
    "flatgrad.flatgrad", "flatgrad.decorator.flatgrad",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a dataclass, named tuple or TypedDict, or an annotated attribute of another class.

    `annotation` is the syntax of its type, whose names are in `names`. `default` and `factory` are MISSING where there is
    none; a `NameUnknown` says why one can't be told. One that is not `stored` is an argument for `__post_init__` only.
    """

    name: str
    annotation: cst.BaseExpression | None = None
    names: Names | None = None
    default: Any = MISSING
    factory: Any = MISSING
    init: bool = True
    keyword_only: bool = False
    stored: bool = True

    @property
    def has_default(self) -> bool:
        """Whether a call may leave it out."""
        return self.default is not MISSING or self.factory is not MISSING

    @property
    def has_factory(self) -> bool:
        """Whether its default is made anew for each object."""
        return self.factory is not MISSING


class FileNames(Names, Protocol):
    """What names stand for in a file."""

    source: Source
    bindings: Bindings

    def known_at(self, name: str | ast.Lambda, order: int) -> Any:
        """Return what a name stands for just before a statement of the file, or what a lambda makes. Raises NameUnknown."""
        ...


@dataclass(frozen=True, slots=True)
class _Unevaluated:
    """What a class holds under a name, as it is written."""

    expression: ast.expr


@dataclass(frozen=True, slots=True)
class _Unclear:
    """What a class holds under a name depends on how the file runs."""

    statement: ast.stmt


class FileClass(StaticClass):
    """A class that a file defines, by the statement with the number `order` there."""

    def __init__(self, name: str, node: ast.ClassDef, names: FileNames, order: int) -> None:
        self.name = name
        self.node = node
        self.names = names
        self.order = order

    def __repr__(self) -> str:
        return f"<class {self.name}>"

    @property
    def line(self) -> int:
        return self.names.source.span(self.node)[0]

    @cached_property
    def bases(self) -> tuple[Any, ...]:
        """The classes that it inherits from, but for those that add nothing. Raises NameUnknown."""
        for keyword in self.node.keywords:
            if keyword.arg not in ("total", "closed"):
                raise NameUnknown(f"the class `{self.name}` has a {keyword.arg or '**'} that is not followed")
        written = [base.value if isinstance(base, ast.Subscript) else base for base in self.node.bases]
        found = [self._found(base) for base in written]
        return tuple(base for base in found if base is not object and _dotted(base) not in (*EMPTY_BASES, *STYLES))

    @cached_property
    def mro(self) -> tuple[Any, ...]:
        """The class and all that it inherits from, in the order in which Python looks. Raises NameUnknown."""
        for base in self.bases:
            if not isinstance(base, FileClass):
                described = _dotted(base) or getattr(base, "__name__", "")
                raise NameUnknown(f"the class `{self.name}` inherits from `{described}`, which is not followed")
        order = merged([list(base.mro) for base in self.bases] + [list(self.bases)])
        if order is None:
            raise NameUnknown(f"the bases of the class `{self.name}` can't be put in order")
        return (self, *order)

    @cached_property
    def is_protocol(self) -> bool:
        """Whether it is a typing.Protocol: what has its methods is an instance."""
        return any(self._dotted_name(base).endswith(".Protocol") for base in self.node.bases)

    @cached_property
    def style(self) -> str:
        """What makes its objects: "plain" (an `__init__`), "dataclass", "namedtuple" or "typeddict". Raises NameUnknown."""
        own = [STYLES[dotted] for base in self.node.bases if (dotted := self._dotted_name(base)) in STYLES]
        if own:
            return own[0]
        if self.options is not None:
            return "dataclass"
        inherited = [base.style for base in self.bases if isinstance(base, FileClass)]
        return next((style for style in inherited if style != "plain"), "plain")

    @cached_property
    def options(self) -> dict[str, Any] | None:
        """The options of its `dataclass` decorator; None for another class. Raises NameUnknown for other decorators."""
        options: dict[str, Any] | None = None
        for decorator in self.node.decorator_list:
            called = decorator.func if isinstance(decorator, ast.Call) else decorator
            dotted = self._dotted_name(called)
            if dotted == "dataclasses.dataclass":
                keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
                options = {keyword.arg or "**": self._found(keyword.value) for keyword in keywords}
            elif dotted not in ("typing.final", "typing.runtime_checkable"):
                raise NameUnknown(
                    f"what `@{ast.unparse(decorator):.60}` makes of the class `{self.name}` can't be told",
                    "remove the decorator",
                )
        return options

    def option(self, name: str) -> Any:
        """Return an option of the `dataclass` decorator, of this class or one that it inherits from."""
        return next((each.options[name] for each in self.mro if each.options and name in each.options), False)

    def member(self, name: str) -> object:
        """Return what is found under a name on the class itself: a static method's function, a constant. Raises NameUnknown."""
        for each in self.mro:
            found = each.own(name)
            if found is not MISSING:
                return found.__func__ if isinstance(found, staticmethod) else found
        raise NameUnknown(f"the class `{self.name}` has no `{name}`")

    def written(self, name: str) -> Any:
        """Return what the class itself holds under a name, where that is no expression; MISSING where it holds nothing."""
        return self._body.get(name, MISSING)

    def own(self, name: str) -> Any:
        """Return what the class itself holds under a name, MISSING where it holds nothing. Raises NameUnknown."""
        found = self._body.get(name, MISSING)
        if isinstance(found, _Unclear):
            line = self.names.source.span(found.statement)[0]
            raise NameUnknown(f"what `{name}` of the class `{self.name}` is depends on how the file runs (line {line})")
        if not isinstance(found, _Unevaluated):
            return found
        if isinstance(found.expression, ast.Call) and ast.unparse(found.expression.func) == "staticmethod":
            return staticmethod(self._found(found.expression.args[0]))
        value = self._found(found.expression)
        self._require_constant(name, is_mutable=not is_immutable(value))
        return value

    def is_call(self, name: str, function: str) -> bool:
        """Tell whether what the class holds under a name is a call of a function, such as "enum.auto"."""
        found = self._body.get(name)
        made = found.expression if isinstance(found, _Unevaluated) else None
        return isinstance(made, ast.Call) and self._dotted_name(made.func) == function

    @cached_property
    def held(self) -> tuple[str, ...]:
        """The names of what the class itself holds."""
        return tuple(self._body)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """The annotated attributes, those of the bases first. Raises NameUnknown."""
        found: dict[str, Field] = {}
        for each in reversed(self.mro):
            if each.style in ("plain", "typeddict") or each.options is not None or each.style == "namedtuple":
                found |= {field.name: field for field in each._own_fields}
        return tuple(found.values())

    @cached_property
    def is_frozen(self) -> bool:  # type: ignore[override]
        """Whether nothing can change the attributes of its objects."""
        return self.style == "namedtuple" or (self.style == "dataclass" and bool(self.option("frozen")))

    def instance(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what a call of the class makes, where its fields tell all of that. Raises NameUnknown."""
        return instance_of(self, args, kwargs)

    @cached_property
    def _own_fields(self) -> list[Field]:
        fields = []
        keyword_only = bool(self.options and self.options.get("kw_only"))
        for statement, syntax in zip(self.node.body, self._statements, strict=True):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            assert isinstance(syntax, cst.AnnAssign)
            annotation = syntax.annotation.annotation
            kind = ast.unparse(statement.annotation)
            if kind in ("KW_ONLY", "dataclasses.KW_ONLY"):
                keyword_only = True
            elif not kind.startswith(("ClassVar", "typing.ClassVar")):
                fields.append(self._field(statement, statement.target.id, annotation, keyword_only))
        return fields

    def _field(self, node: ast.AnnAssign, name: str, annotation: cst.BaseExpression, keyword_only: bool) -> Field:
        given: dict[str, Any] = {}
        value = node.value
        if isinstance(value, ast.Call) and self._dotted_name(value.func) == "dataclasses.field":
            words = {keyword.arg or "**": keyword.value for keyword in value.keywords}
            given = {word: self._known(words[word]) for word in ("default", "init", "kw_only") if word in words}
            if "default_factory" in words:
                given["factory"] = self._known(words["default_factory"])
            keyword_only = bool(given.pop("kw_only", keyword_only))
        elif value is not None:
            given = {"default": self._known(value)}
        stored = not ast.unparse(node.annotation).startswith(("InitVar", "dataclasses.InitVar"))
        return Field(name, annotation, self.names, keyword_only=keyword_only, stored=stored, **given)

    @cached_property
    def _statements(self) -> list[cst.CSTNode]:
        """The statements of the body, of the other tree."""
        nodes = [each for each in ast.walk(self.names.source.tree) if isinstance(each, ast.ClassDef)]
        nodes.sort(key=lambda each: (each.lineno, each.col_offset))
        classes = Classes()
        self.names.source.module.visit(classes)
        body = classes.found[nodes.index(self.node)].body
        lines: Sequence[cst.CSTNode] = body.body
        return [part for line in lines for part in (line.body if isinstance(line, cst.SimpleStatementLine) else [line])]

    @cached_property
    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for statement in self.node.body:
            match statement:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    found[statement.name] = self._method(statement, found)
                case ast.Assign(targets=[ast.Name(name)], value=value):
                    found[name] = _Unevaluated(value)
                case ast.AnnAssign(target=ast.Name(name), value=value):
                    if value is not None and self._dotted_name(getattr(value, "func", value)) != "dataclasses.field":
                        found[name] = _Unevaluated(value)
                case ast.Expr(ast.Constant()) | ast.Pass():
                    continue
                case _:
                    found |= dict.fromkeys(stored(statement), _Unclear(statement))
        return found

    def _method(self, node: AnyDef, found: dict[str, Any]) -> Any:
        place = next(place for place in self.names.source.functions if place.node is node)
        decorators = [self._decorator(decorator) for decorator in node.decorator_list]
        kept = [dotted for dotted in decorators if dotted not in WITHOUT_EFFECT]
        function = StaticFunction(node.name, self.names.source, place.syntax, self.names, bare=True, owner=self)
        if not kept:
            return function
        if len(kept) == 1 and kept[0] in WRAPPERS:
            return WRAPPERS[kept[0]](function)
        before = found.get(node.name)
        if isinstance(before, property) and kept in ([f"{node.name}.setter"], [f"{node.name}.deleter"]):
            return property(before.fget, function if kept[0].endswith("setter") else before.fset)  # type: ignore[arg-type]
        if any(dotted in WRAPPERS or dotted.startswith(f"{node.name}.") for dotted in kept):
            return _Unclear(node)
        return StaticFunction(node.name, self.names.source, place.syntax, self.names, owner=self)

    def _decorator(self, node: ast.expr) -> str:
        """Return a decorator by the dotted name that it is imported from, or as it is written."""
        called = node.func if isinstance(node, ast.Call) else node
        return self._dotted_name(called) or ast.unparse(called)

    def _dotted_name(self, node: ast.AST) -> str:
        return self.names.bindings.dotted_name(node.value if isinstance(node, ast.Subscript) else node)  # type: ignore[arg-type]

    def _require_constant(self, name: str, *, is_mutable: bool) -> None:
        """Raise NameUnknown where the file may change this attribute of the class, or what it holds."""
        for node in ast.walk(self.names.source.tree):
            changed = changed_by(node) if is_mutable else None
            if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                is_own = isinstance(node.value, ast.Name) and node.value.id == "self"
                changed = None if is_own and not is_mutable else node
            if isinstance(changed, ast.Attribute) and changed.attr == name:
                line = self.names.source.span(changed)[0]
                raise NameUnknown(f"`{name}` of the class `{self.name}` may be changed (line {line})")

    def _known(self, expression: ast.expr) -> Any:
        """Return the value of an expression, or the NameUnknown that says why it can't be told."""
        try:
            return self._found(expression)
        except NameUnknown as error:
            return error

    def _found(self, expression: ast.expr) -> Any:
        """Return the value of an expression in the body of the class. Raises NameUnknown."""

        def lookup(name: str | ast.Lambda) -> object:
            if isinstance(name, ast.Lambda):
                return self.names.known_at(name, self.order)
            inner = self._body.get(name)
            if isinstance(inner, _Unevaluated) and inner.expression is not expression:
                return self._found(inner.expression)
            if inner is not None and not isinstance(inner, _Unevaluated | _Unclear):
                # a method under a second name
                return inner
            return self.names.known_at(name, self.order)

        try:
            return evaluate(expression, lookup)
        except NotConstant as error:
            text = f"{ast.unparse(error.node):.60}"
            message = f"a part of the class `{self.name}` can't be read: `{text}` {error.reason}"
            raise NameUnknown(message, "write its value out") from None


def fields_of(kind: FileClass) -> tuple[Field, ...]:
    """Return the fields of a dataclass, named tuple or TypedDict, or the annotated attributes of a class.

    Raises NameUnknown where they can't be told without running the file.
    """
    return kind.fields


def _dotted(base: Any) -> str:
    return base.dotted_name if isinstance(base, ForeignObject) else ""
