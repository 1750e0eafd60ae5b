"""Reads calls: of functions, of methods, of objects. Fills EXPRESSIONS. Layer: beside `reader`, above `operations`."""

from __future__ import annotations

from functools import partial
from typing import Any, NoReturn

import libcst as cst
import numpy as np

from flatgrad.frontend.array_writes import WRITING_METHODS, into_out, is_given_out, read_writing_call
from flatgrad.frontend.attributes import Method
from flatgrad.frontend.bounds import bounds_by_place
from flatgrad.frontend.call_tables import GETTERS, METHODS, is_read_here
from flatgrad.frontend.classes import is_users_class
from flatgrad.frontend.construction import constructed
from flatgrad.frontend.effects import EXPRESSION_STATEMENTS, read_print
from flatgrad.frontend.functions import applied, innermost, is_applied, performed, unbound
from flatgrad.frontend.iterators import BoundMethod
from flatgrad.frontend.list_values import call_list_method
from flatgrad.frontend.objects import CALL_READERS, is_instance
from flatgrad.frontend.operations import of_items
from flatgrad.frontend.passing import is_passed, read_passed
from flatgrad.frontend.placeholders import NOTHING
from flatgrad.frontend.reader import Reader, reads
from flatgrad.frontend.special_methods import built_in, callable_of
from flatgrad.frontend.unknown_calls import require_known
from flatgrad.frontend.unpacking import parts
from flatgrad.frontend.wording import described
from flatgrad.graph.containers import Dict
from flatgrad.graph.values import Value
from flatgrad.registry import lookup


@reads(cst.Call)
def read_call(reader: Reader, syntax: cst.Call) -> Any:
    function = callable_of(reader, reader.expression(syntax.func), syntax)
    if is_passed(function):
        return read_passed(reader, function, *_arguments(reader, syntax), syntax)
    if not isinstance(function, Method):
        # before its arguments are read: what is wrong with them is another problem
        require_known(reader, function, syntax)
    args, kwargs = _arguments(reader, syntax)
    if isinstance(function, Method):
        return _call_method(reader, function, args, kwargs, syntax)
    return call(reader, function, args, kwargs, syntax)


def read_call_statement(reader: Reader, syntax: cst.Call) -> None:
    """Keep a print, and what a user's function prints; anything else that is called for its effect might change an array."""
    called_here = callable_of(reader, reader.expression(syntax.func), syntax)
    function = innermost(called_here)
    if function is print:
        read_print(reader, syntax)
    elif is_passed(function):
        read_passed(reader, function, *_arguments(reader, syntax), syntax, is_statement=True)
    elif isinstance(function, Method) and function.value.type.is_list:
        call_list_method(reader, function.value, function.name, *_arguments(reader, syntax), syntax)
    elif isinstance(function, Method):
        _call_method(reader, function, *_arguments(reader, syntax), syntax, is_statement=True)
    elif isinstance(function, BoundMethod) or is_read_here(function):
        call(reader, called_here, *_arguments(reader, syntax), syntax)
    elif is_applied(function):
        args, kwargs = _arguments(reader, syntax)
        made = unbound(reader, called_here, args, kwargs, syntax)
        applied(reader, *made, syntax, is_statement=True)
    else:
        require_known(reader, function, syntax)
        args, kwargs = _arguments(reader, syntax)
        if not is_given_out(function, args, kwargs):
            _refuse_statement(reader, syntax)
        call(reader, function, args, kwargs, syntax)


def _refuse_statement(reader: Reader, syntax: cst.CSTNode) -> NoReturn:
    reader.fail(
        "a call whose result is not used can't be differentiated: it may change an array",
        syntax,
        "assign its result, or move it out of the function",
    )


EXPRESSION_STATEMENTS[cst.Call] = read_call_statement


