"""From a file to the functions in it and to what their names stand for, without importing or running the file.

In: a source. Out: the `Definition`s to differentiate, and those of helpers. Layer: `frontend`, above `static_names`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

import libcst as cst

from flatgrad.errors import FlatgradError, Problem, SignatureError, SourceError, UnsupportedError
from flatgrad.frontend.source import (
    Definition,
    FunctionPlace,
    NameUnknown,
    Source,
    definition_at,
)
from flatgrad.frontend.static_classes import FileClass
from flatgrad.frontend.static_names import StaticNames
from flatgrad.frontend.static_objects import StaticClass, StaticFunction
from flatgrad.garbage import collector_paused
from flatgrad.options import Options

DECORATORS = ("flatgrad.flatgrad", "flatgrad.decorator.flatgrad")
CUSTOM = ("flatgrad.custom_vjp", "flatgrad.markers.custom_vjp")


@dataclass(frozen=True, slots=True)
class TopLevelFunction:
    """A function at the top level of a file, or a method of a class there.

    `decorated`: whether it carries flatgrad's decorator, with these options.
    """

    name: str
    function: StaticFunction
    decorated: bool
    options: Options


def top_level_functions(source: Source, names: StaticNames) -> list[TopLevelFunction]:
    """Return the functions at the top level of a file, in order. Raises SignatureError for bad options of a decorator."""
    listed = []
    for place in source.functions:
        bound = names.bindings.by_name.get(place.name, ())
        # of several functions with one name, the last is the one that the name stands for
        if place.qualname == place.name and bound and bound[-1].value is place.node and bound[-1].certain:
            listed.append(_listed(place.name, StaticFunction(place.name, source, place.syntax, names), place, names))
        elif place.qualname.count(".") == 1 and names.bindings.is_class(place.qualname.partition(".")[0]):
            method = _method(names, *place.qualname.split("."))
            if method is not None and method.syntax is place.syntax:
                listed.append(_listed(place.qualname, method, place, names))
    return listed


def _listed(name: str, function: StaticFunction, place: FunctionPlace, names: StaticNames) -> TopLevelFunction:
    marks = [decorator for decorator in place.node.decorator_list if _is_flatgrad(decorator, names)]
    options = _options(function.source, marks[0]) if marks else Options()
    return TopLevelFunction(name, function, bool(marks), options)


def _method(names: StaticNames, owner: str, name: str) -> StaticFunction | None:
    """Return a method of a class, of its own or inherited; None where there is none that can be told."""
    try:
        found = names.find(owner)
        held = [each.own(name) for each in found.mro if name in each.held] if isinstance(found, FileClass) else []
    except NameUnknown:
        return None
    method = getattr(held[0], "__func__", held[0]) if held else None
    return method if isinstance(method, StaticFunction) else None


@collector_paused()
def static_definition(source: Source, name: str | None = None) -> list[Definition]:
    """Return the definitions to differentiate: that of the name; else all that are decorated; else the only one.

    Raises SignatureError where that leaves a choice, and UnsupportedError for a function with another decorator.
    """
    names = StaticNames(source)
    listed = top_level_functions(source, names)
    functions = [one for one in listed if one.function.owner is None or one.decorated]
    known = ", ".join(one.name for one in functions)
    if not functions and name is None:
        raise SourceError(Problem("the file has no function at its top level", file=source.file))
    if name is not None:
        chosen = [one for one in listed if one.name == name] or _inherited(names, name)
        if not chosen:
            raise SignatureError(_unknown_function(source, names, name, listed))
    else:
        chosen = [one for one in functions if one.decorated] or functions
        if len(chosen) > 1 and not chosen[0].decorated:
            hint = f"name one, as in {source.file}:{chosen[0].name}, or decorate those to differentiate with @flatgrad"
            raise SignatureError(Problem(f"the file has several functions: {known}", hint, source.file))
    return [replace(function_definition(one.function, None, one.options), display=one.name) for one in chosen]


def _inherited(names: StaticNames, name: str) -> list[TopLevelFunction]:
    """Return the method that a class has from another one, by a name such as ``Model.loss``."""
    owner, _, method = name.rpartition(".")
    found = _method(names, owner, method) if owner else None
    if found is None or not isinstance(found.names, StaticNames):
        return []
    return [_listed(name, found, found.source.place_of(found.syntax), found.names)]


def _unknown_function(source: Source, names: StaticNames, name: str, listed: list[TopLevelFunction]) -> Problem:
    owner, _, method = name.rpartition(".")
    known = [one.name for one in listed if one.function.owner is None]
    if owner in names.bindings.by_name:
        methods = [one.name for one in listed if one.name.startswith(f"{owner}.")]
        hint = f"the methods of the class are {', '.join(methods)}" if methods else ""
        return source.problem(f"`{owner}` has no method {method}", names.bindings.by_name[owner][-1].node, hint)
    if name in names.bindings.by_name:
        node = names.bindings.by_name[name][-1].node
        try:
            kind = (
                "a class"
                if isinstance(names.find(name), StaticClass)
                else "not a function that is defined in this file"
            )
            message = f"`{name}` is {kind}"
        except NameUnknown as error:
            message = error.message
        methods = [one.name for one in listed if one.name.startswith(f"{name}.") and not one.name.endswith(".__init__")]
        hint = f"the functions of the file are {', '.join(known)}" if known else ""
        return source.problem(message, node, f"name a method of it: {', '.join(methods)}" if methods else hint)
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
    if names is None:
        names = function.names if isinstance(function.names, StaticNames) else StaticNames(source)
    if source.is_lambda(function.syntax):
        return Definition(source, function.syntax, source.span(function.syntax)[0], names, display="<lambda>")
    place = source.place_of(function.syntax)
    if not function.bare:
        for decorator in _other_decorators(place, names):
            message = (
                f"what `@{ast.unparse(decorator):.60}` makes of `{function.name}` can't be told without running it"
            )
            raise UnsupportedError(source.problem(message, decorator, "remove the decorator"))
    return definition_at(place, source, names, options or Options())


def other_decorators(function: StaticFunction) -> list[cst.BaseExpression]:
    """Return the decorators of a function that are not flatgrad's own, in order."""
    if not isinstance(function.names, StaticNames) or function.source.is_lambda(function.syntax):
        return []
    place = function.source.place_of(function.syntax)
    other = _other_decorators(place, function.names)
    return [
        syntax.decorator
        for syntax, node in zip(function.syntax.decorators, place.node.decorator_list, strict=True)
        if node in other
    ]


def _other_decorators(place: FunctionPlace, names: StaticNames) -> list[ast.expr]:
    return [decorator for decorator in place.node.decorator_list if not _is_flatgrad(decorator, names)]


def custom_parts(function: StaticFunction) -> tuple[object, object] | None:
    """Return the forward and backward pass of a function with a gradient of its own; None for another function.

    Of a function without a statement that defines these they are None.
    """
    names = function.names
    assert isinstance(names, StaticNames)
    place = function.source.place_of(function.syntax)
    found = [names.bindings.dotted_name(each) for each in _other_decorators(place, names)]
    if len(found) != 1 or found[0] not in CUSTOM:
        return None
    given: tuple[object, object] | None = None
    for statement in function.source.tree.body:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "defvjp"), [ast.Name(), ast.Name()] as passes, [])):
                if name == function.name:
                    forward, backward = (names.find(part.id) for part in passes if isinstance(part, ast.Name))
                    given = forward, backward
    return given or (None, None)


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
