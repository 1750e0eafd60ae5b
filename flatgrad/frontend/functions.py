"""Reads calls of the user's functions, and functions that are defined inside of others. Fills EXPRESSIONS and STATEMENTS.

In: a function, the items that it is given. Out: what the call gives. A function of one expression is put in line, another one
becomes a `call` node. Layer: above `bodies`.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import libcst as cst

from flatgrad.builder import Builder
from flatgrad.frontend.bodies import ReturnsFunction, call_node, called_at, in_line, read_body
from flatgrad.frontend.callees import Callee, ImportReader, LocalFunction, StaticCustom, callee_of, is_followed
from flatgrad.frontend.custom_gradients import custom_call, edit, is_edit
from flatgrad.frontend.expressions import item_of
from flatgrad.frontend.iterators import Deferred
from flatgrad.frontend.leaf_names import holds_stack
from flatgrad.frontend.memory import WritesToCaller
from flatgrad.frontend.parameters import all_parameters, bound_items
from flatgrad.frontend.reader import Reader, performs, reads
from flatgrad.frontend.source import LAMBDA, Names, Source
from flatgrad.frontend.static import custom_parts, other_decorators
from flatgrad.frontend.static_names import StaticNames
from flatgrad.frontend.static_objects import Partial, StaticCall, StaticFunction
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import leaves
from flatgrad.graph.values import Graph
from flatgrad.markers import custom_vjp
from flatgrad.registry import lookup


def is_applied(function: Any) -> bool:
    """Tell whether the calls of a function are read here."""
    return is_followed(function) or function is functools.partial or is_edit(function)


def applied(
    reader: Reader,
    function: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    syntax: cst.CSTNode,
    *,
    is_statement: bool = False,
) -> Any:
    """Return what a call of a user's function gives; nothing where it is called for its effects, in a statement."""
    if function is functools.partial:
        return _partial(reader, args, kwargs, syntax)
    if is_edit(function):
        return edit(reader, function, args, kwargs, syntax)
    if isinstance(function, StaticCall):
        made = unbound(reader, _made(reader, function, syntax), args, kwargs, syntax)
        return applied(reader, *made, syntax, is_statement=is_statement)
    if isinstance(function, StaticFunction):
        function = _as_decorated(reader, function, syntax)
        if not isinstance(function, StaticFunction):
            made = unbound(reader, function, args, kwargs, syntax)
            return applied(reader, *made, syntax, is_statement=is_statement)
    if isinstance(function, custom_vjp | StaticCustom):
        return custom_call(reader, function, args, kwargs, syntax)
    callee = _callee(reader, function, syntax)
    if callee.is_procedure and not is_statement:
        reader.fail(f"`{callee.name}` returns nothing", syntax, "return the value")
    given = bound_items(reader, callee, args, kwargs, syntax)
    given_items = (*given.values(), *callee.free.values())
    if callee.expression is not None or any(isinstance(leaf, Deferred) for leaf in leaves(given_items)):
        return in_line(reader, callee, given, syntax)
    if any(map(holds_stack, given.values())):
        # each layer is a function, or a line; a function of all their parts would have too many parameters to be read
        return in_line(reader, callee, given, syntax)
    if callee.identity in reader.written:
        return in_line(reader, callee, given, syntax)
    try:
        body = read_body(reader, callee, given, syntax)
    except ReturnsFunction:
        return in_line(reader, callee, given, syntax)
    except WritesToCaller:
        reader.written.add(callee.identity)
        return in_line(reader, callee, given, syntax)
    return call_node(reader, body, syntax)


def performed(
    reader: Reader, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode
) -> None:
    """Read a method that is called for what it does to its object into the caller's graph."""
    function, args, kwargs = unbound(reader, function, args, kwargs, syntax)
    if isinstance(function, StaticFunction):
        function = _as_decorated(reader, function, syntax)
    callee = _callee(reader, function, syntax)
    in_line(reader, callee, bound_items(reader, callee, args, kwargs, syntax), syntax)


def unbound(
    reader: Reader, function: Any, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode
) -> tuple[Any, Sequence[Any], Mapping[str, Any]]:
    """Return the function that a functools.partial calls, and all that it calls it with; another function as it is."""
    bound_args: list[Any] = []
    bound_kwargs: dict[str, Any] = {}
    while isinstance(function, functools.partial | Partial) and lookup(function) is None:
        if isinstance(function, functools.partial):
            function = Partial(function.func, function.args, function.keywords)
        function = replace(function, args=tuple(map(reader.refreshed, function.args)))
        bound_args, bound_kwargs = [*function.args, *bound_args], {**function.kwargs, **bound_kwargs}
        function = function.function
    names = itertools.chain(_positional_names(function), itertools.repeat("array"))
    items = [item_of(reader, found, name, syntax) for found, name in zip(bound_args, names, strict=False)]
    by_name = {name: item_of(reader, found, name, syntax) for name, found in bound_kwargs.items() if name not in kwargs}
    return function, [*items, *args], {**by_name, **kwargs}