def _arguments(reader: Reader, syntax: cst.Call) -> tuple[list[Any], dict[str, Any]]:
    """Return the items that a call gives, by position and by name."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for argument in syntax.args:
        item = reader.expression(argument.value)
        if argument.star == "*":
            args += parts(reader, item, argument)
        elif argument.star == "**":
            kwargs |= _keywords(reader, item, kwargs, argument)
        elif argument.keyword is not None:
            kwargs[argument.keyword.value] = item
        else:
            args.append(item)
    # what stands behind an argument may have changed it
    return [reader.refreshed(item) for item in args], {name: reader.refreshed(item) for name, item in kwargs.items()}


def _keywords(reader: Reader, item: Any, given: dict[str, Any], syntax: cst.Arg) -> dict[str, Any]:
    """Return the arguments in a dict that is passed on."""
    if not isinstance(item, Dict) or not all(isinstance(name, str) for name in item.keys):
        reader.fail("only a dict with names as its keys can be passed on by **", syntax)
    for name in item.keys:
        if name in given:
            reader.fail(f"got multiple values for argument {name!r}", syntax)
    return item.items


def call(reader: Reader, function: Any, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode) -> Any:
    """Return what a call gives: worked out where all is known, a node of the graph otherwise."""
    if isinstance(function, BoundMethod):
        return call_method(reader, function, args, kwargs, syntax)
    if type(function) in GETTERS:
        return GETTERS[type(function)](reader, [function, *args], kwargs, syntax)
    function, positional, keywords = unbound(reader, function, args, kwargs, syntax)
    args, kwargs = list(positional), dict(keywords)
    if is_applied(function):
        return applied(reader, function, args, kwargs, syntax)
    method = callable_of(reader, function, syntax)
    if method is not function:
        return call(reader, method, args, kwargs, syntax)
    if is_users_class(function):
        return constructed(reader, function, args, kwargs, syntax)
    if args and is_instance(args[0]):
        result = built_in(reader, function, args, syntax)
        if result is not NOTHING:
            return result
    return of_items(reader, function, args, kwargs, syntax)


CALL_READERS.update({"call": call, "perform": performed})


def call_method(
    reader: Reader, method: BoundMethod, args: list[Any], kwargs: dict[str, Any], syntax: cst.CSTNode
) -> Any:
    """Return what a method of a container or an iterator gives, which may change its owner."""
    owner = reader.refreshed(method.owner)
    read = METHODS.get((type(owner), method.name))
    if read is None:
        hint = "make a new set: a | b, a - b" if isinstance(owner, frozenset) else ""
        reader.fail(f"the method `{method.name}` of {described(owner)} can't be read", syntax, hint)
    return read(reader, [owner, *args], kwargs, syntax)


def _call_method(
    reader: Reader,
    method: Method,
    args: list[Any],
    kwargs: dict[str, Any],
    syntax: cst.Call,
    *,
    is_statement: bool = False,
) -> Any:
    name, value = method.name, method.value
    if value.type.is_list:
        return call_list_method(reader, value, name, args, kwargs, syntax)
    if value.type.weak and not (name == "conjugate" and value.dtype.kind == "c"):
        reader.fail(f"a Python number has no `{name}`", syntax.func)
    if name in WRITING_METHODS:
        return read_writing_call(reader, WRITING_METHODS[name], [value, *args], kwargs, syntax)
    if is_statement and kwargs.get("out") is None:
        _refuse_statement(reader, syntax)
    if name in ("reshape", "transpose") and args and not _is_tuple(args[0]):
        # these two take the parts of their tuple one by one as well
        args = [tuple(args)]
    if name == "clip":
        args, kwargs = bounds_by_place(args, kwargs)
    # a method may take its arguments in an order of its own
    for owner in (np.ndarray, np):
        function: Any = getattr(owner, name, None)
        if lookup(function) is not None:
            apply = partial(_apply_method, reader, function, value, syntax)
            if kwargs.get("out") is not None:
                return into_out(reader, function, args, kwargs, apply, syntax)
            return apply(args, kwargs)
    return reader.fail(f"the method `{name}` has no rule", syntax.func, "flatgrad.rule declares one for a function")


def _apply_method(
    reader: Reader, function: Any, value: Value, syntax: cst.CSTNode, args: list[Any], kwargs: dict[str, Any]
) -> Any:
    return reader.apply(syntax, function, value, *args, form="method", **kwargs)


def _is_tuple(argument: Any) -> bool:
    """Tell whether an argument is a tuple, a shape, or the None that stands for one."""
    return argument is None or isinstance(argument, tuple) or isinstance(getattr(argument, "known", None), tuple)
