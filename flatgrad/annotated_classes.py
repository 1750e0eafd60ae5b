"""The fields of a class of the user's, with what their annotations and defaults say, for classes that run and for those in files.

In: a class object, or what stands for a class in a file that is not run. Out: `AnnotatedClass`. Layer: above `frontend`.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass
from dataclasses import fields as fields_of_dataclass
from typing import Any, Protocol

import libcst as cst

from flatgrad.errors import FlatgradError, SourceError
from flatgrad.frontend.constants import NotConstant, evaluate, names_only
from flatgrad.frontend.known_functions import NAMED_MODULES, READ_MODULES
from flatgrad.frontend.live import definition_of_code
from flatgrad.frontend.parameters import all_parameters
from flatgrad.frontend.source import NameUnknown
from flatgrad.frontend.static_classes import MISSING as NOT_IN_FILE
from flatgrad.frontend.static_classes import FileClass, fields_of
from flatgrad.frontend.static_objects import StaticFunction

# stands for no default
NO_VALUE: Any = NOT_IN_FILE


class Finder(Protocol):
    """What finds the objects that names stand for."""

    def find(self, name: str) -> object:
        """Return the object. Raises NameUnknown."""
        ...


# methods that change a list, a dict, a set or an array
CHANGING = frozenset(
    [
        "add",
        "append",
        "clear",
        "discard",
        "extend",
        "fill",
        "insert",
        "pop",
        "popitem",
        "put",
        "remove",
        "resize",
        "reverse",
        "setdefault",
        "sort",
        "update",
    ]
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a class. `annotation` is its syntax, or the type itself; None where there is none.

    `value` is the syntax of what `__init__` assigns, `default` the value of a default; NO_VALUE stands for none.
    """

    name: str
    names: Finder
    annotation: Any = None
    value: ast.expr | None = None
    default: Any = NO_VALUE


@dataclass(frozen=True, slots=True)
class AnnotatedClass:
    """A class and its fields by name, in order. `style` is "dict", "namedtuple", "dataclass" or "plain"."""

    kind: Any
    name: str
    style: str
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class ModuleNames:
    """What names stand for in a module that has run."""

    name: str

    def find(self, name: str) -> object:
        """Return the object that a name stands for now. Raises NameUnknown."""
        scope = vars(sys.modules[self.name]) if self.name in sys.modules else {}
        for found in (scope, vars(sys.modules["builtins"])):
            if name in found:
                return found[name]
        raise NameUnknown(f"`{name}` is not defined")


def is_users_class(found: object) -> bool:
    """Tell whether something is a class of the user's, of which objects are structures."""
    if isinstance(found, FileClass):
        return True
    if not isinstance(found, type) or isinstance(found, types.GenericAlias):
        return False
    root = found.__module__.partition(".")[0]
    return root not in (*READ_MODULES, *NAMED_MODULES, "builtins") or found is types.SimpleNamespace


def annotated_class(kind: Any) -> AnnotatedClass | None:
    """Return what is known of a class; None where it can't be told."""
    try:
        if isinstance(kind, FileClass):
            style, fields = kind.style, _fields_in_file(kind)
        else:
            style, fields = _style(kind), _fields_of_object(kind)
        if style == "plain":
            changed = _changed_by_methods(kind)
            assigned = {name: field for name, field in _assigned_by_init(kind).items() if name not in fields}
            fields |= {
                name: Field(name, field.names, field.annotation) if name in changed else field
                for name, field in assigned.items()
            }
    except (NameUnknown, FlatgradError):
        return None
    name = kind.name if isinstance(kind, FileClass) else kind.__name__
    return AnnotatedClass(kind, name, "dict" if style == "typeddict" else style, fields)


def _fields_in_file(kind: FileClass) -> dict[str, Field]:
    found = {}
    for field in fields_of(kind):
        assert field.names is not None
        annotation = None if field.annotation is None else as_ast(field.annotation)
        found[field.name] = Field(
            field.name,
            field.names,
            annotation,
            default=NO_VALUE if isinstance(field.default, NameUnknown) else field.default,
        )
    return found


