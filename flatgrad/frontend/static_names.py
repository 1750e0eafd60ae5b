"""What names stand for in a file, without importing or running it, and in the files of its project that it imports.

In: a source. Out: `StaticNames`, which finds names through the file's own imports and definitions. What can't be told for
certain is an error where it is used. Layer: `frontend`, above `bindings`.
"""

from __future__ import annotations

import ast
import builtins
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from flatgrad.frontend.bindings import Binding, Bindings
from flatgrad.frontend.constants import Lookup, NotConstant, combined, evaluate, is_immutable
from flatgrad.frontend.known_functions import FOLLOWED_MODULES, KEPT_MODULES, NAMED_MODULES, READ_MODULES, imported
from flatgrad.frontend.project import module_name, module_path, submodule_path
from flatgrad.frontend.recursion import deep_recursion
from flatgrad.frontend.source import (
    LAMBDA,
    ForeignObject,
    NameUnknown,
    Source,
)
from flatgrad.frontend.static_classes import FileClass
from flatgrad.frontend.static_enumerations import NAMED_TUPLES, enumeration, named_tuple
from flatgrad.frontend.static_objects import Partial, StaticCall, StaticFunction, StaticModule
from flatgrad.frontend.static_rules import refuse_rule, rules_in
from flatgrad.frontend.trees import AnyDef
from flatgrad.homes import declared_at, has_rules_under
from flatgrad.rules.program import Made, Member

AFTER_ALL = float("inf")
LOGGER = "logging.getLogger"
RULES_HINT = "a rule for it is known where --rules names the module that declares it"
GENERATORS = ("numpy.random.default_rng", "numpy.random.RandomState")


@dataclass(slots=True)
class Project:
    """The files of a project that have been read so far, by path, and the functions that they have rules for.

    `running` is set while a part of one is read that runs when the file is imported: names that get another value then or
    later are not told there.
    """

    files: dict[str, StaticNames] = field(default_factory=dict)
    rules: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    running: bool = False


