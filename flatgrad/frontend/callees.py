"""The functions that a program calls and that are read themselves: which there are, and where each has its source.

In: what the name of a function stands for. Out: `Callee`. Layer: above `reader`, `live` and `static`, below `parameters`.
"""

from __future__ import annotations

import ast
import functools
import os
import re
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from flatgrad.frontend.assigned import AssignedNames
from flatgrad.frontend.live import definition_of_code
from flatgrad.frontend.placeholders import Poisoned, Unfinished
from flatgrad.frontend.reader import Reader
from flatgrad.frontend.source import LAMBDA, Definition, Names, NameUnknown, definition_at
from flatgrad.frontend.statement_lines import statements_of
from flatgrad.frontend.static import function_definition
from flatgrad.frontend.static_objects import Partial, StaticCall, StaticClass, StaticFunction
from flatgrad.functions.libraries import LIBRARIES
from flatgrad.graph.containers import mapped
from flatgrad.graph.values import Constant
from flatgrad.infer import type_of, unwrapped
from flatgrad.markers import custom_vjp
from flatgrad.options import Options
from flatgrad.registry import lookup


@dataclass(frozen=True, eq=False, slots=True)
class LocalFunction:
    """A function that is defined inside of the function being read: a `def` or a lambda.

    `enclosing` is the reader of the function around it, whose variables it sees; `defaults` were read where it is defined.
    """

    name: str
    syntax: cst.FunctionDef
    enclosing: Reader
    defaults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def __name__(self) -> str:
        """The name that the function object would have."""
        return "<lambda>" if self.enclosing.source.is_lambda(self.syntax) else self.name


class ImportReader(Reader):
    """Reads what runs while a file is imported, such as the call that makes a closure: all of it is known."""


@dataclass(frozen=True, eq=False, slots=True)
class StaticCustom:
    """A function with a gradient of its own, as its file defines it."""

    function: StaticFunction
    forward: Any
    backward: Any


@dataclass(frozen=True, eq=False, slots=True)
class Callee:
    """A function to read. `identity` tells it from others; `free` are the variables that it takes from the function around it.

    `owner` is the name of the class that it is a method of.
    """

    name: str
    definition: Definition
    identity: Any
    free: Mapping[str, Any] = field(default_factory=dict)
    owner: str = ""

    @property
    def written_name(self) -> str:
        """The name of the function in emitted code: `Linear.forward` becomes `linear`, `Linear.reset` `linear_reset`."""
        if not self.owner:
            return self.name
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", self.owner).lower().strip("_")
        method = self.name.strip("_")
        return words if method in ("call", "forward") else f"{words}_{method}"

    @property
    def expression(self) -> cst.BaseExpression | None:
        """The only expression of a function that does nothing but return it."""
        statements = list(statements_of(self.definition.syntax.body))
        if len(statements) == 2 and self.definition.syntax.get_docstring() is not None:
            del statements[0]
        if len(statements) != 1 or not isinstance(statements[0], cst.SimpleStatementLine):
            return None
        small = statements[0].body
        return small[0].value if len(small) == 1 and isinstance(small[0], cst.Return) else None

    @property
    def is_procedure(self) -> bool:
        """Whether the function returns nothing: it is called for its effects."""
        return not _has_return(self.definition.syntax)


STANDARD_LIBRARY = os.path.dirname(os.__file__)


def is_known(function: Any) -> bool:
    """Tell whether a function is one of NumPy, SciPy, flatgrad or the standard library: it has a rule, or has none.

    Those of `flatgrad.nn` that have no rule are read as a user's are.
    """
    module = getattr(function, "__module__", None) or ""
    root = module.partition(".")[0]
    if root not in sys.stdlib_module_names:
        return root in LIBRARIES or (root == "flatgrad" and not module.startswith("flatgrad.nn."))
    # a file of the user's may have the name of a module there
    code = getattr(function, "__code__", None)
    return root != "__main__" and (code is None or code.co_filename.startswith((STANDARD_LIBRARY, "<frozen")))


@functools.lru_cache(maxsize=256)
def _has_return(syntax: cst.FunctionDef) -> bool:
    found = AssignedNames()
    syntax.body.visit(found)
    return found.gives


def is_followed(function: Any) -> bool:
    """Tell whether a function is one of the user's, which is read where it is called."""
    if isinstance(function, LocalFunction | Partial | StaticFunction | StaticCall | StaticCustom | custom_vjp):
        return True
    if isinstance(function, functools.partial | types.FunctionType) and lookup(function) is not None:
        return False
    if isinstance(function, functools.partial) or is_decorated(function):
        return True
    if not isinstance(function, types.FunctionType):
        return False
    return not is_known(function)