def _style(kind: type) -> str:
    if typing.is_typeddict(kind):
        return "typeddict"
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return "namedtuple"
    return "dataclass" if hasattr(kind, "__dataclass_fields__") else "plain"


def _fields_of_object(kind: type) -> dict[str, Field]:
    annotations: dict[str, tuple[Any, Finder]] = {}
    for base in reversed(kind.__mro__):
        names: Finder = ModuleNames(base.__module__)
        own = inspect.get_annotations(base) if "__annotations__" in vars(base) else {}
        annotations |= {
            name: (annotation, names) for name, annotation in own.items() if not _is_class_variable(annotation)
        }
    defaults: dict[str, Any] = {
        name: vars(base)[name] for base in reversed(kind.__mro__) for name in annotations if name in vars(base)
    }
    wanted = list(annotations)
    style = _style(kind)
    if style == "dataclass":
        own_fields = fields_of_dataclass(kind)
        wanted = [field.name for field in own_fields]
        defaults = {field.name: field.default for field in own_fields if field.default is not MISSING}
    elif style == "namedtuple":
        wanted, defaults = list(kind._fields), kind._field_defaults  # type: ignore[attr-defined]
    own_names: Finder = ModuleNames(kind.__module__)
    found = {}
    for name in wanted:
        annotation, origin = annotations.get(name, (None, own_names))
        annotation = _parsed(annotation) if isinstance(annotation, str) else annotation
        # what a slot or a property is known by is no default
        default = defaults.get(name, NO_VALUE)
        found[name] = Field(
            name, origin, annotation, default=NO_VALUE if inspect.isdatadescriptor(default) else default
        )
    return found


def _parsed(text: str) -> ast.expr | None:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return typing.get_origin(annotation) is typing.ClassVar or annotation is typing.ClassVar


def as_ast(syntax: cst.BaseExpression) -> ast.expr:
    """Return an expression as Python's own tree."""
    return ast.parse(cst.Module([]).code_for_node(syntax).strip(), mode="eval").body


def _assigned_by_init(kind: Any) -> dict[str, Field]:
    """Return the attributes that `__init__` assigns, and those of the bases', which is taken to be called."""
    found: dict[str, Field] = {}
    for base in reversed(kind.mro if isinstance(kind, FileClass) else kind.__mro__):
        own = base.own("__init__") if isinstance(base, FileClass) else vars(base).get("__init__")
        if isinstance(own, StaticFunction):
            assert own.names is not None
            found |= _assigned(own.syntax, own.names)
        elif isinstance(own, types.FunctionType) and is_users_class(base):
            definition = definition_of_code(own)
            found |= _assigned(definition.syntax, definition.names)
    return found


def _changed_by_methods(kind: Any) -> set[str]:
    """Return the attributes that other methods than `__init__` may change: what `__init__` assigns says little of these."""
    changed: set[str] = set()
    for base in kind.mro if isinstance(kind, FileClass) else kind.__mro__:
        in_file = isinstance(base, FileClass)
        for name in base.held if in_file else vars(base):
            found = _own(base, name)
            found = found.fget if isinstance(found, property) else getattr(found, "__wrapped__", found)
            syntax = _syntax_of(found) if name != "__init__" and (in_file or is_users_class(base)) else None
            owner = next(all_parameters(syntax.params), None) if syntax is not None else None
            if syntax is not None and owner is not None:
                finder = _Changes(owner.name.value)
                syntax.body.visit(finder)
                changed |= finder.found
    return changed


def _own(base: Any, name: str) -> Any:
    if not isinstance(base, FileClass):
        return vars(base)[name]
    try:
        return base.own(name)
    except NameUnknown:
        # a constant that can't be told is no method
        return None


def _syntax_of(function: Any) -> cst.FunctionDef | None:
    if isinstance(function, StaticFunction):
        return function.syntax
    if not isinstance(function, types.FunctionType):
        return None
    try:
        return definition_of_code(function).syntax
    except SourceError:
        # a method that a decorator such as `dataclass` has made has no source
        return None