def innermost(function: Any) -> Any:
    """Return the function that a functools.partial without a rule calls in the end; another function as it is."""
    while isinstance(function, functools.partial | Partial) and lookup(function) is None:
        function = function.func if isinstance(function, functools.partial) else function.function
    return function


def _positional_names(function: Any) -> list[str]:
    """Return the names of the parameters of a user's function."""
    if isinstance(function, StaticFunction | LocalFunction):
        params = function.syntax.params
        return [param.name.value for param in (*params.posonly_params, *params.params)]
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return list(code.co_varnames[: code.co_argcount]) if code is not None else []


def _partial(reader: Reader, args: Sequence[Any], kwargs: Mapping[str, Any], syntax: cst.CSTNode) -> Partial:
    if not args or not (callable(args[0]) or is_followed(args[0])):
        reader.fail("functools.partial needs a function", syntax)
    return Partial(args[0], tuple(args[1:]), dict(kwargs))


def _callee(reader: Reader, function: Any, syntax: cst.CSTNode) -> Callee:
    with called_at(reader, syntax):
        return callee_of(function)


# functions inside of functions


@reads(cst.Lambda)
def read_lambda(reader: Reader, syntax: cst.Lambda) -> LocalFunction:
    return _local(reader, LAMBDA, reader.source.definition_of(syntax), syntax.params)


@performs(cst.FunctionDef)
def read_definition(reader: Reader, syntax: cst.FunctionDef) -> None:
    function: Any = _local(reader, syntax.name.value, syntax, syntax.params)
    for decorator in reversed(syntax.decorators):
        function = _decorated(reader, function, decorator.decorator)
    reader.variables[syntax.name.value] = function


def _local(reader: Reader, name: str, syntax: cst.FunctionDef, params: cst.Parameters) -> LocalFunction:
    defaults = {
        param.name.value: reader.expression(param.default)
        for param in all_parameters(params)
        if param.default is not None
    }
    return LocalFunction(name, syntax, reader, defaults)


def _made(reader: Reader, function: StaticCall, syntax: cst.CSTNode) -> Any:
    """Return the function that a call in a file makes, which has not been run."""
    with called_at(reader, syntax), _imported(reader, function.source, function.names) as inner:
        made = inner.expression(function.syntax)
        if not is_followed(made):
            inner.fail(f"`{function.name}` is made by a call, which is not run to read the file", function.syntax)
        return made


@contextmanager
def _imported(reader: Reader, source: Source, names: Names | None) -> Iterator[Reader]:
    """Give a reader for what runs while a file is imported."""
    assert isinstance(names, StaticNames)
    inner = ImportReader(Builder(Graph("import")), names, source)
    inner.calls = reader.calls
    with names.running():
        yield inner


def _as_decorated(reader: Reader, function: StaticFunction, syntax: cst.CSTNode) -> Any:
    """Return what the decorators of a function make of it, which its file has not been run for."""
    decorators = other_decorators(function)
    if function.bare or not decorators:
        return function
    parts = custom_parts(function)
    if parts is not None:
        return StaticCustom(replace(function, bare=True), *parts)
    made: Any = replace(function, bare=True)
    with called_at(reader, syntax), _imported(reader, function.source, function.names) as inner:
        for decorator in reversed(decorators):
            made = _decorated(inner, made, decorator)
    return made


def _decorated(reader: Reader, function: Any, decorator: cst.BaseExpression) -> Any:
    """Return what a decorator makes of a function."""
    called = decorator.func if isinstance(decorator, cst.Call) else decorator
    found = reader.expression(called)
    if found is functools.wraps and isinstance(decorator, cst.Call) and isinstance(function, LocalFunction):
        wrapped = reader.expression(decorator.args[0].value)
        name = wrapped.name if isinstance(wrapped, LocalFunction | StaticFunction) else wrapped.__name__
        return LocalFunction(name, function.syntax, function.enclosing, function.defaults)
    if getattr(found, "__module__", None) == "flatgrad.decorator":
        return function
    if not is_followed(found):
        text = cst.Module([]).code_for_node(decorator)
        reader.fail(f"what `@{text:.60}` makes of a function can't be followed", decorator, "remove the decorator")
    if called is not decorator:
        # a function that makes a decorator
        found = reader.expression(decorator)
    made = applied(reader, *unbound(reader, found, [function], {}, decorator), decorator)
    if not is_followed(made):
        reader.fail(f"the decorator makes {described(made)} of a function", decorator, "remove the decorator")
    return made