class StaticNames:
    """What names stand for at the top level of a file, after all of it has run.

    All files of a project share what is known of it.
    """

    def __init__(self, source: Source, project: Project | None = None) -> None:
        self.source = source
        self.bindings = Bindings(source)
        self.project = project or Project()
        self.project.files.setdefault(os.path.normpath(source.file), self)
        self.project.rules |= rules_in(source, self.bindings)
        self._values: dict[Binding, Any] = {}
        self._pending: set[Binding] = set()

    def find(self, name: str) -> object:
        """Return the object that a name stands for. Raises NameUnknown where only running the file would tell."""
        if name in self.bindings.rebound_by_functions:
            line = self._line(self.bindings.rebound_by_functions[name])
            raise NameUnknown(f"`{name}` is assigned by a function (line {line})", "pass it as a parameter")
        with deep_recursion():
            value = self._value_at(name, AFTER_ALL)
        if name in self.bindings.changed and not is_immutable(value):
            line = self._line(self.bindings.changed[name])
            message = f"`{name}` may be changed after its definition (line {line})"
            raise NameUnknown(message, "pass it as a parameter")
        return value

    def _value_at(self, name: str, order: float) -> Any:
        """Return what a name stands for just before the statement with this number."""
        before = [binding for binding in self.bindings.by_name.get(name, ()) if binding.order < order]
        last = before[-1] if before else None
        if self.project.running and len(before) > 1:
            message = f"`{name}` is assigned more than once (line {self._line(before[-1].node)})"
            raise NameUnknown(message, "what is made while the file is imported can't be told then")
        for place, node in self.bindings.unclear:
            if (last is None or last.order < place) and place < order:
                text = ast.unparse(node)
                message = f"what `{name}` stands for can't be told because of `{text}` (line {self._line(node)})"
                raise NameUnknown(message, "import each name by itself" if "import" in text else "")
        if last is None:
            return self._builtin(name)
        if not last.certain:
            message = f"what `{name}` stands for depends on how the file runs (line {self._line(last.node)})"
            raise NameUnknown(message, f"bind `{name}` once, outside of if, for, while, with and try")
        if last not in self._values:
            if last in self._pending:
                raise NameUnknown(f"`{name}` (line {self._line(last.node)}) is imported in a circle")
            self._pending.add(last)
            try:
                self._values[last] = self._value(name, last)
            finally:
                self._pending.discard(last)
        return self._values[last]

    def home(self, name: str) -> str | None:
        """Return the module from which others can import what a name stands for; None where there is none."""
        return module_name(self.source.file) if name in self.bindings.by_name else None

    def imported(self, module: str, member: str, *, whole: bool) -> object:
        """Return what an import inside of a function brings. Raises NameUnknown."""
        name = module if whole else module.partition(".")[0]
        if imported(f"{name}.{member}" if member else name) is None:
            raise NameUnknown(f"there is no `{name}.{member}`")
        return self._imported(member or name, Binding(0, self.source.tree, module=name, member=member))

    def _builtin(self, name: str) -> object:
        if hasattr(builtins, name) and not name.startswith("__"):
            found: object = getattr(builtins, name)
            return found
        near = get_close_matches(name, [*self.bindings.by_name, *dir(builtins)], 1)
        raise NameUnknown(f"`{name}` is not defined", f"did you mean `{near[0]}`?" if near else "")

    def _value(self, name: str, binding: Binding) -> Any:
        if binding.module:
            return self._imported(name, binding)
        declared = self._declared(module_name(self.source.file), name)
        if declared is not None:
            return declared
        if isinstance(binding.value, AnyDef):
            place = next(place for place in self.source.functions if place.node is binding.value)
            return StaticFunction(name, self.source, place.syntax, self)
        if isinstance(binding.value, ast.Lambda) and not binding.path:
            return self._lambda(binding.value, name)
        if isinstance(binding.value, ast.Call) and self.bindings.dotted_name(binding.value.func) == "functools.partial":
            return self._partial(name, binding, binding.value)
        if isinstance(binding.value, ast.Call) and not binding.path:
            maker = self.bindings.dotted_name(binding.value.func)
            if maker == LOGGER:
                return self._logger(name, binding, binding.value)
            if maker in GENERATORS:
                return Member(module_name(self.source.file), name, maker)
        if isinstance(binding.value, ast.Call) and self.bindings.dotted_name(binding.value.func) in NAMED_TUPLES:
            options = {word.arg or "": self._constant(name, binding, word.value) for word in binding.value.keywords}
            return named_tuple([self._constant(name, binding, each) for each in binding.value.args], options)
        if isinstance(binding.value, ast.Call) and not binding.path and self._is_function(binding):
            return StaticCall(name, self.source, self.source.value_of(binding.node), self)
        line = self._line(binding.node)
        if isinstance(binding.node, ast.ClassDef):
            return enumeration(FileClass(name, binding.node, self, binding.order))
        if isinstance(binding.node, ast.Delete):
            raise NameUnknown(f"`{name}` is deleted (line {line})")
        if binding.value is None:
            raise NameUnknown(f"`{name}` (line {line}) is not a constant that can be read without running the file")
        return self._constant(name, binding, binding.value)

    def _is_function(self, binding: Binding) -> bool:
        """Tell whether a call is that of one of the user's functions."""
        assert isinstance(binding.value, ast.Call)
        try:
            function = evaluate(binding.value.func, lambda name: self.known_at(name, binding.order))
        except (NotConstant, NameUnknown):
            return False
        return isinstance(function, StaticFunction | StaticCall | Partial)

    def _lambda(self, node: ast.Lambda, name: str) -> StaticFunction:
        syntax = next(place.syntax for place in self.source.lambdas if place.node is node)
        return StaticFunction(name, self.source, self.source.definition_of(syntax), self)

    def _logger(self, name: str, binding: Binding, made: ast.Call) -> object:
        """Return a logger by its name: a call of logging.getLogger."""
        arguments = [*made.args, *(keyword.value for keyword in made.keywords)]
        names = [
            module_name(self.source.file)
            if isinstance(argument, ast.Name) and argument.id == "__name__"
            else self._constant(name, binding, argument)
            for argument in arguments
        ]
        return Made(Member("logging", "getLogger"), tuple(each for each in names if each is not None))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Tell names as they are while the files are imported, as far as that is certain."""
        before, self.project.running = self.project.running, True
        try:
            yield
        finally:
            self.project.running = before

    def _partial(self, name: str, binding: Binding, made: ast.Call) -> object:
        """Return a functools.partial of what the file defines."""
        args = [self._constant(name, binding, argument) for argument in made.args]
        kwargs = {keyword.arg or "": self._constant(name, binding, keyword.value) for keyword in made.keywords}
        if not args or "" in kwargs:
            line = self._line(binding.node)
            raise NameUnknown(f"`{name}` (line {line}) is not a constant that can be read without running the file")
        return Partial(args[0], tuple(args[1:]), kwargs)

    def _constant(self, name: str, binding: Binding, expression: ast.expr) -> Any:
        line = self._line(binding.node)

        try:
            value = evaluate(expression, lambda other: self.known_at(other, binding.order))
            if binding.operation is not None:
                value = combined(binding.operation, self._value_at(name, binding.order), value, expression)
        except NotConstant as error:
            message = f"`{name}` (line {line}) can't be read: `{ast.unparse(error.node):.60}` {error.reason}"
            raise NameUnknown(message, "pass it as a parameter, or write its value out") from None
        except NameUnknown as error:
            raise NameUnknown(f"`{name}` (line {line}) can't be read: {error.message}", error.hint) from None
        for index, count in zip(binding.path, binding.count, strict=True):
            if not isinstance(value, tuple | list) or len(value) != count:
                raise NameUnknown(f"`{name}` (line {line}) is not a constant that can be read without running the file")
            value = value[index]
        return value

    def known_at(self, name: str | ast.Lambda, order: int) -> Any:
        """Return what a name stands for just before the statement with this number, or what a lambda makes. Raises NameUnknown."""
        if isinstance(name, ast.Lambda):
            return self._lambda(name, LAMBDA)
        value = self._value_at(name, order)
        if name in self.bindings.changed and not is_immutable(value):
            changed = self._line(self.bindings.changed[name])
            raise NameUnknown(f"`{name}` may be changed after its definition (line {changed})")
        return value

    def before(self, node: ast.expr) -> Lookup:
        """Return what names stand for when the file comes to the statement of its top level that holds an expression."""
        at = (node.lineno, node.col_offset)
        bound = (binding for bindings in self.bindings.by_name.values() for binding in bindings)
        order = max(each.order for each in bound if _start(each.node) <= at)
        return lambda name: self.known_at(name, order)

    def _imported(self, name: str, binding: Binding) -> object:
        root = binding.module.partition(".")[0]
        dotted = f"{binding.module}.{binding.member}" if binding.member else binding.module
        if root in NAMED_MODULES and root not in FOLLOWED_MODULES:
            return ForeignObject(dotted)
        if root not in (*READ_MODULES, *KEPT_MODULES, *FOLLOWED_MODULES):
            return self._of_the_project(name, binding)
        try:
            found = imported(dotted)
        except ModuleNotFoundError as error:
            message = f"`{name}` comes from {binding.module}, and {error.name} is not installed"
            raise NameUnknown(message, f"install {error.name}") from None
        if found is None:
            raise NameUnknown(f"there is no `{dotted}` (line {self._line(binding.node)})")
        return found

    def _of_the_project(self, name: str, binding: Binding) -> object:
        """Return what an import brings from another file of the project."""
        path = module_path(self.source.file, binding.module)
        if path is None:
            return self._of_a_library(name, binding)
        module = ProjectModule(binding.module.lstrip(".") or ".", path, self.project)
        if not binding.member:
            return module
        # what a package imports from itself is a file in it
        own = path == os.path.normpath(self.source.file)
        return module.inner(binding.member) if own else module.member(binding.member)

    def _declared(self, module: str, name: str) -> object:
        """Return a function that the user has a rule for; None for another one. Raises NameUnknown for an unknown rule."""
        found = declared_at(module, name)
        if found is None and (place := self.project.rules.get(f"{module}.{name}")) is not None:
            raise refuse_rule(name, place)
        return found

    def _of_a_library(self, name: str, binding: Binding) -> object:
        """Return what an import brings from a module that is not read: what has a rule of the user's, or holds such."""
        module = LibraryModule(binding.module)
        if has_rules_under(binding.module):
            return module.member(binding.member) if binding.member else module
        if binding.member and (declared := self._declared(binding.module, binding.member)) is not None:
            return declared
        message = f"`{name}` comes from {binding.module}, which flatgrad does not read"
        raise NameUnknown(message, f"define it in this file, or pass it as a parameter; {RULES_HINT}")

    def _line(self, node: ast.AST) -> int:
        return self.source.span(node)[0]