class _Changes(cst.CSTVisitor):
    """Collects the attributes of `owner` that are assigned, or changed by a method of theirs or in place."""

    def __init__(self, owner: str) -> None:
        super().__init__()
        self.owner = owner
        self.found: set[str] = set()

    def _note(self, target: cst.CSTNode) -> None:
        if isinstance(target, cst.Tuple | cst.List):
            for element in target.elements:
                self._note(element.value)
        while isinstance(target, cst.Attribute | cst.Subscript):
            owner = target.value
            if isinstance(target, cst.Attribute) and isinstance(owner, cst.Name) and owner.value == self.owner:
                self.found.add(target.attr.value)
            target = owner

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._note(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._note(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._note(node.target)

    def visit_Del(self, node: cst.Del) -> None:
        self._note(node.target)

    def visit_For(self, node: cst.For) -> None:
        self._note(node.target)

    def visit_Call(self, node: cst.Call) -> None:
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in CHANGING:
            self._note(node.func.value)


def _assigned(syntax: cst.FunctionDef, names: Finder) -> dict[str, Field]:
    parameters = list(all_parameters(syntax.params))
    if not parameters:
        return {}
    finder = _Assignments(parameters[0].name.value)
    syntax.body.visit(finder)
    by_name = {parameter.name.value: parameter for parameter in parameters[1:]}
    found = {}
    for name, (annotation, value) in finder.found.items():
        default = NO_VALUE
        parameter = by_name.get(value.value) if isinstance(value, cst.Name) else None
        if parameter is not None:
            if annotation is None and parameter.annotation is not None:
                annotation = parameter.annotation.annotation
            value = parameter.default
        # what is empty at first is filled later
        is_empty = isinstance(value, cst.List | cst.Dict) and not value.elements
        expression = None if value is None or is_empty or finder.counts[name] > 1 else as_ast(value)
        if expression is not None:
            default = _value(expression, names, {*by_name, parameters[0].name.value})
        found[name] = Field(name, names, None if annotation is None else as_ast(annotation), expression, default)
    return found


def _value(expression: ast.expr, names: Finder, own: set[str]) -> Any:
    """Return what an expression gives where it needs none of the function's variables; NO_VALUE elsewhere."""

    def find(name: str) -> object:
        if name in own:
            raise NameUnknown(f"`{name}` is a variable")
        return names.find(name)

    try:
        return evaluate(expression, names_only(find))
    except (NotConstant, NameUnknown):
        return NO_VALUE


class _Assignments(cst.CSTVisitor):
    """Collects what is assigned to attributes of `owner`: the annotation and the value, and how often."""

    def __init__(self, owner: str) -> None:
        super().__init__()
        self.owner = owner
        self.found: dict[str, tuple[cst.BaseExpression | None, cst.BaseExpression | None]] = {}
        self.counts: dict[str, int] = {}

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return False

    def visit_Assign(self, node: cst.Assign) -> None:
        for target in node.targets:
            for name, value in _pairs(target.target, node.value):
                self._note(name, None, value)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._note(node.target, node.annotation.annotation, node.value)

    def _note(
        self, target: cst.BaseExpression, annotation: cst.BaseExpression | None, value: cst.BaseExpression | None
    ) -> None:
        if not isinstance(target, cst.Attribute) or not isinstance(target.value, cst.Name):
            return
        if target.value.value == self.owner:
            name = target.attr.value
            self.counts[name] = self.counts.get(name, 0) + 1
            self.found.setdefault(name, (annotation, value))


def _pairs(
    target: cst.BaseExpression, value: cst.BaseExpression
) -> Iterator[tuple[cst.BaseExpression, cst.BaseExpression | None]]:
    """Yield the targets of an assignment, each with its own value where that can be told."""
    if not isinstance(target, cst.Tuple | cst.List):
        yield target, value
        return
    matched = isinstance(value, cst.Tuple | cst.List) and len(value.elements) == len(target.elements)
    for index, element in enumerate(target.elements):
        if matched:
            assert isinstance(value, cst.Tuple | cst.List)
            yield from _pairs(element.value, value.elements[index].value)
        else:
            yield element.value, None
