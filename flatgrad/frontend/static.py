"""From a file to the functions in it and to what their names stand for, without importing or running the file.

In: a source. Out: the `Definition`s to differentiate, with names that are found through the file's own imports and
definitions. What can't be told for certain is an error where it is used. Layer: `frontend`, above `bindings`.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from flatgrad.errors import FlatgradError, Problem, SignatureError, SourceError, UnsupportedError
from flatgrad.frontend.bindings import Binding, Bindings
from flatgrad.frontend.constants import (
    NAMED_MODULES,
    READ_MODULES,
    NotConstant,
    combined,
    evaluate,
    imported,
    is_immutable,
)
from flatgrad.frontend.source import (
    AnyDef,
    Definition,
    ForeignObject,
    NameUnknown,
    Source,
    StaticFunction,
    deep_recursion,
    definition_at,
)
from flatgrad.garbage import collector_paused
from flatgrad.options import Options

DECORATORS = ("flatgrad.flatgrad", "flatgrad.decorator.flatgrad")
AFTER_ALL = float("inf")


@dataclass(frozen=True, slots=True)
class TopLevelFunction:
    """A function at the top level of a file. `decorated`: whether it carries flatgrad's decorator, with these options."""

    function: StaticFunction
    decorated: bool
    options: Options

    @property
    def name(self) -> str:
        return self.function.name