def is_decorated(function: Any) -> bool:
    """Tell whether a function carries flatgrad's decorator: an object with the function inside."""
    kind = type(function)
    return kind.__module__.startswith("flatgrad.") and isinstance(
        getattr(function, "__wrapped__", None), types.FunctionType
    )


def callee_of(function: Any) -> Callee:
    """Return the function to read. Raises FlatgradError where its source can't be had, or is that of a generator."""
    if isinstance(function, LocalFunction):
        return _local(function)
    if isinstance(function, StaticFunction):
        definition = function_definition(function)
        if function.owner is not None:
            definition = replace(definition, names=MethodNames(definition.names, function.owner))
        return Callee(function.name, definition, function, owner=_class_around(definition))
    if not isinstance(function, types.FunctionType):
        function = function.__wrapped__
    definition = definition_of_code(function)
    # what functools.wraps has named after another function is known by that name
    name = function.__name__ if function.__name__.isidentifier() else LAMBDA
    return Callee(
        name, definition, function, owner=_class_around(definition) if name == function.__code__.co_name else ""
    )


def _class_around(definition: Definition) -> str:
    """Return the name of the class that a function is a method of, "" for a function that needs no object."""
    source, syntax = definition.source, definition.syntax
    if source.is_lambda(syntax):
        return ""
    place = source.place_of(syntax)
    around = place.qualname.split(".")[:-1]
    plain = any(isinstance(each, ast.Name) and each.id == "staticmethod" for each in place.node.decorator_list)
    return "" if plain or not around or around[-1] == "<locals>" else around[-1]


class MethodNames:
    """What the names of a method stand for: those of its file, and the class that `super()` starts from."""

    def __init__(self, names: Names, owner: StaticClass) -> None:
        self.names = names
        self.owner = owner

    def find(self, name: str) -> object:
        """Return the object that a name stands for. Raises NameUnknown."""
        return self.owner if name == "__class__" else self.names.find(name)

    def home(self, name: str) -> str | None:
        """Return the module of the user's from which others can import what a name stands for; None where there is none."""
        return self.names.home(name)

    def imported(self, module: str, member: str, *, whole: bool) -> object:
        """Return what an import inside of the method brings. Raises NameUnknown."""
        return self.names.imported(module, member, whole=whole)


def _local(function: LocalFunction) -> Callee:
    reader, syntax = function.enclosing, function.syntax
    names = EnclosingNames(reader)
    if reader.source.is_lambda(syntax):
        definition = Definition(reader.source, syntax, 0, names, defaults=function.defaults)
    else:
        found = definition_at(reader.source.place_of(syntax), reader.source, names, Options())
        definition = Definition(found.source, syntax, found.line, names, defaults=function.defaults)
    own = reader.source.variables_of(syntax)
    used = NamesUsed()
    syntax.visit(used)
    variables = visible_variables(reader)
    free = {name: variables[name] for name in used.names if name in variables and name not in own}
    if isinstance(reader, ImportReader):
        free = {name: _cell(name, item) for name, item in free.items()}
    return Callee(function.name, definition, (reader.source, syntax), free)


def _cell(name: str, item: Any) -> Any:
    """Return what a closure that was made while a file is imported holds, as the item of a function object's closure."""
    if isinstance(item, int | float | complex):
        item = Constant(item, type_of(item))
    if isinstance(item, Constant):
        return Constant(item.number, item.type, name)
    return mapped(item, unwrapped) if isinstance(item, tuple) else item


class EnclosingNames:
    """What the names of a local function stand for, but for the variables that have a value in the function around it."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.names: Names = reader.names

    def find(self, name: str) -> object:
        """Return the object that a name stands for. Raises NameUnknown."""
        if visible_variables(self.reader).get(name) is Unfinished:
            raise Poisoned
        if name in self.reader.own_names:
            raise NameUnknown(f"`{name}` of the enclosing function has no value here", "assign it before the call")
        return self.names.find(name)

    def home(self, name: str) -> str | None:
        """Return the module of the user's from which others can import what a name stands for; None where there is none."""
        return None if name in self.reader.own_names else self.names.home(name)

    def imported(self, module: str, member: str, *, whole: bool) -> object:
        """Return what an import inside of the function brings. Raises NameUnknown."""
        return self.names.imported(module, member, whole=whole)


class NamesUsed(cst.CSTVisitor):
    """Collects the names in a piece of code, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}

    def visit_Name(self, node: cst.Name) -> None:
        self.names[node.value] = None


def visible_variables(reader: Reader) -> dict[str, Any]:
    """Return the variables that a function sees that is defined in the place which is read."""
    if reader.around is None:
        return reader.variables
    own = {name: reader.variables[name] for name in reader.inner_names if name in reader.variables}
    return {**visible_variables(reader.around), **own}