def _start(node: ast.AST) -> tuple[int, int]:
    """Return where a statement starts, before its decorators."""
    first = min((node, *getattr(node, "decorator_list", ())), key=lambda each: each.lineno)
    return first.lineno, first.col_offset


@dataclass(frozen=True)
class LibraryModule(StaticModule):
    """A module that is not read, with functions for which the user has declared rules."""

    name: str

    def member(self, name: str) -> object:
        """Return a function with a rule, or a module that holds some. Raises NameUnknown."""
        declared = declared_at(self.name, name)
        if declared is not None:
            return declared
        if has_rules_under(f"{self.name}.{name}"):
            return LibraryModule(f"{self.name}.{name}")
        raise NameUnknown(f"`{self.name}.{name}` is not read, and has no rule", RULES_HINT)


@dataclass(frozen=True)
class ProjectModule(StaticModule):
    """A file of the user's project that another one imports, or the folder of a package without a file of its own."""

    name: str
    path: str
    project: Project = field(compare=False, repr=False)

    def member(self, name: str) -> object:
        """Return what a name stands for in the module. Raises NameUnknown, and SourceError for a file that can't be read."""
        module = module_name(self.path)
        declared = declared_at(module, name)
        if declared is not None:
            return declared
        if (place := self.project.rules.get(f"{module}.{name}")) is not None:
            raise refuse_rule(name, place)
        if not os.path.isdir(self.path):
            names = self.project.files.get(self.path) or StaticNames(Source.read(self.path), self.project)
            if name in names.bindings.by_name or names.bindings.unclear:
                return names.find(name)
        return self.inner(name)

    def inner(self, name: str) -> ProjectModule:
        """Return a module inside of a package. Raises NameUnknown."""
        path = submodule_path(self.path, name)
        if path is None:
            raise NameUnknown(f"`{self.name}` has no `{name}`")
        return ProjectModule(f"{self.name}.{name}", path, self.project)