class StaticNames:
    """What names stand for at the top level of a file, after all of it has run."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.bindings = Bindings(source)
        self._values: dict[Binding, Any] = {}

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
            self._values[last] = self._value(name, last)
        return self._values[last]

    def _builtin(self, name: str) -> object:
        if hasattr(builtins, name) and not name.startswith("__"):
            found: object = getattr(builtins, name)
            return found
        near = get_close_matches(name, [*self.bindings.by_name, *dir(builtins)], 1)
        raise NameUnknown(f"`{name}` is not defined", f"did you mean `{near[0]}`?" if near else "")

    def _value(self, name: str, binding: Binding) -> Any:
        if binding.module:
            return self._imported(name, binding)
        if isinstance(binding.value, AnyDef):
            place = next(place for place in self.source.functions if place.node is binding.value)
            return StaticFunction(name, self.source, place.syntax)
        line = self._line(binding.node)
        if isinstance(binding.node, ast.ClassDef):
            raise NameUnknown(f"`{name}` is a class (line {line}), which flatgrad does not read")
        if isinstance(binding.node, ast.Delete):
            raise NameUnknown(f"`{name}` is deleted (line {line})")
        if binding.value is None:
            raise NameUnknown(f"`{name}` (line {line}) is not a constant that can be read without running the file")
        return self._constant(name, binding, binding.value)

    def _constant(self, name: str, binding: Binding, expression: ast.expr) -> Any:
        line = self._line(binding.node)

        def lookup(other: str) -> object:
            value = self._value_at(other, binding.order)
            if other in self.bindings.changed and not is_immutable(value):
                changed = self._line(self.bindings.changed[other])
                raise NameUnknown(f"`{other}` may be changed after its definition (line {changed})")
            return value

        try:
            value = evaluate(expression, lookup)
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

    def _imported(self, name: str, binding: Binding) -> object:
        root = binding.module.partition(".")[0]
        dotted = f"{binding.module}.{binding.member}" if binding.member else binding.module
        if root in NAMED_MODULES:
            return ForeignObject(dotted)
        if root not in READ_MODULES:
            message = f"`{name}` comes from {binding.module}, which flatgrad does not read"
            raise NameUnknown(message, "define it in this file, or pass it as a parameter")
        found = imported(dotted)
        if found is None:
            raise NameUnknown(f"there is no `{dotted}` (line {self._line(binding.node)})")
        return found

    def _line(self, node: ast.AST) -> int:
        return self.source.span(node)[0]


def top_level_functions(source: Source, names: StaticNames) -> list[TopLevelFunction]:
    """Return the functions at the top level of a file, in order. Raises SignatureError for bad options of a decorator."""
    listed = []
    for place in source.functions:
        bound = names.bindings.by_name.get(place.name, ())
        # of several functions with one name, the last is the one that the name stands for
        if place.qualname == place.name and bound and bound[-1].value is place.node and bound[-1].certain:
            marks = [decorator for decorator in place.node.decorator_list if _is_flatgrad(decorator, names)]
            options = _options(source, marks[0]) if marks else Options()
            listed.append(TopLevelFunction(StaticFunction(place.name, source, place.syntax), bool(marks), options))
    return listed


@collector_paused()
def static_definition(source: Source, name: str | None = None) -> list[Definition]:
    """Return the definitions to differentiate: that of the name; else all that are decorated; else the only one.

    Raises SignatureError where that leaves a choice, and UnsupportedError for a function with another decorator.
    """
    names = StaticNames(source)
    listed = top_level_functions(source, names)
    known = ", ".join(one.name for one in listed)
    if not listed and name is None:
        raise SourceError(Problem("the file has no function at its top level", file=source.file))
    if name is not None:
        chosen = [one for one in listed if one.name == name]
        if not chosen:
            raise SignatureError(_unknown_function(source, names, name, [one.name for one in listed]))
    else:
        chosen = [one for one in listed if one.decorated] or listed
        if len(chosen) > 1 and not chosen[0].decorated:
            hint = f"name one, as in {source.file}:{chosen[0].name}, or decorate those to differentiate with @flatgrad"
            raise SignatureError(Problem(f"the file has several functions: {known}", hint, source.file))
    return [function_definition(one.function, names, one.options) for one in chosen]


def _unknown_function(source: Source, names: StaticNames, name: str, known: list[str]) -> Problem:
    if name in names.bindings.by_name:
        node = names.bindings.by_name[name][-1].node
        try:
            names.find(name)
            message = f"`{name}` is not a function that is defined in this file"
        except NameUnknown as error:
            message = error.message
        return source.problem(message, node, f"the functions of the file are {', '.join(known)}" if known else "")
    near = get_close_matches(name, known, 1)
    there = f"the functions at its top level are {', '.join(known)}" if known else "it has no function at its top level"
    hint = f"did you mean {near[0]}? {there}" if near else there
    return Problem(f"the file has no function {name}", hint, source.file)


def function_definition(
    function: StaticFunction, names: StaticNames | None = None, options: Options | None = None
) -> Definition:
    """Return the definition of a function that was found in a file, such as a helper.

    Raises UnsupportedError where a decorator may have replaced it.
    """
    source = function.source
    names = names or StaticNames(source)
    place = source.place_of(function.syntax)
    for decorator in place.node.decorator_list:
        if not _is_flatgrad(decorator, names):
            message = (
                f"what `@{ast.unparse(decorator):.60}` makes of `{function.name}` can't be told without running it"
            )
            raise UnsupportedError(source.problem(message, decorator, "remove the decorator"))
    return definition_at(place, source, names, options or Options())


def _is_flatgrad(decorator: ast.expr, names: StaticNames) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return names.bindings.dotted_name(called) in DECORATORS


def _options(source: Source, decorator: ast.expr) -> Options:
    """Return the options in the arguments of the decorator. Raises SignatureError at the argument at fault."""
    if not isinstance(decorator, ast.Call):
        return Options()
    for argument in decorator.args:
        raise SignatureError(source.problem("the decorator takes its options by name", argument, 'such as wrt="W"'))
    options: dict[str, Any] = {}
    for keyword in decorator.keywords:
        if keyword.arg not in ("wrt", "style", "target"):
            message = f"there is no option {keyword.arg or '**'}"
            raise SignatureError(source.problem(message, keyword, "the options are wrt, style and target"))
        try:
            options[keyword.arg] = ast.literal_eval(keyword.value)
            Options(**{keyword.arg: options[keyword.arg]})
        except FlatgradError as error:
            problem = error.problems[0]
            raise SignatureError(source.problem(problem.message, keyword.value, problem.hint)) from None
        except (ValueError, TypeError):
            message = f"{keyword.arg} is not written out, so it can't be read without running the file"
            raise SignatureError(source.problem(message, keyword.value, "write the names themselves")) from None
    return Options(**options)
